//! One try: the writes that the changes amount to on one snapshot, rules applied.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;
use std::sync::Arc;

use fhir::json::{Document, Edit, Kind, Node};
use fhir::outcome::SPINE_CODES;
use fhir::{Issue, IssueType, Outcome};
use store::{Batch, Key, Precondition, Snapshot, Version, Write};

use super::Kept;
use super::content::{Content, arrange, prepare_all, refuse_subsetted};
use super::draft::{Draft, IfMatch};
use super::identity::{Aim, Aims};
use super::matching::Matching;
use super::references;
use super::resolve::Resolver;
use crate::audit::Protection;
use crate::audit::{self, Account};
use crate::emergency::Notices;
use crate::mask::{self, Masked, Restored};
use crate::parameters::Keeper;
use crate::search::Runner;
use crate::session::{deleted, unknown};
use crate::trail::{Seen, by_patient};
use crate::transaction::{PlannedWrite, Transaction};
use crate::{
    Act, BEARER_CODES, ChangeKind, Changed, INSUFFICIENT_SCOPE, Method, Refusal, Requester, Rule, Session, fault, once,
};

/// Who is said to have done what rules add to the records of others.
const SERVER: &str = "server";
const SERVER_NAME: &str = "This server";

/// The rules of the repository itself.
const OWN_RULES: [&dyn Rule; 3] = [&Keeper, &Protection, &Notices];

pub(super) struct Plan<'a> {
    transaction: Transaction<'a>,
    conditions: Vec<Precondition>,
    ends: Vec<End>,
}

/// How a change ends.
enum End {
    /// With the planned write of this resource.
    Write(Key),
    /// With the planned write that another change makes of this resource: the match of a conditional create.
    Shares(Key),
    /// With what is there already.
    Stands(ChangeKind, Option<Version>),
}

/// How far a caller reaches to a resource.
enum Reach {
    /// It may be written, or is not there and nothing of its type is hidden.
    Whole,
    /// It is seen, and may not be written.
    Seen,
    /// Nothing tells whether it is there.
    Hidden,
}

/// Content to prepare for a change.
struct Job {
    change: usize,
    key: Key,
    current: Option<Version>,
    document: Arc<Document>,
    /// What of it the caller does not get, and so has not written.
    kept: Vec<Range<usize>>,
    edits: Vec<Edit>,
}

