//! Batch and transaction, <https://hl7.org/fhir/R4/http.html#transaction>: each entry is a [`Call`] like any other.

mod envelope;
mod request;
mod response;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use fhir::json::Node;
use fhir::{IssueType, Outcome};
use repository::{Act, CHANGES_MAX, Change, HistoryScope, Key, Refusal};

use self::request::{Step, entry_call, step};
use self::response::write_entry;
use super::pages::write_entries;
use super::write::answer;
use super::{Call, Caller, perform};
use crate::interaction::Interaction;
use crate::negotiate::{Preferences, Returns};
use crate::respond::{Answer, Content, Refused};

pub(crate) use self::envelope::check_bundle;
pub(crate) use self::request::{entry_change, refused_at};

/// How many entries a batch or transaction has at most.
pub(crate) const ENTRIES_MAX: usize = CHANGES_MAX;

/// When the answer has grown to this many bytes, the reads that are left are refused.
const ANSWER_BYTES_MAX: usize = 256 << 20;

pub(super) fn bundle(caller: &Caller<'_>, call: Call) -> Result<Answer, Refused> {
    let mut preferences = call.preferences;
    preferences.returns.get_or_insert(Returns::Minimal);
    let document = call.payload.document()?;
    let root = document.root();
    if root.resource_type() != Some("Bundle") {
        let found = root.resource_type().unwrap_or("none");
        let text = format!("POST to the base URL takes a Bundle, found resourceType `{found}`");
        return Err(Outcome::new(IssueType::BadRequest, text).into());
    }
    check_bundle(root, caller.state.definitions)?;
    let entries: Vec<_> = root.get("entry").into_iter().flat_map(Node::items).collect();
    if entries.len() > ENTRIES_MAX {
        let text = format!("the Bundle has {} entries, at most {ENTRIES_MAX} are taken", entries.len());
        return Err(Outcome::new(IssueType::TooCostly, text).at("Bundle.entry").into());
    }
    let kind = root.get("type").and_then(Node::as_str).unwrap_or_default();
    let (kind, answers) = match &*kind {
        "batch" => ("batch-response", batch(caller, &entries, preferences)),
        "transaction" => ("transaction-response", transaction(caller, &entries, preferences)?),
        other => {
            let text = format!("Bundle type `{other}` cannot be processed, only `batch` and `transaction`");
            return Err(Outcome::new(IssueType::BadRequest, text).at("Bundle.type").into());
        }
    };
    let mut out = format!(r#"{{"resourceType":"Bundle","type":"{kind}""#);
    write_entries(&mut out, answers, |out, answer| write_entry(out, caller, answer));
    out.push('}');
    Ok(Answer::resource(out))
}

/// Every entry on its own.
fn batch(caller: &Caller<'_>, entries: &[Node<'_>], preferences: Preferences) -> Vec<Answer> {
    let mut reads = Reads::of(caller);
    let perform_entry = |(at, node): (usize, &Node<'_>)| {
        let session = caller.session.entry(at);
        let caller = Caller { session, state: caller.state, request_id: caller.request_id, sent: caller.sent.clone() };
        let done = entry_call(caller.state, *node, preferences).and_then(|(call, _)| reads.perform(&caller, call));
        done.unwrap_or_else(|refused| Answer::refusal(refused_at(at, refused), caller.request_id))
    };
    let mut answers: Vec<_> = entries.iter().enumerate().map(perform_entry).collect();
    let outcomes = answers.iter_mut().filter_map(|answer| match &mut answer.content {
        Content::Outcome(outcome) => Some(outcome.issues.iter_mut()),
        _ => None,
    });
    if let Some(sent) = &caller.sent {
        sent.place(outcomes.flatten());
    }
    answers
}

/// All or nothing: reads that are refused, or find nothing where nothing is written, refuse it all; then the writes, then the reads.
fn transaction(caller: &Caller<'_>, entries: &[Node<'_>], preferences: Preferences) -> Result<Vec<Answer>, Refused> {
    let mut changes = Vec::new();
    let mut writers = Vec::new();
    let mut reads: Vec<(usize, Call)> = Vec::new();
    for (at, node) in entries.iter().enumerate() {
        match step(caller.state, *node, preferences).map_err(|refused| refused_at(at, refused))? {
            Step::Write(change) => {
                changes.push(change);
                writers.push(at);
            }
            Step::Read(call) => reads.push((at, call)),
        }
    }
    let written: HashSet<_> = changes.iter().filter_map(Change::key).collect();
    for (at, call) in &reads {
        permit(caller, call, &written).map_err(|outcome| refused_at(*at, outcome.into()))?;
    }
    let refuse = |Refusal { change, outcome }: Refusal| match change.and_then(|change| writers.get(change)) {
        Some(&at) => refused_at(at, outcome.into()),
        None => outcome.into(),
    };
    let changed = caller.session.transact(changes).map_err(refuse)?;
    let returns = preferences.returns.unwrap_or(Returns::Minimal);
    let mut answers: Vec<Option<Answer>> = entries.iter().map(|_| None).collect();
    for (at, changed) in writers.iter().zip(changed) {
        answers[*at] = Some(answer(caller, changed, returns)?);
    }
    let mut within = Reads::of(caller);
    for (at, call) in reads {
        let done = within.perform(caller, call);
        answers[at] = Some(done.unwrap_or_else(|refused| Answer::refusal(refused_at(at, refused), caller.request_id)));
    }
    Ok(answers.into_iter().flatten().collect())
}

/// Refuses a read that could not be answered after the changes either.
fn permit(caller: &Caller<'_>, call: &Call, written: &HashSet<&Key>) -> Result<(), Outcome> {
    let session = &caller.session;
    match &call.interaction {
        Interaction::Read(key) if !written.contains(key) => session.permit_read_of(key),
        Interaction::Read(key) | Interaction::Vread(key, _) | Interaction::History(HistoryScope::Document(key)) => {
            session.permit_read(key.collection())
        }
        Interaction::History(HistoryScope::Collection(resource_type)) => session.permit(Act::Search, resource_type),
        Interaction::Search { scope, .. } => {
            scope.resource_type.map_or(Ok(()), |resource_type| session.permit(Act::Search, resource_type))
        }
        _ => Ok(()),
    }
}

/// What the reads of one Bundle cost together, so that many of them are no way around the limits of one.
struct Reads {
    bytes: usize,
    started: Instant,
    time_max: Duration,
}

impl Reads {
    fn of(caller: &Caller<'_>) -> Reads {
        Reads { bytes: 0, started: Instant::now(), time_max: caller.state.limits.answer_timeout }
    }

    /// Performs a call, but no read once the limits are reached.
    fn perform(&mut self, caller: &Caller<'_>, call: Call) -> Result<Answer, Refused> {
        let is_spent = self.bytes > ANSWER_BYTES_MAX || self.started.elapsed() > self.time_max;
        if is_spent && !call.interaction.may_write() {
            let seconds = self.time_max.as_secs();
            let text = format!(
                "the entries before took {seconds} seconds or {ANSWER_BYTES_MAX} bytes, all that the reads of a Bundle may take"
            );
            return Err(Outcome::new(IssueType::TooCostly, text).into());
        }
        let (act, operation) = call.interaction.audited();
        let answer = perform(caller, call).inspect_err(|refused| {
            if refused.is_forbidden() {
                caller.session.account_refusal(operation, act, "");
            }
        })?;
        if let Content::Resource(body) = &answer.content {
            self.bytes += body.len();
        }
        Ok(answer)
    }
}
