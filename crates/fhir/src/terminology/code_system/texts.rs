//! Texts one after another in one piece of memory, named by their number.

use std::collections::HashMap;

/// The number of no text.
pub(super) const NONE: u32 = u32::MAX;

/// All texts of a code system: an end for each in one long text.
#[derive(Clone, Default)]
pub(super) struct Texts {
    text: String,
    ends: Vec<u32>,
    /// Whether a text did not fit in what 32 bits can address.
    pub(super) is_full: bool,
}

impl Texts {
    /// Adds a text; [`NONE`] when it does not fit.
    pub(super) fn add(&mut self, text: &str) -> u32 {
        let end = u32::try_from(self.text.len() + text.len());
        let number = u32::try_from(self.ends.len()).ok().filter(|number| *number < NONE);
        let (Ok(end), Some(number)) = (end, number) else {
            self.is_full = true;
            return NONE;
        };
        self.text.push_str(text);
        self.ends.push(end);
        number
    }

    /// The text of a number; empty for one that was not given out.
    pub(super) fn get(&self, number: u32) -> &str {
        let Some(end) = self.ends.get(number as usize) else { return "" };
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before as usize]);
        &self.text[start as usize..*end as usize]
    }

    /// The same, nothing for [`NONE`].
    pub(super) fn maybe(&self, number: u32) -> Option<&str> {
        (number != NONE).then(|| self.get(number))
    }

    pub(super) fn shrink(&mut self) {
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
    }

    pub(super) fn parts(&self) -> (&str, &[u32]) {
        (&self.text, &self.ends)
    }

    /// Texts from their parts; `None` when an end is none.
    pub(super) fn of_parts(text: String, ends: Vec<u32>) -> Option<Texts> {
        let is_end = |end: &u32| text.is_char_boundary(*end as usize);
        let are_sorted = ends.is_sorted() && ends.last().map_or(0, |end| *end as usize) == text.len();
        (are_sorted && ends.iter().all(is_end)).then_some(Texts { text, ends, is_full: false })
    }
}

/// Numbers of texts that come again and again, such as names of properties: each is kept once.
#[derive(Default)]
pub(super) struct Recurring(HashMap<Box<str>, u32>);

impl Recurring {
    pub(super) fn number(&mut self, texts: &mut Texts, text: &str) -> u32 {
        if let Some(known) = self.0.get(text) {
            return *known;
        }
        let number = texts.add(text);
        self.0.insert(text.into(), number);
        number
    }

    /// The number of a text that came.
    pub(super) fn known(&self, text: &str) -> Option<u32> {
        self.0.get(text).copied()
    }
}
