//! Whether all parts of the store agree: what commits promise, checked from the tables alone.

use std::collections::BTreeMap;

use super::homes;
use super::layout::{self, Collection, Current, Document, State, Stored, split_row};
use super::tables::{View, damaged};
use super::versions::{self, Newest};
use super::words;
use crate::fields::Fields;
use crate::find::samples_of;
use crate::{Key, Millis, StoreError};

pub(super) fn verify(view: View<'_>) -> Result<(), StoreError> {
    let state = view.state()?;
    let counted = documents(view, state)?;
    let kept: BTreeMap<String, Collection> = view.collections()?.into_iter().collect();
    let versions: u64 = kept.values().map(|collection| collection.versions).sum();
    let agreed = kept.iter().all(|(name, collection)| {
        let (documents, versions) = counted.get(name).copied().unwrap_or_default();
        (collection.documents, collection.versions) == (documents, versions)
    });
    expect(agreed && counted.len() == kept.len(), || {
        "the counters of collections are not those of their documents".to_owned()
    })?;
    expect(view.tables.versions.len(view.txn)? == versions, || "there are versions without a document".to_owned())?;
    rows(view)?;
    counts(view)?;
    if let Some(damage) = words::verify(view, &state)? {
        return expect(false, || damage);
    }
    log(view, state, &kept, versions)
}

fn expect(holds: bool, what: impl FnOnce() -> String) -> Result<(), StoreError> {
    if holds { Ok(()) } else { Err(StoreError::Unusable(format!("the store is damaged: {}", what()))) }
}

/// Current documents and versions by collection.
type Counted = BTreeMap<String, (u64, u64)>;

fn documents(view: View<'_>, state: State) -> Result<Counted, StoreError> {
    let mut counted = Counted::new();
    let mut current = 0;
    for entry in view.tables.documents.iter(view.txn)? {
        let (text, record) = entry?;
        let text = std::str::from_utf8(text).map_err(|_| damaged("documents"))?;
        let key = Key::parse(text).ok_or_else(|| damaged("documents"))?;
        let document = Document::decode(record).ok_or_else(|| damaged("documents"))?;
        expect(document.number < state.next_number, || format!("`{key}` has a number that is still to be given"))?;
        let found = view.current(document.number)?.map(|found| found.key);
        let expected = document.deletion.is_none().then_some(key.as_str());
        expect(found == expected, || format!("the current record of `{key}` is not its own"))?;
        let newest = versions::newest(view, &key)?.ok_or_else(|| damaged("documents"))?;
        document_versions(view, &key, newest, state)?;
        current += u64::from(!newest.deleted);
        let (documents, versions) = counted.entry(key.collection().to_owned()).or_default();
        *documents += u64::from(!newest.deleted);
        *versions += newest.version;
    }
    expect(view.tables.current.len(view.txn)? == current, || {
        "there are current records without a document".to_owned()
    })?;
    Ok(counted)
}

/// From the newest back, each version leads to the one before and to the one it leaps to.
fn document_versions(view: View<'_>, key: &Key, newest: Newest, state: State) -> Result<(), StoreError> {
    let (mut sequence, mut last) = (newest.sequence, state.time);
    let mut sequences = BTreeMap::new();
    let mut leaps = Vec::new();
    for version in (1..=newest.version).rev() {
        let stored = (1..state.next_sequence).contains(&sequence).then(|| view.version(sequence)).transpose()?;
        let fits = stored.is_some_and(|stored| {
            let ends = stored.body.is_none() == newest.deleted || version < newest.version;
            stored.version == version && stored.key == key.as_str() && stored.time <= last && ends
        });
        let Some(stored) = stored.filter(|_| fits) else {
            return expect(false, || format!("version `{version}` of `{key}` is missing or not as it should be"));
        };
        sequences.insert(version, sequence);
        leaps.push((version, stored.earlier.leap));
        (sequence, last) = (stored.earlier.previous, stored.time);
    }
    let leads = leaps.iter().all(|(version, leap)| sequences.get(&versions::leaps_to(*version)).unwrap_or(&0) == leap);
    expect(leads && sequence == 0, || format!("the versions of `{key}` do not lead to one another"))
}