impl<'a> Plan<'a> {
    pub(super) fn make(
        session: &'a Session<'a>,
        snapshot: &'a dyn Snapshot,
        drafts: &'a [Draft],
        kept: &mut Kept,
    ) -> Result<Plan<'a>, Refusal> {
        let runner = Runner::new(session, snapshot, session.sight(snapshot)?);
        let mut matching = Matching::new(session, &runner, drafts);
        let aims = Aims::settle(session, snapshot, drafts, &mut kept.fresh, &mut matching)?;
        let mut planner = Planner::new(session, snapshot, &runner, drafts);
        for (change, draft) in drafts.iter().enumerate() {
            let end = planner.end(change, draft, &aims);
            planner.ends.push(end.map_err(|outcome| Refusal::of(change, outcome))?);
        }
        planner.resolve(&mut Resolver::new(session, snapshot, drafts, &aims, &mut matching))?;
        planner.prepare(kept)?;
        planner.apply_rules()?;
        let conditions = matching.preconditions().collect();
        Ok(Plan { transaction: planner.transaction, conditions, ends: planner.ends })
    }

    /// Whether it changes the search parameters.
    pub(super) fn sets(&self) -> bool {
        !self.transaction.settings.is_empty()
    }

    /// The accounts of all that is written, for the same commit.
    pub(super) fn accounts(&self) -> Result<Vec<Write>, Outcome> {
        let session = self.transaction.session;
        let Some(requester) = session.requester() else { return Ok(Vec::new()) };
        let server =
            Requester { client: SERVER.to_owned(), client_name: SERVER_NAME.to_owned(), ..Requester::default() };
        let mut patients = BTreeSet::new();
        let mut written = Vec::new();
        for write in self.transaction.writes.iter().filter(|write| !write.changes_nothing()) {
            let seen = self.transaction.seen(write)?;
            if write.change.is_some() {
                patients.extend(seen.patients.iter().cloned());
            }
            written.push((write, seen));
        }
        let mut by_act: Vec<(&Requester, audit::Act, Vec<Seen>)> = Vec::new();
        for (write, seen) in written {
            // What rules do in the records of others is not told of the caller, whom that would tell of the others, and the others of the caller.
            let is_callers = write.change.is_some() || seen.patients.iter().all(|patient| patients.contains(patient));
            let (who, act) = (if is_callers { requester } else { &server }, write.act());
            match by_act.iter_mut().find(|(known, other, _)| std::ptr::eq(*known, who) && *other == act) {
                Some((.., several)) => several.push(seen),
                None => by_act.push((who, act, vec![seen])),
            }
        }
        let subjects: Vec<_> = by_act.iter().map(|(who, act, seen)| (*who, *act, by_patient(seen))).collect();
        let accounts: Vec<_> = subjects
            .iter()
            .map(|(who, act, subjects)| match std::ptr::eq(*who, requester) {
                true => Account { act: *act, subjects, ..session.told(who, session.operation) },
                false => Account { act: *act, subjects, peer: None, request: "", ..session.told(who, "") },
            })
            .collect();
        Ok(session.repository.ledger().writes(&accounts))
    }

    /// What to commit, and how to report it.
    pub(super) fn batch(&self) -> Result<(Batch, Report), Outcome> {
        let (mut batch, written) = self.transaction.batch()?;
        batch.preconditions.extend(self.conditions.iter().cloned());
        let mut committed_at = vec![None; self.transaction.writes.len()];
        for (order, at) in written.into_iter().enumerate() {
            committed_at[at] = Some(order);
        }
        let lines = self.ends.iter().map(|end| self.line(end, &committed_at)).collect();
        Ok((batch, Report { lines }))
    }

    fn line(&self, end: &End, committed_at: &[Option<usize>]) -> Line {
        let (key, shared) = match end {
            End::Write(key) => (key, false),
            End::Shares(key) => (key, true),
            End::Stands(kind, version) => {
                let made = version.as_ref().map(|version| (version.key.clone(), version.version));
                return Line { kind: *kind, standing: version.clone(), committed: None, made, notes: Vec::new() };
            }
        };
        let at = self.transaction.position(key).expect("what a change ends with was planned");
        let write = &self.transaction.writes[at];
        let was_there = write.current.as_ref().is_some_and(|version| version.body.is_some());
        let kind = match (&write.content, committed_at[at]) {
            _ if shared => ChangeKind::Existing,
            (None, _) => ChangeKind::Deleted,
            (Some(_), None) => ChangeKind::Unchanged,
            (Some(_), Some(_)) if was_there => ChangeKind::Updated,
            (Some(_), Some(_)) => ChangeKind::Created,
        };
        let notes = write.content.as_ref().map_or(Vec::new(), |content| content.notes.clone());
        let number = match committed_at[at] {
            Some(_) => write.next_version(),
            None => write.current.as_ref().map_or(0, |version| version.version),
        };
        let made = Some((key.clone(), number));
        Line { kind, standing: write.current.clone(), committed: committed_at[at], made, notes }
    }
}

/// What is to be told of each change once it is committed.
pub(super) struct Report {
    lines: Vec<Line>,
}

struct Line {
    kind: ChangeKind,
    /// The version before the commit.
    standing: Option<Version>,
    /// The position among the committed versions.
    committed: Option<usize>,
    /// The version that is current after the commit.
    made: Option<(Key, u64)>,
    notes: Vec<Issue>,
}

