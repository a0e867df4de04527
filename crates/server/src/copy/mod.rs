//! Moving a store: everything that one has comes into another, with its history.
//!
//! Invariants:
//! - The target has a beginning of the source's log, and a [`Mark`] that says where that ends: versions and mark come in one commit. So a copy
//!   goes on after whatever has ended it, and ends as if nothing had.
//! - All that was written is read back and compared with the source before the copy is finished.
//! - Who has a target with a mark does not serve it. The commit that finishes the copy takes the mark away.

mod mark;
mod values;

#[cfg(test)]
mod tests;

use std::fmt;

use blake3::Hash;
use repository::moving;
use store::{Batch, Cursor, History, HistoryScope, Logged, Precondition, Store, StoreError, Version, Write};

use self::mark::{MARK, Mark};
use self::values::Values;

/// How many versions one commit brings at most.
const PAGE: usize = 1_000;

/// One of the two stores.
#[derive(Clone)]
pub(crate) struct Side<'s> {
    pub(crate) store: &'s dyn Store,
    /// For people; never with a password.
    pub(crate) name: String,
}

/// A copy that goes on.
pub(crate) struct Copy<'s> {
    source: Side<'s>,
    target: Side<'s>,
    mark: Mark,
    /// How many versions one commit brings at most.
    page: usize,
    /// The mark as the target has it.
    kept: Option<Vec<u8>>,
}

/// What was copied, once both stores have the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// How many documents there are, by collection.
    pub(crate) documents: Vec<(String, u64)>,
    pub(crate) versions: u64,
    /// Over all versions in the order of the log.
    pub(crate) versions_hash: Hash,
    pub(crate) values: u64,
    /// Over all values in the order of their names.
    pub(crate) values_hash: Hash,
    /// Whether the first start makes all rows anew, because what they are made by has changed meanwhile.
    pub(crate) indexes_anew: bool,
}

/// Why a copy did not come to its end; what it has brought stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CopyError(String);

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CopyError {}

/// Refuses to serve what a copy has begun and not finished.
pub(crate) fn refuse_unfinished(store: &dyn Store) -> Result<(), StoreError> {
    match store.snapshot()?.value(MARK)? {
        None => Ok(()),
        Some(_) => Err(StoreError::Unusable(
            "it is a copy of another store that is not finished: run `flint copy` again to its end".to_owned(),
        )),
    }
}

impl<'s> Side<'s> {
    fn failed(&self, error: impl fmt::Display) -> CopyError {
        CopyError(format!("{}: {error}", self.name))
    }

    fn value(&self, name: &[u8]) -> Result<Option<Vec<u8>>, CopyError> {
        self.store.snapshot().and_then(|snapshot| snapshot.value(name)).map_err(|error| self.failed(error))
    }

    fn log(&self, after: Option<&Cursor>, limit: usize) -> Result<(Vec<Logged>, Option<Cursor>), CopyError> {
        let page = self.store.snapshot().and_then(|snapshot| snapshot.log(after, limit));
        page.map(|page| (page.logged, page.last)).map_err(|error| self.failed(error))
    }

    /// How many versions there are, and the newest.
    fn newest(&self) -> Result<(u64, Option<Version>), CopyError> {
        let query = History { scope: HistoryScope::All, since: None, before: None, after: None, limit: 1, total: true };
        let page = self.store.snapshot().and_then(|snapshot| snapshot.history(&query));
        let page = page.map_err(|error| self.failed(error))?;
        Ok((page.total.unwrap_or_default(), page.versions.into_iter().next()))
    }

    fn documents(&self) -> Result<Vec<(String, u64)>, CopyError> {
        self.store.statistics().map(|statistics| statistics.documents).map_err(|error| self.failed(error))
    }

    /// By what its rows are made; nothing while some are made anew.
    fn rows_made_by(&self) -> Result<Vec<u8>, CopyError> {
        let snapshot = self.store.snapshot().map_err(|error| self.failed(error))?;
        Ok(moving::rows_made_by(&*snapshot).map_err(|outcome| self.failed(outcome))?.unwrap_or_default())
    }
}

