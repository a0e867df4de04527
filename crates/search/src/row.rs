//! Index numbers, and row values kept within the store's limit.
//!
//! A parameter has one main index, numbered by the FNV-1a hash of `Type.code`, and secondary ones numbered by the hash of
//! `Type.code:name`. Stored rows carry these numbers, so the names must never change.

use std::ops::Bound;

use store::{Filter, Index, Match, Range, Row, VALUE_MAX};

use crate::contained::Way;
use crate::text::Words;

/// Counts the forms that rows have had: with any change of what a resource's rows or words are it grows, and stores index everything anew.
pub const ROWS_FORMAT: u32 = 12;

/// How many bytes of a row's value name the leading components of a composite.
pub(crate) const KEY_LENGTH: usize = 16;

/// The longest value of a row of a simple parameter: what a composite leaves for its last component.
pub(crate) const SIMPLE_MAX: usize = VALUE_MAX - KEY_LENGTH;

/// The secondary index that says that a parameter has a value although its main index holds no row for it.
pub(crate) const OTHER: &str = "other";

/// The secondary index of what a reference parameter finds itself where others find a reference to it: see [`crate::contained`].
pub(crate) const HELD: &str = "held";

/// The secondary index of references to one version.
pub(crate) const VERSION: &str = "version";

/// The secondary index of the identifiers that stand beside references.
pub(crate) const IDENTIFIER: &str = "identifier";

/// The index with one empty row for every resource of a type.
pub(crate) fn type_index(resource_type: &str) -> Index {
    Index(hash(FNV_OFFSET, resource_type))
}

/// The names of all further indexes that a parameter may have.
pub(crate) const SECONDARY: [&str; 17] = [
    OTHER,
    HELD,
    "rest",
    "trigram",
    "of-type",
    "of-type-exact",
    "exact",
    "system",
    "text",
    "version",
    "identifier",
    "end",
    "range",
    "unit",
    "unit-range",
    "base",
    "base-range",
];

/// The main index of a parameter and all further ones that it may have.
pub(crate) fn all_of(main: Index) -> impl Iterator<Item = Index> {
    std::iter::once(main).chain(SECONDARY.iter().map(move |name| secondary(main, name)))
}

/// All resources of a type, as an equality: stores count those.
pub(crate) fn of_type(resource_type: &str) -> Filter {
    Filter::equal(type_index(resource_type), Vec::new())
}

/// The index of the canonical URLs by which resources of a type are named: see [`crate::canonical`].
pub(crate) fn name_index(resource_type: &str) -> Index {
    Index(hash(hash(FNV_OFFSET, resource_type), "|"))
}

/// An index of what a container holds behind one of its references: see [`crate::contained`].
pub(crate) fn inside(reference: Index, of: Index) -> Index {
    let state = hash(reference.0, ">");
    Index(of.0.to_be_bytes().iter().fold(state, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(FNV_PRIME)))
}

/// The main index of a parameter.
pub(crate) fn parameter_index(resource_type: &str, code: &str) -> Index {
    Index(hash(hash(hash(FNV_OFFSET, resource_type), "."), code))
}

/// A further index of the parameter whose main index this is.
pub(crate) fn secondary(main: Index, name: &str) -> Index {
    Index(hash(hash(main.0, ":"), name))
}

const FNV_OFFSET: u32 = 0x811c_9dc5;
const FNV_PRIME: u32 = 0x0100_0193;

fn hash(state: u32, text: &str) -> u32 {
    text.bytes().fold(state, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(FNV_PRIME))
}

/// How many rows one resource may have. A small one can ask for many: a composite has a row for each pair of codes.
pub(crate) const ROWS_MAX: usize = 250_000;

/// The rows of one resource while they are collected, at most [`ROWS_MAX`].
#[derive(Default)]
pub(crate) struct Rows {
    rows: Vec<Row>,
    /// The words of its texts.
    pub(crate) words: Words,
    /// Whether some did not fit any more.
    is_cut: bool,
    /// The references to what the resource contains.
    ways: Vec<Way>,
}

impl Rows {
    pub(crate) fn with_capacity(capacity: usize) -> Rows {
        Rows { rows: Vec::with_capacity(capacity), ..Rows::default() }
    }

    /// Notes a reference to a contained resource.
    pub(crate) fn lead_inside(&mut self, index: Index, id: &str, target_type: Option<&str>) {
        self.ways.push(Way { index, id: id.into(), target_type: target_type.map(Box::from) });
    }

    pub(crate) fn ways(&self) -> &[Way] {
        &self.ways
    }

    pub(crate) fn take_ways(&mut self) -> Vec<Way> {
        std::mem::take(&mut self.ways)
    }

    pub(crate) fn all(&self) -> &[Row] {
        &self.rows
    }

    pub(crate) fn push(&mut self, index: Index, value: Vec<u8>) {
        debug_assert!(value.len() <= VALUE_MAX, "a row of {} bytes", value.len());
        match self.rows.len() < ROWS_MAX {
            true => self.rows.push(Row { index, value }),
            false => self.is_cut = true,
        }
    }

