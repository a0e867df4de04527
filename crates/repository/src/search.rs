//! Running a compiled search: joins first, then one `find`, then includes, all on one snapshot.

use search::Query;
use store::{Page, Version};

/// A search to run.
#[derive(Clone, Debug)]
pub struct SearchRequest<'a> {
    pub query: &'a Query,
    pub page: Page,
    /// How many matches at most.
    pub limit: usize,
    /// Whether to count all matches.
    pub total: bool,
}

/// One page of answers.
#[derive(Clone, Debug, Default)]
pub struct SearchPage {
    pub matches: Vec<Version>,
    pub included: Vec<Version>,
    pub next: Option<store::Cursor>,
    pub previous: Option<store::Cursor>,
    pub total: Option<u64>,
    /// True when includes were cut at their limit.
    pub includes_cut: bool,
    /// Index rows touched.
    pub rows: u64,
}
