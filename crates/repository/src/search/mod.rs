//! Running a compiled search: joins first, then one `find`, then includes, all on one snapshot.
//!
//! What the access hides takes part in nothing: not in matches and totals, not on either side of a join, not in includes.

mod contained;
mod first;
mod include;
mod join;
mod terms;

pub use self::include::INCLUDES_MAX;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;

use fhir::{IssueType, Outcome};
use search::{Asked, Contained, Query, TERMS_CODES_MAX, query_string};
use store::{Count, Counted, Filter, Find, Found, Hit, Index, Key, Page, Snapshot, Step, StoreError, Version};

pub use contained::ContainedMatch;

use crate::access::Sight;
use crate::mask::Body;
use crate::trail::{self, EVENT, Seen, What};
use crate::{Act, Session, Shelf, fault};

/// How many index rows one search may touch, its joins and includes counted.
const ROWS_MAX: u64 = 20_000_000;

/// A search to run.
#[derive(Clone, Debug)]
pub struct SearchRequest<'a> {
    pub query: &'a Query,
    pub page: Page,
    /// How many matches at most.
    pub limit: usize,
    /// How all matches are counted.
    pub total: Count,
    /// Whether to tell what was done.
    pub explain: bool,
}

/// One page of answers.
#[derive(Clone, Debug, Default)]
pub struct SearchPage {
    pub matches: Vec<Version>,
    /// Matches inside other resources, where they are to stand alone.
    pub contained: Vec<ContainedMatch>,
    pub included: Vec<Version>,
    pub next: Option<store::Cursor>,
    pub previous: Option<store::Cursor>,
    pub total: Option<Counted>,
    /// True when includes were cut at their limit.
    pub includes_cut: bool,
    /// Index rows touched.
    pub rows: u64,
    /// What was done, first to last, where that was asked for.
    pub plan: Vec<String>,
}

/// How many patients are looked for whom a query names by identifiers.
const IDENTIFIED_MAX: usize = 1_000;

/// Instead of a plan, which tells what was looked at and not shown.
const UNEXPLAINED: &str = "what a search did is told only to who may see everything";

impl Session<'_> {
    /// One page of a search.
    pub fn search(&self, request: &SearchRequest<'_>) -> Result<SearchPage, Outcome> {
        let query = request.query;
        for resource_type in &query.types {
            self.access.permit(Act::Search, resource_type)?;
        }
        let has_events = query.types.contains(&EVENT)
            || query.applied.iter().any(|(name, value)| name.contains(EVENT) || value.contains(EVENT));
        if has_events {
            self.settle_audit()?;
        }
        let snapshot = self.snapshot()?;
        self.check_parameters(query, &*snapshot)?;
        let mut runner = Runner::new(self, &*snapshot, self.sight_of(&*snapshot, has_events)?);
        let explains = request.explain && runner.sight().is_full();
        runner.plan = explains.then(RefCell::default);
        runner.seen = self.accounts().then(RefCell::default);
        // Whether or not anything is hidden: the refusal would tell that.
        if query.sorts_by_names && runner.sight().is_consented() {
            let text = "the order would tell of what is not shared with the caller: sort by other parameters than references and addresses";
            return Err(Outcome::new(IssueType::NotSupported, text));
        }
        let mut page = match query.contained {
            Contained::False => runner.search_own(query, request.page.clone(), request.limit, request.total)?,
            Contained::True | Contained::Both => runner.search_contained(request)?,
        };
        let seen = runner.seen.take().map(RefCell::into_inner);
        if runner.sight().is_consented() {
            let seen = seen.iter().flatten().map(|seen| (&seen.datum.key, &seen.patients));
            let patients: HashMap<_, _> = seen.collect();
            let shown = page.matches.iter_mut().chain(&mut page.included).filter_map(|version| {
                let patients = patients.get(&version.key).copied();
                Body::of(version, patients)
            });
            let within = page.contained.iter_mut().map(|it| Body::new(&it.container, &mut it.body, None));
            self.mask_bodies(&*snapshot, runner.sight(), shown.chain(within))?;
        }
        if let Some(seen) = seen {
            let text = query_string(query.applied.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            let what = What::Search { types: query.types.clone(), query: text };
            let asked = match what.is_about_records() {
                true => self.asked(&*snapshot, query, !seen.is_empty())?,
                false => BTreeSet::new(),
            };
            self.note_asked(what, seen, asked);
        }
        let plan = match runner.plan {
            Some(plan) => plan.into_inner(),
            None if request.explain => vec![UNEXPLAINED.to_owned()],
            None => Vec::new(),
        };
        Ok(SearchPage { rows: runner.rows.get(), plan, ..page })
    }

    /// Whose records a search asks about: those whom it names, and the one whose record is all that the caller sees. Those whom it names by
    /// identifiers are looked for only where nothing was found, which mostly shows whose it is.
    fn asked(&self, snapshot: &dyn Snapshot, query: &Query, is_found: bool) -> Result<BTreeSet<Key>, Outcome> {
        let Asked { mut patients, identified } = self.registry().patients_asked(query);
        patients.extend(self.access.only_patient().cloned());
        if !is_found && !identified.is_empty() {
            let filter = self.registry().of_type("Patient").and(Filter::Any(identified));
            let found = snapshot.find(&keys_only(filter, IDENTIFIED_MAX, Vec::new())).map_err(fault::outcome)?;
            patients.extend(found.hits.into_iter().map(|hit| hit.key));
        }
        Ok(patients)
    }
}