impl Report {
    /// What of it is kept for a repetition.
    pub(super) fn kept(&self) -> impl Iterator<Item = once::Line> {
        self.lines.iter().map(|line| once::Line { kind: line.kind, version: line.made.clone() })
    }

    pub(super) fn changed(self, committed: &[Version]) -> Vec<Changed> {
        let changed = |line: Line| {
            let version = line.committed.map_or(line.standing, |at| committed.get(at).cloned());
            Changed { kind: line.kind, version, issues: line.notes }
        };
        self.lines.into_iter().map(changed).collect()
    }
}

/// A plan in the making.
struct Planner<'p, 'a> {
    session: &'a Session<'a>,
    snapshot: &'a dyn Snapshot,
    runner: &'p Runner<'a>,
    drafts: &'a [Draft],
    transaction: Transaction<'a>,
    jobs: Vec<Job>,
    ends: Vec<End>,
}

impl<'p, 'a> Planner<'p, 'a> {
    fn new(
        session: &'a Session<'a>,
        snapshot: &'a dyn Snapshot,
        runner: &'p Runner<'a>,
        drafts: &'a [Draft],
    ) -> Planner<'p, 'a> {
        let transaction = Transaction::new(session, snapshot);
        Planner { session, snapshot, runner, drafts, transaction, jobs: Vec::new(), ends: Vec::new() }
    }

    /// Looks at the current version and decides what the change does: a job for new content, a planned deletion, or nothing.
    fn end(&mut self, change: usize, draft: &Draft, aims: &Aims) -> Result<End, Outcome> {
        let key = match aims.of(change) {
            Aim::Write(key) => key.clone(),
            Aim::Existing(key) if aims.writer(key).is_some() => return Ok(End::Shares(key.clone())),
            Aim::Existing(key) => return Ok(End::Stands(ChangeKind::Existing, self.transaction.current(key)?)),
            Aim::Nothing => return Ok(End::Stands(ChangeKind::NothingToDelete, None)),
        };
        let current = match draft.method {
            Method::Post => None,
            Method::Put | Method::Patch | Method::Delete => self.transaction.current(&key)?,
        };
        let live = current.as_ref().filter(|version| version.body.is_some());
        match self.reach(draft.method, &key)? {
            Reach::Whole if self.rests_on(&key) => return Err(not_permitted(&key)),
            Reach::Whole => {}
            // The server has chosen the id of a new one; what a condition has found is known to be there.
            Reach::Hidden if draft.target.is_none() && live.is_none() => {}
            Reach::Hidden if draft.target.is_none() => return Err(not_permitted(&key)),
            Reach::Hidden if draft.method == Method::Delete => {
                return Ok(End::Stands(ChangeKind::NothingToDelete, None));
            }
            Reach::Hidden => return Err(unknown(&key)),
            Reach::Seen => return Err(not_permitted(&key)),
        }
        draft.meet(&key, live)?;
        let masked = match (draft.method, live) {
            (Method::Put | Method::Patch, Some(live)) => {
                self.session.masked_of(self.snapshot, self.runner.sight(), live)?
            }
            _ => None,
        };
        let document = match (draft.method, live) {
            (Method::Delete, None) => return Ok(End::Stands(ChangeKind::NothingToDelete, current)),
            (Method::Delete, Some(_)) => {
                let write = PlannedWrite {
                    key: key.clone(),
                    current,
                    content: None,
                    method: draft.method,
                    change: Some(change),
                    changed_twice: None,
                };
                self.transaction.plan(write);
                return Ok(End::Write(key));
            }
            (Method::Patch, None) => return Err(current.as_ref().map_or_else(|| unknown(&key), deleted)),
            (Method::Patch, Some(_)) => self.patched(&key, draft, masked.as_ref())?,
            (Method::Post | Method::Put, _) => draft.sent()?,
        };
        if draft.method == Method::Put {
            refuse_subsetted(&document)?;
        }
        let Restored { document, kept } = match masked {
            Some(masked) => masked.restore(&key, &document)?,
            None => Restored { document, kept: Vec::new() },
        };
        if draft.method == Method::Put {
            mask::refuse_redacted(&document, live)?;
        }
        self.jobs.push(Job { change, key: key.clone(), current, document, kept, edits: Vec::new() });
        Ok(End::Write(key))
    }

