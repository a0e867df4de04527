//! Whether all parts of the store agree: what commits promise, checked from the tables alone.

use std::collections::BTreeMap;

use super::homes;
use super::layout::{self, ALL_COLLECTIONS, Collection, Current, Document, State, split_log, split_row, split_version};
use super::tables::{View, damaged};
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
        versions(view, &key, document, state.time)?;
        let found = view.current(document.number)?.map(|found| (found.version, found.key));
        let expected = (!document.deleted).then_some((document.version, key.as_str()));
        expect(found == expected, || format!("the current record of `{key}` is not of its newest version"))?;
        current += u64::from(!document.deleted);
        let (documents, versions) = counted.entry(key.collection().to_owned()).or_default();
        *documents += u64::from(!document.deleted);
        *versions += document.version;
    }
    expect(view.tables.current.len(view.txn)? == current, || {
        "there are current records without a document".to_owned()
    })?;
    Ok(counted)
}

fn versions(view: View<'_>, key: &Key, document: Document, last: Millis) -> Result<(), StoreError> {
    let mut time = Millis::MIN;
    for version in 1..=document.version {
        let stored = view.version(document.number, version)?;
        let stored = stored.filter(|stored| stored.key == key.as_str() && (time..=last).contains(&stored.time));
        let deleted = stored.as_ref().map(|stored| stored.body.is_none());
        let fits = deleted.is_some_and(|deleted| version < document.version || deleted == document.deleted);
        expect(fits, || format!("version `{version}` of `{key}` is missing or not as it should be"))?;
        time = stored.map_or(time, |stored| stored.time);
    }
    Ok(())
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

/// Each version stands in the log twice, once for its collection and once for the whole.
fn log(view: View<'_>, state: State, kept: &BTreeMap<String, Collection>, versions: u64) -> Result<(), StoreError> {
    let mut found = BTreeMap::<u32, u64>::new();
    for entry in view.tables.log.iter(view.txn)? {
        let (key, record) = entry?;
        let (scope, time, sequence) = split_log(key).ok_or_else(|| damaged("log"))?;
        let (number, version) = split_version(record).ok_or_else(|| damaged("log"))?;
        let stored = view.version(number, version)?.ok_or_else(|| damaged("log"))?;
        let collection = Key::parse(stored.key).and_then(|key| kept.get(key.collection()).copied());
        let fits = stored.time == time
            && sequence < state.next_sequence
            && (scope == ALL_COLLECTIONS || collection.is_some_and(|collection| collection.number == scope));
        expect(fits, || format!("log entry `{sequence}` does not agree with its version"))?;
        *found.entry(scope).or_default() += 1;
    }
    let mut expected: BTreeMap<u32, u64> =
        kept.values().map(|collection| (collection.number, collection.versions)).collect();
    expected.insert(ALL_COLLECTIONS, versions);
    expected.retain(|_, count| *count > 0);
    expect(found == expected, || "the log does not have each version twice".to_owned())
}
