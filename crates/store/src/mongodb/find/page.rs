//! One page of what was found.

use std::cmp::Ordering;

use super::seen::Seen;
use crate::document::PageRoom;
use crate::mongodb::read;
use crate::mongodb::view::View;
use crate::{Cursor, Find, Found, Hit, Page, SortKey, StoreError};

/// A place in the order: a value for each sort key, and the number.
struct Place {
    values: Vec<Option<Vec<u8>>>,
    number: i64,
}

/// Puts the page into `found`; how many hits there are in all.
pub(super) fn page(view: &mut View, find: &Find, hits: Vec<&Seen>, found: &mut Found) -> Result<u64, StoreError> {
    let mut hits: Vec<_> = hits.into_iter().map(|seen| (Place::of(seen, &find.sort), seen)).collect();
    hits.sort_by(|a, b| a.0.compare(&b.0, &find.sort));
    let count = hits.len();
    let (first, end) = match &find.page {
        Page::First => (0, find.limit.min(count)),
        Page::After(at) => {
            let first = before(&hits, at, &find.sort)?;
            (first, first.saturating_add(find.limit).min(count))
        }
        Page::Before(at) => {
            let end = before(&hits, at, &find.sort)?;
            (end.saturating_sub(find.limit), end)
        }
    };
    let (mut first, mut end) = (first, end);
    let mut room = PageRoom::default();
    let mut filled = Vec::new();
    let from_end = matches!(find.page, Page::Before(_));
    for step in 0..end - first {
        let at = if from_end { end - 1 - step } else { first + step };
        let seen = hits[at].1;
        let version = if find.bodies { read::version(view, &seen.key)? } else { None };
        if version.as_ref().is_some_and(|version| !room.takes(version)) {
            (first, end) = if from_end { (at + 1, end) } else { (first, at) };
            break;
        }
        let rows = seen.rows.iter().filter(|row| find.values.contains(&row.index)).cloned().collect();
        filled.push(Hit { key: seen.key.clone(), version, rows });
    }
    if from_end {
        filled.reverse();
    }
    if first < end {
        found.next = (end < count).then(|| hits[end - 1].0.to_cursor(true));
        found.previous = (first > 0).then(|| hits[first].0.to_cursor(false));
    }
    found.hits = filled;
    Ok(count as u64)
}

/// How many hits stand before a gap.
fn before(hits: &[(Place, &Seen)], cursor: &Cursor, sort: &[SortKey]) -> Result<usize, StoreError> {
    let (at, is_behind) = Place::of_cursor(cursor, sort)?;
    Ok(hits.partition_point(|hit| match hit.0.compare(&at, sort) {
        Ordering::Less => true,
        Ordering::Equal => is_behind,
        Ordering::Greater => false,
    }))
}

impl Place {
    fn of(seen: &Seen, sort: &[SortKey]) -> Place {
        let value = |key: &SortKey| {
            let values = seen.rows.iter().filter(|row| key.indexes.contains(&row.index)).map(|row| &row.value);
            if key.descending { values.max().cloned() } else { values.min().cloned() }
        };
        Place { values: sort.iter().map(value).collect(), number: seen.number }
    }

    fn compare(&self, other: &Place, sort: &[SortKey]) -> Ordering {
        let by_value = sort.iter().zip(self.values.iter().zip(&other.values)).map(|(key, (a, b))| match (a, b) {
            (Some(a), Some(b)) if key.descending => b.cmp(a),
            (Some(a), Some(b)) => a.cmp(b),
            (a, b) => a.is_none().cmp(&b.is_none()),
        });
        by_value.fold(Ordering::Equal, Ordering::then).then(self.number.cmp(&other.number))
    }

    /// The gap behind or before it.
    fn to_cursor(&self, is_behind: bool) -> Cursor {
        let mut bytes = self.number.to_be_bytes().to_vec();
        bytes.push(u8::from(is_behind));
        for value in &self.values {
            bytes.push(u8::from(value.is_some()));
            let value = value.as_deref().unwrap_or_default();
            bytes.extend((value.len() as u16).to_be_bytes());
            bytes.extend(value);
        }
        Cursor(bytes)
    }

    fn of_cursor(cursor: &Cursor, sort: &[SortKey]) -> Result<(Place, bool), StoreError> {
        let foreign = || StoreError::Misuse("the cursor is not one of this search".to_owned());
        let (number, rest) = cursor.0.split_first_chunk().ok_or_else(foreign)?;
        let (side, mut rest) = rest.split_first().ok_or_else(foreign)?;
        let mut values = Vec::new();
        for _ in sort {
            let (head, after) = rest.split_first_chunk::<3>().ok_or_else(foreign)?;
            let length = u16::from_be_bytes([head[1], head[2]]);
            let (value, after) = after.split_at_checked(usize::from(length)).ok_or_else(foreign)?;
            values.push((head[0] == 1).then(|| value.to_vec()));
            rest = after;
        }
        if !rest.is_empty() {
            return Err(foreign());
        }
        Ok((Place { values, number: i64::from_be_bytes(*number) }, *side == 1))
    }
}