/// A search on one snapshot, with what it has cost so far.
pub(crate) struct Runner<'a> {
    pub(crate) session: &'a Session<'a>,
    pub(crate) snapshot: &'a dyn Snapshot,
    /// What the caller may see.
    sight: Sight,
    rows: Cell<u64>,
    /// When it is given up.
    until: Instant,
    /// What was done, where that is wanted.
    plan: Option<RefCell<Vec<String>>>,
    /// What is shown, where that is to be accounted for.
    seen: Option<RefCell<Vec<Seen>>>,
    /// What is being run, for the plan.
    stage: Cell<&'static str>,
    /// Where value sets and code systems are looked up.
    shelf: Shelf<'a>,
    /// How many codes may still be compared.
    codes_left: Cell<usize>,
}

impl<'a> Runner<'a> {
    pub(crate) fn new(session: &'a Session<'a>, snapshot: &'a dyn Snapshot, sight: Sight) -> Runner<'a> {
        let until = Instant::now() + session.setup().search_time;
        Runner {
            session,
            snapshot,
            sight,
            rows: Cell::new(0),
            until,
            plan: None,
            seen: None,
            stage: Cell::new("join"),
            shelf: session.library(),
            codes_left: Cell::new(TERMS_CODES_MAX),
        }
    }

    /// What the caller may see.
    pub(crate) fn sight(&self) -> &Sight {
        &self.sight
    }

    /// One page of the resources of their own, which nothing contains.
    fn search_own(&self, query: &Query, page: Page, limit: usize, total: Count) -> Result<SearchPage, Outcome> {
        let filter = self.visible(Act::Search, &query.types, self.filter(&query.criterion)?);
        let sees_all = !self.sight.is_narrowed() && query.types.iter().all(|name| self.sight.sees_all(name));
        // An estimate goes by what the caller does not see as well, and so does what a count would cost: either would tell of that.
        let only_if_whole = !sees_all && matches!(total, Count::Within(_));
        let total = if only_if_whole { Count::None } else { total };
        let is_first = page == Page::First;
        self.stage.set("search");
        let find = Find {
            sort: query.sort.clone(),
            // Which order is cheapest depends on how many rows there are, hidden ones too, and would tell of these.
            any_order: sees_all,
            page,
            total,
            bodies: true,
            values: self.with_patients(include::values(&query.includes), &query.types),
            ..Find::new(filter, limit)
        };
        let found = match &query.first {
            Some(first) => {
                let first = self.visible(Act::Search, &query.types, self.filter(first)?);
                self.find_with_first(first, find)?
            }
            None => self.find(find)?,
        };
        self.show(&found.hits);
        let is_whole = only_if_whole && limit > 0 && is_first && found.next.is_none();
        let whole = is_whole.then(|| Counted::exactly(found.hits.len() as u64));
        self.stage.set("include");
        let (included, includes_cut) = self.includes(&query.includes, &found.hits)?;
        Ok(SearchPage {
            matches: found.hits.into_iter().filter_map(|hit| hit.version).collect(),
            included,
            next: found.next,
            previous: found.previous,
            total: found.total.or(whole),
            includes_cut,
            ..SearchPage::default()
        })
    }

    /// `indexes`, and those by which the patients are known whom resources of these types are about.
    fn with_patients(&self, mut indexes: Vec<Index>, types: &[&'static str]) -> Vec<Index> {
        if self.seen.is_some() {
            indexes.extend(trail::indexes(self.session.registry(), types));
        }
        indexes
    }

    /// Notes that these hits are shown.
    fn show(&self, hits: &[Hit]) {
        if let Some(seen) = &self.seen {
            seen.borrow_mut().extend(hits.iter().map(|hit| self.session.seen_hit(hit)));
        }
    }

    /// Runs a `find` on what is left of the rows and the time this search may take.
    pub(crate) fn find(&self, find: Find) -> Result<Found, Outcome> {
        let rows_max = ROWS_MAX.saturating_sub(self.rows.get());
        let find = Find { rows_max, until: Some(self.until), explain: self.plan.is_some(), ..find };
        let found = self.snapshot.find(&find).map_err(|error| self.refusal(error))?;
        self.rows.set(self.rows.get() + found.rows);
        if let Some(plan) = &self.plan {
            plan.borrow_mut().extend(found.plan.iter().map(|step| self.told(step)));
        }
        Ok(found)
    }

    fn refusal(&self, error: StoreError) -> Outcome {
        match error {
            StoreError::TooCostly(costly) => {
                let part = costly.explain(costly.index.map(|index| self.name(index)).as_deref());
                Outcome::new(
                    IssueType::TooCostly,
                    format!("the search would cost more than this server allows: {part}"),
                )
            }
            error => fault::outcome(error),
        }
    }

    /// A step in words. Steps and numbers are those of one part of the filter, before the access narrows it, and so tell of what the caller
    /// may not see: there is a plan only for who sees everything.
    fn told(&self, step: &Step) -> String {
        let mut text = format!("{}: {}", self.stage.get(), step.verb);
        if let Some(index) = step.index {
            let _ = write!(text, " {}", self.name(index));
        }
        let _ = write!(text, ", {} rows touched", step.rows);
        if let Some(left) = step.left {
            let _ = write!(text, ", {left} resources");
        }
        text
    }

    /// What people call an index.
    fn name(&self, index: Index) -> String {
        self.session.registry().name_of(index).map_or("an index".to_owned(), |name| format!("`{name}`"))
    }

    /// What of `filter` the caller may see by this act; `types` are those that it can match.
    pub(crate) fn visible(&self, act: Act, types: &[&str], filter: Filter) -> Filter {
        let registry = self.session.registry();
        types.iter().fold(filter, |filter, resource_type| {
            let others = || registry.all_of(resource_type).not();
            match self.sight.filter(act, resource_type) {
                None => filter,
                Some(seen) if types.len() == 1 => filter.and(Arc::unwrap_or_clone(seen)),
                Some(seen) => filter.and(Filter::Any(vec![others(), Arc::unwrap_or_clone(seen)])),
            }
        })
    }

    /// What of `filter` the caller may see in a search, where it can match every type.
    fn visible_of_any_type(&self, filter: Filter) -> Filter {
        if self.sight.is_full() {
            return filter;
        }
        let registry = self.session.registry();
        let types = self.session.setup().definitions.resource_types().iter();
        let seen = types.map(|name| {
            let of_type = registry.all_of(name);
            match self.sight.filter(Act::Search, name) {
                None => of_type,
                Some(only) => of_type.and(Arc::unwrap_or_clone(only)),
            }
        });
        filter.and(Filter::Any(seen.collect()))
    }
}

/// A search for the keys and reference rows of all that satisfy a filter, `limit` at a time.
pub(crate) fn keys_only(filter: Filter, limit: usize, values: Vec<store::Index>) -> Find {
    Find { values, ..Find::new(filter, limit) }
}

#[cfg(test)]
mod tests;