/// The index, the samples and the rows beside the documents are the same.
fn rows(view: View<'_>) -> Result<(), StoreError> {
    let mut expected = 0;
    let mut sampled = 0;
    for entry in view.tables.current.iter(view.txn)? {
        let (number, record) = entry?;
        let number = number.try_into().map(u64::from_be_bytes).map_err(|_| damaged("current"))?;
        let current = Current::decode(record).ok_or_else(|| damaged("current"))?;
        let key = Key::parse(current.key).ok_or_else(|| damaged("current"))?;
        let mut before = None;
        for (index, value) in current.rows {
            let found = view.tables.rows.get(view.txn, &layout::row_key(index, value, number))?.is_some();
            let home = homes::read(view.txn, view.tables, index)?;
            let repeats = before.is_some_and(|(before, _)| before == index);
            expect(home.is_some_and(|home| home.covers(key.collection().as_bytes(), repeats)), || {
                format!("index `{}` is not at home where `{key}` is", index.0)
            })?;
            let fits = found && before < Some((index, value));
            expect(fits, || format!("a row of `{}` in index `{}` is not in the index", current.key, index.0))?;
            before = Some((index, value));
            expected += 1;
            for level in samples_of(number) {
                let key = [&[level], layout::row_key(index, value, number).as_slice()].concat();
                let found = view.tables.samples.get(view.txn, &key)?.is_some();
                expect(found, || format!("a row of `{}` in index `{}` is not in its sample", current.key, index.0))?;
                sampled += 1;
            }
        }
        expect(current.rows.is_whole(), || format!("the rows of `{}` end too early", current.key))?;
    }
    expect(view.tables.samples.len(view.txn)? == sampled, || {
        "there are rows in samples without a document".to_owned()
    })?;
    expect(view.tables.rows.len(view.txn)? == expected, || "there are index rows without a document".to_owned())
}

fn counts(view: View<'_>) -> Result<(), StoreError> {
    let kept = view.tables.counts.iter(view.txn)?.map(|entry| {
        let (value, record) = entry?;
        Ok((value.to_vec(), Fields(record).u64().ok_or_else(|| damaged("counts"))?))
    });
    let kept: BTreeMap<Vec<u8>, u64> = kept.collect::<Result<_, StoreError>>()?;
    let mut counted: BTreeMap<&[u8], u64> = kept.keys().map(|value| (value.as_slice(), 0)).collect();
    for entry in view.tables.rows.iter(view.txn)? {
        let (key, _) = entry?;
        split_row(key).ok_or_else(|| damaged("rows"))?;
        if let Some(count) = counted.get_mut(&key[..key.len() - 8]) {
            *count += 1;
        }
    }
    let agreed = kept.iter().all(|(value, count)| counted.get(value.as_slice()) == Some(count));
    expect(agreed, || "the kept number of rows of a frequent value is wrong".to_owned())
}

/// Times and sequences follow one another, and each version stands in the log of its collection.
fn log(view: View<'_>, state: State, kept: &BTreeMap<String, Collection>, versions: u64) -> Result<(), StoreError> {
    let (mut next, mut last) = (1, Millis::MIN);
    for entry in view.tables.versions.iter(view.txn)? {
        let (key, record) = entry?;
        let sequence = Fields(key).u64().ok_or_else(|| damaged("versions"))?;
        let stored = Stored::decode(record).ok_or_else(|| damaged("versions"))?;
        let collection = Key::parse(stored.key).and_then(|key| kept.get(key.collection()).copied());
        let number = collection.ok_or_else(|| damaged("versions"))?.number;
        let in_log = view.tables.log.get(view.txn, &layout::log_key(number, stored.time, sequence))?.is_some();
        expect(sequence == next && stored.time >= last && in_log, || {
            format!("version `{sequence}` of all is not where it should be in the log")
        })?;
        (next, last) = (sequence + 1, stored.time);
    }
    expect(next == state.next_sequence, || "the newest version is not the last of all".to_owned())?;
    expect(view.tables.log.len(view.txn)? == versions, || "there are entries of the log without a version".to_owned())
}
