//! A search with a match that comes before all others, whatever their order.
//!
//! It is found by itself, and the others without it, in an order of theirs: none of them is sorted for its sake, and each stands once over all
//! pages. A cursor of no bytes is the place between it and the others.

use fhir::Outcome;
use store::{Count, Cursor, Filter, Find, Found, Page};

use super::Runner;

impl Runner<'_> {
    /// Runs a `find` before whose hits comes the one of another filter, if there is one. It is none of them.
    pub(super) fn find_with_first(&self, filter: Filter, find: Find) -> Result<Found, Outcome> {
        let mut first = self.find(Find { filter, page: Page::First, limit: 1, total: Count::None, ..find.clone() })?;
        let is_there = !first.hits.is_empty();
        let goes_back = matches!(find.page, Page::Before(_));
        // Whether the page begins with it, how many others there is room for, and which.
        let (opens, room, page) = match find.page {
            Page::Before(cursor) if is_between(&cursor) && is_there => (true, 0, Page::First),
            Page::First => (true, find.limit.saturating_sub(usize::from(is_there)), Page::First),
            Page::After(cursor) | Page::Before(cursor) if is_between(&cursor) => (false, find.limit, Page::First),
            page => (false, find.limit, page),
        };
        let others = Find { page, ..find };
        let mut found = match room {
            0 if find.limit > 0 => {
                let found = self.find(Find { limit: 1, bodies: false, ..others })?;
                Found { next: found.hits.first().map(|_| between()), hits: Vec::new(), ..found }
            }
            limit => self.find(Find { limit, ..others })?,
        };
        if is_there && find.limit > 0 && found.previous.is_none() {
            match opens || goes_back && found.hits.len() < find.limit {
                true => found.hits.splice(..0, first.hits.drain(..)).for_each(drop),
                false => found.previous = Some(between()),
            }
        }
        if let Some(total) = &mut found.total {
            total.count += u64::from(is_there);
        }
        Ok(found)
    }
}

fn between() -> Cursor {
    Cursor(Vec::new())
}

fn is_between(cursor: &Cursor) -> bool {
    cursor.0.is_empty()
}