    /// Whether this is a consent on which the caller's access rests.
    fn rests_on(&self, key: &Key) -> bool {
        self.session.requester().is_some_and(|requester| requester.consents.contains(key))
    }

    /// How far the caller reaches to what is there. What is hidden is as good as not there, and so is no id that one could take.
    fn reach(&self, method: Method, key: &Key) -> Result<Reach, Outcome> {
        let sight = self.runner.sight();
        let accepts = |act| sight.accepts(act, self.snapshot, key);
        match method {
            Method::Post => Ok(Reach::Whole),
            _ if accepts(method.act())? => Ok(Reach::Whole),
            _ if accepts(Act::Read)? => Ok(Reach::Seen),
            _ => Ok(Reach::Hidden),
        }
    }

    /// The current content with a patch applied. Type and id stay, <https://hl7.org/fhir/R4/http.html#patch>.
    fn patched(&mut self, key: &Key, draft: &Draft, masked: Option<&Masked>) -> Result<Arc<Document>, Outcome> {
        let (Some(stored), Some(patch)) = (self.transaction.read_stored(key)?, &draft.patch) else {
            return Err(fault::exception("a patch was planned without its target"));
        };
        let target = masked.map_or(&*stored, |masked| &masked.document);
        let patched = patch.apply(self.session.setup().definitions, target)?;
        for (name, value) in [("resourceType", key.collection()), ("id", key.id())] {
            if !patched.root().get(name).is_some_and(|found| found.is_str(value)) {
                let text = format!("the patch changes `{name}`, which must stay `{value}`");
                return Err(Outcome::new(IssueType::Invalid, text).at(format!("{}.{name}", key.collection())));
            }
        }
        refuse_other_meta(key, &patched)?;
        Ok(Arc::new(patched))
    }

    /// Rewrites the references of all content, or refuses the first change with one that does not resolve.
    fn resolve(&mut self, resolver: &mut Resolver<'_, '_, '_>) -> Result<(), Refusal> {
        for job in &mut self.jobs {
            let draft = &self.drafts[job.change];
            let found;
            let is_sent = draft.document.as_ref().is_some_and(|sent| Arc::ptr_eq(sent, &job.document));
            let sites = match is_sent {
                true => &draft.sites,
                false => {
                    let definitions = self.session.setup().definitions;
                    let mut sites = references::sites(definitions, &job.document, &HashSet::default());
                    sites.retain(|site| !job.kept.iter().any(|kept| kept.contains(&site.range.start)));
                    found = sites;
                    &found
                }
            };
            let edits = resolver.edits(draft.full_url.as_deref(), &job.document, sites);
            job.edits = edits.map_err(|outcome| Refusal::of(job.change, outcome))?;
        }
        Ok(())
    }

    /// Validates and indexes all content, what an earlier try has done already left out.
    fn prepare(&mut self, kept: &mut Kept) -> Result<(), Refusal> {
        let session = self.session;
        let (contents, shelf) = (&kept.contents, &session.library());
        let prepared = prepare_all(&self.jobs, |job| {
            let text = arrange(&job.document, &job.key, &job.edits);
            match &contents[job.change] {
                Some(content) if content.document.text() == text => Ok(content.clone()),
                _ => Content::new(session, shelf, &text).map(Arc::new),
            }
        });
        for (job, content) in std::mem::take(&mut self.jobs).into_iter().zip(prepared) {
            let Job { change, key, current, .. } = job;
            let content = content.map_err(|outcome| Refusal::of(change, outcome))?;
            self.permit_content(self.drafts[change].method, &key, &content)
                .map_err(|outcome| Refusal::of(change, outcome))?;
            kept.contents[change] = Some(content.clone());
            let (content, Draft { method, patch, .. }) = (Some(content), &self.drafts[change]);
            let changed_twice = patch.as_ref().and_then(|patch| patch.changed_twice()).map(str::to_owned);
            let (method, change) = (*method, Some(change));
            self.transaction.plan(PlannedWrite { key, current, content, method, change, changed_twice });
        }
        Ok(())
    }

