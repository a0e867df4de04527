//! Whether a batch may take effect: the same questions whatever the engine.

use rustc_hash::FxHashMap;

use crate::{Batch, Filter, Find, Found, Key, Logged, Millis, Precondition, Put, StoreError, Version, Write};

/// How many index rows the writer touches for the preconditions of one batch; others wait meanwhile.
const PRECONDITION_ROWS_MAX: u64 = 1_000_000;

/// What is so after all batches that were applied before.
pub(crate) trait Facts {
    /// The number of the newest version of a document, 0 when there never was one, and whether the document exists.
    fn newest(&self, key: &Key) -> Result<(u64, bool), StoreError>;

    /// The time of the last version.
    fn time(&self) -> Millis;

    /// The value of a claim or setting.
    fn value(&self, name: &[u8]) -> Result<Option<&[u8]>, StoreError>;

    /// Whether all commits were made by this process, of those since there were so many.
    fn is_alone_since(&self, commits: u64) -> bool;

    /// What a search finds.
    fn find(&mut self, find: &Find) -> Result<Found, StoreError>;
}

/// Whether everything that a batch asks for holds.
pub(crate) fn check(facts: &mut impl Facts, batch: &Batch) -> Result<(), StoreError> {
    let mut rows_left = PRECONDITION_ROWS_MAX;
    for (at, precondition) in batch.preconditions.iter().enumerate() {
        let holds = match precondition {
            Precondition::Version { key, version } => facts.newest(key)?.0 == *version,
            Precondition::Finds { filter, keys } => finds(facts, filter, keys, &mut rows_left)?,
            Precondition::Value { name, value } => facts.value(name)? == value.as_deref(),
            Precondition::Alone { since } => facts.is_alone_since(*since),
        };
        if !holds {
            return Err(StoreError::Conflict(at));
        }
    }
    check_writes(facts, batch)
}

/// `keys` is sorted and without repetition.
fn finds(facts: &mut impl Facts, filter: &Filter, keys: &[Key], rows_left: &mut u64) -> Result<bool, StoreError> {
    let find = Find { rows_max: *rows_left, ..Find::new(filter.clone(), keys.len() + 1) };
    let found = facts.find(&find)?;
    *rows_left = rows_left.saturating_sub(found.rows);
    let mut found: Vec<Key> = found.hits.into_iter().map(|hit| hit.key).collect();
    found.sort_unstable();
    Ok(found == keys)
}

fn check_writes(facts: &impl Facts, batch: &Batch) -> Result<(), StoreError> {
    let mut documents: FxHashMap<&Key, (u64, bool)> = FxHashMap::default();
    let mut names: FxHashMap<&[u8], bool> = FxHashMap::default();
    let mut time = facts.time();
    let newest_after = |documents: &FxHashMap<&Key, (u64, bool)>, key| match documents.get(key) {
        Some(newest) => Ok(*newest),
        None => facts.newest(key),
    };
    for (at, write) in batch.writes.iter().enumerate() {
        if let Write::Replay(Logged { version, .. }) = write {
            if version.time < time {
                return Err(StoreError::Misuse(format!(
                    "`{}` would be of a time before that of the last",
                    version.key
                )));
            }
            time = version.time;
        }
        match write {
            Write::Put(Put { key, version, .. })
            | Write::Delete { key, version, .. }
            | Write::Replay(Logged { version: Version { key, version, .. }, .. }) => {
                let deletes = match write {
                    Write::Replay(Logged { version, .. }) => version.body.is_none(),
                    write => matches!(write, Write::Delete { .. }),
                };
                let (newest, exists) = newest_after(&documents, key)?;
                if *version != newest + 1 {
                    return Err(StoreError::Misuse(format!("version `{version}` of `{key}` does not follow {newest}")));
                }
                if deletes && !exists {
                    return Err(StoreError::Misuse(format!("`{key}` cannot be deleted: it does not exist")));
                }
                documents.insert(key, (*version, !deletes));
            }
            Write::Reindex { key, version, .. } => {
                if newest_after(&documents, key)? != (*version, true) {
                    return Err(StoreError::Conflict(batch.preconditions.len() + at));
                }
            }
            Write::Claim { name, .. } => {
                let taken = match names.get(name.as_slice()) {
                    Some(earlier) => *earlier,
                    None => facts.value(name)?.is_some(),
                };
                if taken {
                    return Err(StoreError::Claimed(name.clone()));
                }
                names.insert(name, true);
            }
            Write::Set { name, .. } => drop(names.insert(name, true)),
            Write::Release { name } => drop(names.insert(name, false)),
        }
    }
    Ok(())
}
