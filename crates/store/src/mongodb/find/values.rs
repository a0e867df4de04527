//! A filter for what begins so, where few values do, becomes their rows: documents with a row are counted by keys of the index alone, and come
//! in order of creation. A token without its system is such a range, a code in each of the systems that have it. Other ranges, those of dates,
//! mostly have many values, and nothing is asked of them.

use std::collections::BTreeSet;
use std::ops::Bound;

use mongodb::bson::doc;

use super::lane::{Lane, Way};
use super::reader::{Query, Reader};
use crate::mongodb::{layout, text};
use crate::{Filter, Match, StoreError};

/// How many values a range may have to be replaced by them.
const VALUES_MAX: usize = 4;

/// How many documents are read at once to find the next values: those of a wide range have too many already.
const READ: usize = 8;

/// How many ranges are looked up, each of which takes a query or two.
const RANGES_MAX: usize = 4;

/// The texts of the rows one of which each document has that satisfies the filter, and no other has; `None` where it is not made of few
/// ranges, or these have many values.
pub(super) fn rows_of(reader: &mut Reader<'_>, filter: &Filter) -> Result<Option<BTreeSet<String>>, StoreError> {
    let alternatives = match filter {
        Filter::Any(filters) => filters.as_slice(),
        filter => std::slice::from_ref(filter),
    };
    let Some(matches) = alternatives.iter().map(matching).collect::<Option<Vec<_>>>() else { return Ok(None) };
    let matches = matches.into_iter().filter(|wanted| reader.known.may_have(wanted.index));
    let (single, ranges): (Vec<_>, Vec<_>) = matches.partition(|wanted| wanted.range.one_value().is_some());
    let are_prefixes = ranges.iter().all(|wanted| wanted.range.is_prefix());
    if ranges.is_empty() || ranges.len() > RANGES_MAX || !are_prefixes {
        return Ok(None);
    }
    let mut texts = BTreeSet::new();
    for wanted in ranges {
        let Some(values) = reader.always(|reader| values_in(reader, wanted))? else { return Ok(None) };
        let fitting = values.iter().filter(|value| wanted.accepts(value));
        texts.extend(fitting.map(|value| text::of_row(wanted.index, value)));
    }
    let values = single.iter().filter_map(|wanted| Some((wanted.index, wanted.range.one_value()?, wanted)));
    let fitting = values.filter(|(_, value, wanted)| wanted.accepts(value));
    texts.extend(fitting.map(|(index, value, _)| text::of_row(index, value)));
    Ok(Some(texts))
}

fn matching(filter: &Filter) -> Option<&Match> {
    match filter {
        Filter::Match(wanted) => Some(wanted),
        _ => None,
    }
}

/// The values of rows in a range, whether or not they pass the test; `None` when there are more than [`VALUES_MAX`].
fn values_in(reader: &mut Reader<'_>, wanted: &Match) -> Result<Option<BTreeSet<Vec<u8>>>, StoreError> {
    let mut values = BTreeSet::new();
    let mut lane = Lane { index: wanted.index, range: wanted.range.clone(), number: None };
    while let Some(stretch) = lane.stretch(Way::Up) {
        let query = Query { stretch: Some(stretch), limit: Some(READ), ..Query::new(doc! {}, doc! { "r": 1 }) };
        let mut cursor = reader.find(query)?;
        let mut first = None;
        let mut read = 0;
        while let Some(document) = reader.next(&mut cursor)? {
            read += 1;
            let rows = layout::rows(document, Some(&[wanted.index]))?;
            let mut in_lane =
                rows.into_iter().map(|row| row.value).filter(|value| lane.range.contains(value)).peekable();
            first = in_lane.peek().cloned();
            values.extend(in_lane);
            if values.len() > VALUES_MAX {
                return Ok(None);
            }
        }
        // Documents come in order of their first values here: none before that of the last has not been seen.
        match first {
            Some(first) if read == READ => lane.start_at(Way::Up, Bound::Excluded(first), None),
            _ => break,
        }
    }
    Ok(Some(values))
}