    /// The rows since there were `start`, and the words to add theirs to.
    pub(crate) fn with_words(&mut self, start: usize) -> (&[Row], &mut Words) {
        (&self.rows[start..], &mut self.words)
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether a row of `index` has come since there were `start` rows.
    pub(crate) fn has_since(&self, start: usize, index: Index) -> bool {
        self.rows[start..].iter().any(|row| row.index == index)
    }

    /// Says that there are more rows than one resource may have, without making them.
    pub(crate) fn overflow(&mut self) {
        self.is_cut = true;
    }

    /// Puts `keys` before the value of every row since `start`: a row for each of them.
    pub(crate) fn put_under(&mut self, start: usize, keys: &[[u8; KEY_LENGTH]]) {
        for row in self.rows.split_off(start) {
            for key in keys {
                if self.is_cut {
                    return;
                }
                self.push(row.index, [key.as_slice(), &row.value].concat());
            }
        }
    }

    /// Sorted and without duplicates; `None` when they were too many.
    pub(crate) fn finish(mut self) -> Option<crate::Rows> {
        self.rows.sort_unstable();
        self.rows.dedup();
        (!self.is_cut).then(|| crate::Rows { rows: self.rows, words: self.words.finish() })
    }
}

/// A part of a value: as it is while it fits, else its beginning and a hash of the whole, so that equal parts stay equal and
/// others different.
pub(crate) fn push_part(value: &mut Vec<u8>, part: &str, length_max: usize) {
    if part.len() <= length_max {
        value.extend_from_slice(part.as_bytes());
    } else {
        value.extend_from_slice(&part.as_bytes()[..length_max - HASH_LENGTH]);
        value.extend_from_slice(&printed_hash(part.as_bytes()));
    }
}

/// The length of [`printed_hash`].
pub(crate) const HASH_LENGTH: usize = 32;

/// A 128-bit hash in bytes that occur nowhere at the start of a character, so that no text is found inside it.
pub(crate) fn printed_hash(bytes: &[u8]) -> [u8; HASH_LENGTH] {
    let hash = blake3::hash(bytes);
    std::array::from_fn(|at| 0x80 | (hash.as_bytes()[at / 2] >> (at % 2 * 4) & 0x0f))
}

/// Documents with a row in `index` that begins with `prefix` and then lies between `low` and `high`; a bound stands for every value
/// that begins with it.
pub(crate) fn between(index: Index, prefix: &[u8], low: Bound<&[u8]>, high: Bound<&[u8]>) -> Match {
    let all = Range::prefix(prefix.to_vec());
    let join = |bound: &[u8]| [prefix, bound].concat();
    let low = match low {
        Bound::Included(low) => Bound::Included(join(low)),
        Bound::Excluded(low) => after(join(low)),
        Bound::Unbounded => all.low,
    };
    let high = match high {
        Bound::Included(high) => Range::prefix(join(high)).high,
        Bound::Excluded(high) => Bound::Excluded(join(high)),
        Bound::Unbounded => all.high,
    };
    Match { index, range: Range { low, high }, test: None }
}

/// The lower bound just above every value that begins with `prefix`.
fn after(prefix: Vec<u8>) -> Bound<Vec<u8>> {
    match Range::prefix(prefix).high {
        Bound::Excluded(next) => Bound::Included(next),
        // Nothing comes after a prefix of all 0xff; no encoding makes one, and an empty range is right for it.
        _ => Bound::Excluded(vec![u8::MAX; VALUE_MAX]),
    }
}

/// One filter that any of several satisfies.
pub(crate) fn any(mut filters: Vec<Filter>) -> Filter {
    match filters.len() {
        1 => filters.remove(0),
        _ => Filter::Any(filters),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_never_change() {
        assert_eq!(type_index("Patient"), Index(TYPE_PATIENT));
        assert_eq!(parameter_index("Patient", "name"), Index(PATIENT_NAME));
        assert_eq!(secondary(parameter_index("Patient", "name"), OTHER), Index(PATIENT_NAME_OTHER));
    }

    const TYPE_PATIENT: u32 = 0x078f_2dfe;
    const PATIENT_NAME: u32 = 0x66d1_3cf3;
    const PATIENT_NAME_OTHER: u32 = 0x2e82_3db7;

    #[test]
    fn long_parts_keep_equality_apart() {
        let cut = |text: &str| {
            let mut value = Vec::new();
            push_part(&mut value, text, 100);
            value
        };
        let long = "x".repeat(101);
        assert_eq!(cut(&long[..100]), long.as_bytes()[..100]);
        assert_eq!(cut(&long).len(), 100);
        assert_eq!(cut(&long), cut(&long));
        assert_ne!(cut(&long), cut(&format!("{long}y")));
        assert!(std::str::from_utf8(&printed_hash(b"x")[..1]).is_err());
    }

    #[test]
    fn bounds_stand_for_what_begins_with_them() {
        let accepts = |low, high, value: &str| between(Index(1), b"p", low, high).accepts(value.as_bytes());
        let (b, d): (&[u8], &[u8]) = (b"b", b"d");
        let cases = [
            (Bound::Included(b), Bound::Included(d), [false, true, true, true, true, false]),
            (Bound::Excluded(b), Bound::Excluded(d), [false, false, true, false, false, false]),
            (Bound::Unbounded, Bound::Excluded(d), [true, true, true, false, false, false]),
            (Bound::Excluded(b), Bound::Unbounded, [false, false, true, true, true, true]),
        ];
        for (low, high, expected) in cases {
            let got = ["pa", "pbx", "pc", "pd", "pdx", "pe"].map(|value| accepts(low, high, value));
            assert_eq!(got, expected, "{low:?} {high:?}");
            assert!(!accepts(low, high, "qc") && !accepts(low, high, "oc"));
        }
    }
}