    /// Refuses content that the caller may not write.
    fn permit_content(&self, method: Method, key: &Key, content: &Content) -> Result<(), Outcome> {
        if self.runner.sight().is_over() {
            return Err(not_permitted(key));
        }
        let granted = self.session.access.permission(method.act(), key.collection()).filter();
        let Some(granted) = granted else { return Ok(()) };
        let rows = content.rows.clone().together();
        match self.runner.satisfies(&granted, key, &rows, &mut Vec::new())? {
            true => Ok(()),
            false => Err(not_permitted(key)),
        }
    }

    /// Lets each rule look at the caller's writes: deletions first, new resources last, so that what is given back can be taken again.
    fn apply_rules(&mut self) -> Result<(), Refusal> {
        let mut order: Vec<_> = (0..self.transaction.writes.len()).collect();
        order.sort_by_key(|&at| match self.transaction.writes[at].method {
            Method::Delete => 0,
            Method::Put | Method::Patch => 1,
            Method::Post => 2,
        });
        let services = self.session.setup().rules.iter().map(|rule| &**rule);
        let rules = OWN_RULES.iter().copied().chain(services);
        for rule in rules {
            for &at in &order {
                let write = &self.transaction.writes[at];
                if let Some(change) = write.change
                    && rule.resource_types().contains(&write.key.collection())
                {
                    let applied =
                        self.transaction.planned(at).and_then(|planned| rule.apply(&mut self.transaction, &planned));
                    applied.map_err(|outcome| Refusal::of(change, outcome))?;
                }
            }
        }
        Ok(())
    }
}

impl Draft {
    /// Refuses when the version that the caller counted on is not the current one.
    fn meet(&self, key: &Key, live: Option<&Version>) -> Result<(), Outcome> {
        let refuse = |text: String| Err(Outcome::new(IssueType::Precondition, text));
        let mismatch = |text: String| {
            Err(Outcome::new(IssueType::Precondition, text).coded(SPINE_CODES, "RESOURCE_VERSION_MISMATCH"))
        };
        match (self.if_match, live) {
            (Some(IfMatch::Version(wanted)), Some(live)) if wanted != live.version => {
                mismatch(format!("If-Match names version `{wanted}` of `{key}`, the current one is `{}`", live.version))
            }
            (Some(_), None) => mismatch(format!("If-Match is given, and there is no `{key}`")),
            _ => match live {
                Some(live) if self.if_none_match => {
                    refuse(format!("If-None-Match is `*`, and `{key}` is there as version `{}`", live.version))
                }
                _ => Ok(()),
            },
        }
    }

    fn sent(&self) -> Result<Arc<Document>, Outcome> {
        self.document.clone().ok_or_else(|| fault::exception("a write was planned without content"))
    }
}

fn not_permitted(key: &Key) -> Outcome {
    Outcome::new(IssueType::Forbidden, format!("the caller may not write `{key}`"))
        .coded(BEARER_CODES, INSUFFICIENT_SCOPE)
}

/// `meta` stays an object, for the server sets its own members there.
fn refuse_other_meta(key: &Key, patched: &Document) -> Result<(), Outcome> {
    match patched.root().get("meta").map(Node::kind) {
        None | Some(Kind::Object) => Ok(()),
        Some(_) => {
            let text = "the patch makes `meta` something else than an object";
            Err(Outcome::new(IssueType::Structure, text).at(format!("{}.meta", key.collection())))
        }
    }
}
