//! Bytes as text: MongoDB orders binary data by its length first, and text by its bytes.
//!
//! Each byte becomes the character of its number, U+0000 to U+00FF: mostly one byte in UTF-8, never more than two, in the same order.

use crate::{Index, Row};

/// How many characters an index's number has before the value of a row.
pub(super) const INDEX_DIGITS: usize = 5;

/// The digits of an index's number are this many characters from `!` on: five of them say any number.
const BASE: u32 = 85;

pub(super) fn of_bytes(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    push(&mut text, bytes);
    text
}

fn push(text: &mut String, bytes: &[u8]) {
    // Most are ASCII, which is the same as text.
    match std::str::from_utf8(bytes) {
        Ok(same) if same.is_ascii() => text.push_str(same),
        _ => text.extend(bytes.iter().copied().map(char::from)),
    }
}

/// How many bytes [`of_bytes`] makes of these.
pub(super) fn length(bytes: &[u8]) -> usize {
    bytes.len() + bytes.iter().filter(|byte| !byte.is_ascii()).count()
}

/// What [`of_bytes`] made; `None` for other text.
pub(super) fn to_bytes(text: &str) -> Option<Vec<u8>> {
    if text.is_ascii() {
        return Some(text.as_bytes().to_vec());
    }
    text.chars().map(|character| u8::try_from(u32::from(character)).ok()).collect()
}

/// What the text of every row of an index begins with.
pub(super) fn of_index(index: Index) -> String {
    let digits = (0..INDEX_DIGITS as u32).rev().map(|place| index.0 / BASE.pow(place) % BASE);
    digits.map(|digit| char::from(b'!' + digit as u8)).collect()
}

/// A row, or a word: the text of its index, then its value. Rows and their texts have one order.
pub(super) fn of_row(index: Index, value: &[u8]) -> String {
    let mut text = of_index(index);
    push(&mut text, value);
    text
}

/// What [`of_row`] made; `None` for other text.
pub(super) fn to_row(text: &str) -> Option<Row> {
    let (index, value) = text.split_at_checked(INDEX_DIGITS)?;
    let mut digits = index.bytes().map(|digit| digit.checked_sub(b'!').map(u32::from).filter(|digit| *digit < BASE));
    let number = digits.try_fold(0_u32, |number, digit| number.checked_mul(BASE)?.checked_add(digit?))?;
    Some(Row { index: Index(number), value: to_bytes(value)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_bytes_and_their_order() {
        let values: [&[u8]; 9] = [b"", &[0], &[0, 0], &[0, 255], b"a", b"a\0", &[127], &[128], &[255, 255]];
        let texts = values.map(of_bytes);
        for (value, text) in values.iter().zip(&texts) {
            assert_eq!((to_bytes(text).as_deref(), text.len()), (Some(*value), length(value)));
        }
        assert!(texts.is_sorted_by(|a, b| a.as_bytes() < b.as_bytes()), "{texts:?}");
        assert_eq!(to_bytes("\u{100}"), None);
    }

    #[test]
    fn keeps_rows_and_their_order() {
        let rows = [0, 1, 84, 85, 7_224, 7_225, u32::MAX - 1, u32::MAX]
            .into_iter()
            .flat_map(|index| [&[][..], &[0], &[255]].map(|value| Row { index: Index(index), value: value.to_vec() }));
        let rows: Vec<_> = rows.collect();
        let texts: Vec<_> = rows.iter().map(|row| of_row(row.index, &row.value)).collect();
        for (row, text) in rows.iter().zip(&texts) {
            assert_eq!(to_row(text).as_ref(), Some(row));
        }
        assert!(texts.is_sorted_by(|a, b| a.as_bytes() < b.as_bytes()), "{texts:?}");
        for foreign in ["", "!!!!", "!!!! ", "uuuuu", "!!!!\u{e4}"] {
            assert_eq!(to_row(foreign), None, "{foreign}");
        }
    }
}