impl<'s> Copy<'s> {
    /// Begins in an empty target, or goes on in one that an earlier copy of the same source has left.
    pub(crate) fn begin(source: Side<'s>, target: Side<'s>) -> Result<Copy<'s>, CopyError> {
        Copy::begin_by(PAGE, source, target)
    }

    fn begin_by(page: usize, source: Side<'s>, target: Side<'s>) -> Result<Copy<'s>, CopyError> {
        refuse_unfinished(source.store).map_err(|error| source.failed(error))?;
        if let Some(kept) = target.value(MARK)? {
            let mark = Mark::decode(&kept).ok_or_else(|| target.failed("the mark of the copy there is damaged"))?;
            let mut copy = Copy { source, target, mark, page, kept: Some(kept) };
            copy.check_source()?;
            copy.check_rest()?;
            return Ok(copy);
        }
        if target.newest()?.0 > 0 || Values::of(&target).next()?.is_some() {
            return Err(target.failed(
                "something is there already: a copy begins with an empty store, and once it is finished it is not done again",
            ));
        }
        let mark = Mark::first(source.rows_made_by()?);
        let mut copy = Copy { source, target, mark, page, kept: None };
        copy.commit(Vec::new())?;
        Ok(copy)
    }

    /// How many versions are still to be copied.
    pub(crate) fn left(&self) -> Result<u64, CopyError> {
        Ok(self.source.newest()?.0.saturating_sub(self.mark.versions))
    }

    /// Copies what there is while others may write to the source; what they write at the end of it is left for later. `tell` is told how many
    /// more versions were copied.
    pub(crate) fn follow(&mut self, tell: &dyn Fn(u64)) -> Result<(), CopyError> {
        // Where less comes, the source has hardly grown meanwhile.
        while self.copy_page(tell)? > self.page / 2 {}
        self.copy_values()
    }

    /// Copies all that is left, and compares. Nobody may write to the source any more; where somebody did, that is refused, and may be tried
    /// again.
    pub(crate) fn finish(mut self, tell: &dyn Fn(u64)) -> Result<Report, CopyError> {
        while self.copy_page(tell)? > 0 {}
        let commits = self.source.store.commits();
        self.copy_values()?;
        let (values, values_hash) = self.compare_values()?;
        let documents = self.compare_counts()?;
        if self.copy_page(tell)? > 0 || commits != self.source.store.commits() {
            return Err(self
                .source
                .failed("it was written to meanwhile: stop all its servers, and run the copy again"));
        }
        let rows = self.source.rows_made_by()?;
        let indexes_anew = rows.is_empty() || rows != self.mark.rows;
        let mut writes = vec![Write::Release { name: MARK.to_vec() }];
        writes.extend(indexes_anew.then(|| Write::Release { name: moving::ROWS_MADE.to_vec() }));
        self.write(writes)?;
        let (versions, versions_hash) = (self.mark.versions, self.mark.hash);
        Ok(Report { documents, versions, versions_hash, values, values_hash, indexes_anew })
    }

    /// Copies the next versions, as many as fit into one commit, and compares them; how many that were.
    fn copy_page(&mut self, tell: &dyn Fn(u64)) -> Result<usize, CopyError> {
        let (logged, last) = self.source.log(self.mark.source.as_ref(), self.page)?;
        if logged.is_empty() {
            return Ok(0);
        }
        self.commit(logged.iter().cloned().map(Write::Replay).collect())?;
        let (found, position) = self.target.log(self.mark.target.as_ref(), logged.len())?;
        let same = logged.iter().zip(&found).take_while(|(expected, found)| expected == found).count();
        if let Some(expected) = logged.get(same) {
            return Err(self.differs(&expected.version));
        }
        self.mark.advance(logged.iter().map(|logged| &logged.version), last, position);
        tell(logged.len() as u64);
        Ok(logged.len())
    }

    /// Refuses a source that does not have the newest version of the target.
    fn check_source(&self) -> Result<(), CopyError> {
        let Some(newest) = self.target.newest()?.1 else { return Ok(()) };
        let snapshot = self.source.store.snapshot();
        let version = snapshot.and_then(|snapshot| snapshot.read_version(&newest.key, newest.version));
        match version.map_err(|error| self.source.failed(error))? {
            Some(version) if version == newest => Ok(()),
            _ => Err(self.target.failed(format!(
                "a copy of another store is there: its newest version, {} of `{}`, is not in {}",
                newest.version, newest.key, self.source.name
            ))),
        }
    }

    /// Compares what an earlier run has copied and not compared any more: its last page.
    fn check_rest(&mut self) -> Result<(), CopyError> {
        let versions = self.target.newest()?.0;
        let mut limit = self.page;
        while self.mark.versions < versions {
            let (found, target) = self.target.log(self.mark.target.as_ref(), limit)?;
            let (logged, source) = self.source.log(self.mark.source.as_ref(), found.len())?;
            if (1..found.len()).contains(&logged.len()) {
                limit = logged.len();
                continue;
            }
            // How a version is found may have changed in the source since.
            let same =
                found.iter().zip(&logged).take_while(|(found, expected)| found.version == expected.version).count();
            if let Some(found) = found.get(same) {
                return Err(self.differs(&found.version));
            }
            self.mark.advance(logged.iter().map(|logged| &logged.version), source, target);
        }
        Ok(())
    }

    fn compare_counts(&self) -> Result<Vec<(String, u64)>, CopyError> {
        let (source, target) = (self.source.documents()?, self.target.documents()?);
        match source == target {
            true => Ok(target),
            false => Err(CopyError(format!(
                "{} has other numbers of documents than {}: {target:?} and {source:?}",
                self.target.name, self.source.name
            ))),
        }
    }

    fn differs(&self, version: &Version) -> CopyError {
        CopyError(format!(
            "version {} of `{}` is not the same in {} and in {}",
            version.version, version.key, self.target.name, self.source.name
        ))
    }

    /// Commits what leads to the next mark: what of the source was copied and compared before is in it.
    fn commit(&mut self, mut writes: Vec<Write>) -> Result<(), CopyError> {
        let value = self.mark.encode();
        writes.push(Write::Set { name: MARK.to_vec(), value: value.clone() });
        self.write(writes)?;
        self.kept = Some(value);
        Ok(())
    }

    /// Commits while the mark is the one that is known.
    fn write(&self, writes: Vec<Write>) -> Result<(), CopyError> {
        let preconditions = vec![Precondition::Value { name: MARK.to_vec(), value: self.kept.clone() }];
        match self.target.store.commit(Batch { preconditions, writes }) {
            Ok(_) => Ok(()),
            Err(StoreError::Conflict(_)) => Err(self.target.failed("another copy to it goes on at the same time")),
            Err(error) => Err(self.target.failed(error)),
        }
    }
}
