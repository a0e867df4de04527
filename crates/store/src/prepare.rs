//! What can be checked and done about a batch before it is the writer's turn, on the caller's thread.

use crate::stamp::STAMP_LENGTH;
use crate::{
    Batch, Index, Key, Logged, Millis, Precondition, Put, Row, StoreError, VALUE_MAX, WORD_MAX, Write, time_value,
};

/// The longest name of a claim or setting in bytes.
pub(crate) const NAME_MAX: usize = 511;

/// The largest body in bytes.
const BODY_MAX: usize = 1 << 30;

/// A batch that can no longer be misuse in itself: sizes fit, and the rows of every put are sorted and without repetition.
pub(crate) struct Prepared {
    pub(crate) batch: Batch,
    /// About how much it writes.
    pub(crate) bytes: usize,
}

pub(crate) fn prepare(mut batch: Batch) -> Result<Prepared, StoreError> {
    let mut bytes = 0;
    check_replays(&batch)?;
    for write in &mut batch.writes {
        match write {
            Write::Put(put) => {
                check_body(&put.key, put.body.len())?;
                check_stamp(put)?;
                bytes += put.body.len() + arrange(&put.key, &mut put.rows, &mut put.words)?;
            }
            Write::Replay(Logged { version, rows, words }) => {
                let length = version.body.as_ref().map_or(0, |body| body.len());
                check_body(&version.key, length)?;
                bytes += length + arrange(&version.key, rows, words)?;
            }
            Write::Reindex { key, rows, words, .. } => bytes += arrange(key, rows, words)?,
            Write::Claim { name, value } | Write::Set { name, value } => {
                check_name(name)?;
                bytes += name.len() + value.len();
            }
            Write::Release { name } => check_name(name)?,
            Write::Delete { .. } => {}
        }
    }
    for precondition in &mut batch.preconditions {
        match precondition {
            Precondition::Finds { keys, .. } => {
                keys.sort_unstable();
                keys.dedup();
            }
            Precondition::Value { name, .. } => check_name(name)?,
            Precondition::Version { .. } | Precondition::Alone { .. } => {}
        }
    }
    Ok(Prepared { batch, bytes })
}

/// Checks and sorts rows and words, and says about how much they write: each is written twice, into the index and beside the document.
fn arrange(key: &Key, rows: &mut Vec<Row>, words: &mut Vec<Row>) -> Result<usize, StoreError> {
    check_lengths(key, rows, "value", VALUE_MAX)?;
    check_lengths(key, words, "word", WORD_MAX)?;
    for rows in [&mut *rows, &mut *words] {
        rows.sort_unstable();
        rows.dedup();
    }
    let row_bytes: usize = rows.iter().map(|row| 2 * (row.value.len() + 12)).sum();
    let word_bytes: usize = words.iter().map(|word| 2 * (word.value.len() + 2)).sum();
    Ok(row_bytes + word_bytes)
}

/// The rows with one of the time, if that is wanted; sorted and without repetition like those given.
pub(crate) fn with_time(mut rows: Vec<Row>, time_index: Option<Index>, time: Millis) -> Vec<Row> {
    if let Some(index) = time_index {
        let row = Row { index, value: time_value(time).to_vec() };
        if let Err(at) = rows.binary_search(&row) {
            rows.insert(at, row);
        }
    }
    rows
}

fn check_lengths(key: &Key, rows: &[Row], what: &str, most: usize) -> Result<(), StoreError> {
    match rows.iter().find(|row| row.value.len() > most) {
        Some(Row { index, value }) => Err(misuse(format!(
            "a {what} of `{key}` in index `{}` has `{}` bytes, at most {most} fit",
            index.0,
            value.len()
        ))),
        None => Ok(()),
    }
}

/// What is replayed has times of its own, and what is not has the time of the commit: one of the two would come out of order.
fn check_replays(batch: &Batch) -> Result<(), StoreError> {
    let has = |is: fn(&Write) -> bool| batch.writes.iter().any(is);
    match has(|write| matches!(write, Write::Replay(_)))
        && has(|write| matches!(write, Write::Put(_) | Write::Delete { .. }))
    {
        true => Err(misuse("a batch replays versions and has others beside".to_owned())),
        false => Ok(()),
    }
}

fn check_body(key: &Key, length: usize) -> Result<(), StoreError> {
    if length > BODY_MAX {
        return Err(misuse(format!("the body of `{key}` has `{length}` bytes, at most {BODY_MAX} fit")));
    }
    Ok(())
}

fn check_stamp(put: &Put) -> Result<(), StoreError> {
    if put.stamp_at.is_some_and(|at| at.saturating_add(STAMP_LENGTH) > put.body.len()) {
        return Err(misuse(format!("the time of `{}` would be written beyond its body", put.key)));
    }
    Ok(())
}

fn check_name(name: &[u8]) -> Result<(), StoreError> {
    if name.is_empty() || name.len() > NAME_MAX {
        return Err(misuse(format!("a name has `{}` bytes, 1 to {NAME_MAX} fit", name.len())));
    }
    Ok(())
}

fn misuse(text: String) -> StoreError {
    StoreError::Misuse(text)
}
