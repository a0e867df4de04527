//! How many documents satisfy a filter: counted, or estimated from a sample.

use std::time::Duration;

use mongodb::bson::doc;

use super::page::Search;
use super::reader::{Met, Query, Reader};
use super::sieve::{Sieve, each, each_of};
use crate::mongodb::layout::{self, SAMPLED};
use crate::{Count, Counted, Find, Found, Page, StoreError, TooCostly};

/// How long an estimate may take.
const ESTIMATE_TIME: Duration = Duration::from_millis(500);

/// How many keys of an index are read as fast as one document.
const KEYS: u64 = 16;

impl Search<'_, '_> {
    /// The number asked for, once the page is there.
    pub(super) fn total(&mut self, find: &Find, found: &Found) -> Result<Option<Counted>, StoreError> {
        let on_page = found.hits.len() as u64;
        let is_all = find.limit > 0 && find.page == Page::First && found.next.is_none();
        let start = self.reader.touched();
        let counted = self.candidates.filter(|_| self.sieve.checks.is_empty());
        let total = match find.total {
            Count::None => return Ok(None),
            _ if counted.is_some() => Counted::exactly(counted.unwrap_or_default()),
            _ if is_all => Counted::exactly(on_page),
            Count::Exact => Counted::exactly(self.count(u64::MAX)?),
            Count::Within(rows) | Count::IfWithin(rows) => {
                let is_estimated = matches!(find.total, Count::Within(_));
                let counted = match self.count_within(rows, is_estimated) {
                    // The page is there already, whatever its total would cost.
                    Err(StoreError::TooCostly(TooCostly { .. })) if find.limit > 0 => {
                        Counted { count: 0, exact: false }
                    }
                    counted => counted?,
                };
                if !counted.exact && !is_estimated {
                    return Ok(None);
                }
                counted
            }
        };
        self.reader.note(if total.exact { "count" } else { "estimate" }, None, start, total.count);
        let least = if total.exact { 0 } else { on_page.saturating_add(1) };
        Ok(Some(Counted { count: total.count.max(least), ..total }))
    }

    /// Each of them where there are no more than `rows`; otherwise about, or at least, how many.
    fn count_within(&mut self, rows: u64, is_estimated: bool) -> Result<Counted, StoreError> {
        let rows = if self.sieve.is_of_rows { rows.saturating_mul(KEYS) } else { rows };
        let limit = rows.saturating_add(1).min(self.reader.left());
        let count = self.count(limit)?;
        if count < limit || self.sieve.population.is_some() {
            return Ok(Counted::exactly(count));
        }
        if !is_estimated {
            return Ok(Counted { count, exact: false });
        }
        let sieve = &mut self.sieve;
        let about = self.reader.within(ESTIMATE_TIME, |reader| match sieve.checks.is_empty() {
            true => reader.estimate(sieve.query.clone()),
            false => estimate(reader, sieve),
        })?;
        Ok(Counted { count: about.unwrap_or(0).max(count), exact: false })
    }

    /// Each of them, as far as `limit`.
    pub(super) fn count(&mut self, limit: u64) -> Result<u64, StoreError> {
        if let Some(population) = &self.sieve.population {
            return self.reader.count_all(population);
        }
        if self.sieve.checks.is_empty() {
            return self.reader.count(self.sieve.query.clone(), limit);
        }
        let mut count = 0;
        each(&mut self.reader, &mut self.sieve, |_, _| {
            count += 1;
            Ok(count < limit)
        })?;
        Ok(count)
    }
}

/// About how many documents pass, going by those in the sample.
fn estimate(reader: &mut Reader<'_>, sieve: &mut Sieve<'_>) -> Result<u64, StoreError> {
    let filter = doc! { "$and": [layout::is_sampled(), sieve.query.clone()] };
    let query = Query { is_of_sample: true, ..Query::new(filter, Met::projection()) };
    let mut count = 0_u64;
    each_of(reader, sieve, query, |_, _| {
        count += 1;
        Ok(true)
    })?;
    Ok(count.saturating_mul(SAMPLED))
}
