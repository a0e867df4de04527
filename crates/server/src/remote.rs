//! The client of a terminology server elsewhere, <https://hl7.org/fhir/R4/terminology-service.html>: answers are kept for a while, and a
//! server that does not answer is left alone for a moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fhir::json::{Document, Node};
use fhir::outcome::quoted;
use fhir::{IssueType, Outcome};
use repository::{Millis, TerminologyServer};
use store::Clock;
use ureq::{Agent, http};

use crate::media::FHIR_JSON;

/// How long an answer is good for, in milliseconds.
const KEPT_FOR: Millis = 10 * 60 * 1000;

/// How long nothing is asked after a failure, in milliseconds: else each code of a write would wait its full time.
const PAUSE: Millis = 5 * 1000;

/// How many bytes of questions and answers are kept.
const KEPT_BYTES_MAX: usize = 64 << 20;

/// How many bytes an answer may have.
const ANSWER_BYTES_MAX: u64 = 16 << 20;

/// A terminology server elsewhere.
pub(crate) struct Remote {
    /// Without a final `/`.
    url: String,
    agent: Agent,
    clock: Arc<dyn Clock>,
    kept: Mutex<Kept>,
}

/// Answers in two halves: when the young half is full it becomes the old one, and what is in neither is asked again.
#[derive(Default)]
struct Kept {
    young: HashMap<String, Entry>,
    old: HashMap<String, Entry>,
    young_bytes: usize,
    /// Nothing is asked before this time, and why.
    pause: Option<(Millis, Outcome)>,
}

#[derive(Clone)]
struct Entry {
    until: Millis,
    answer: Result<Arc<Document>, Outcome>,
}

impl Remote {
    /// `url` has no final `/`.
    pub(crate) fn new(url: String, timeout: Duration, clock: Arc<dyn Clock>) -> Remote {
        let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(timeout)).max_redirects(0);
        Remote { url, agent: config.build().into(), clock, kept: Mutex::default() }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn transient(&self, what: &str) -> Outcome {
        Outcome::new(IssueType::Transient, format!("the terminology server `{}` {what}", self.url))
    }

    /// Asks over the network. The length of the answer comes with it.
    fn fetch(&self, operation: &str, inputs: &str) -> Result<(Arc<Document>, usize), Outcome> {
        let request = self.agent.post(format!("{}/{operation}", self.url)).header("Accept", FHIR_JSON);
        let sent = request.header("Content-Type", FHIR_JSON).send(inputs);
        let mut response = sent.map_err(|error| self.transient(&format!("cannot be asked: {}", reason(&error))))?;
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        let body = body.map_err(|error| self.transient(&format!("broke off: {}", reason(&error))))?;
        let status = response.status();
        let document = Document::parse(&body);
        if !status.is_success() {
            return Err(self.refusal(status, document.ok().as_ref()));
        }
        match document {
            Ok(document) => Ok((Arc::new(document), body.len())),
            Err(_) => Err(self.transient("answered with something that is no JSON")),
        }
    }

    /// What the server refuses, in its own words.
    fn refusal(&self, status: http::StatusCode, outcome: Option<&Document>) -> Outcome {
        let said = outcome.and_then(|outcome| first_issue(outcome.root())).unwrap_or_else(|| status.to_string());
        let text = format!("the terminology server `{}` says: {}", self.url, quoted(&said));
        match status.as_u16() {
            404 => Outcome::new(IssueType::NotFound, text),
            400..=499 => Outcome::new(IssueType::Processing, text),
            _ => self.transient(&format!("failed: {}", quoted(&said))),
        }
    }
}

impl TerminologyServer for Remote {
    fn url(&self) -> &str {
        &self.url
    }

    fn ask(&self, operation: &str, inputs: &str) -> Result<Arc<Document>, Outcome> {
        let question = format!("{operation}\n{inputs}");
        let now = self.clock.now();
        if let Some(answer) = self.kept().find(&question, now) {
            return answer;
        }
        let fetched = self.fetch(operation, inputs);
        let now = self.clock.now();
        let (answer, bytes) = match fetched {
            Ok((document, bytes)) => (Ok(document), bytes),
            Err(outcome) => (Err(outcome), 0),
        };
        match &answer {
            Err(outcome) if outcome.issues.iter().any(|issue| issue.code == IssueType::Transient) => {
                tracing::warn!(%outcome, "terminology elsewhere");
                self.kept().pause = Some((now + PAUSE, outcome.clone()));
            }
            _ => self.kept().keep(question, Entry { until: now + KEPT_FOR, answer: answer.clone() }, bytes),
        }
        answer
    }
}

impl Kept {
    fn find(&self, question: &str, now: Millis) -> Option<Result<Arc<Document>, Outcome>> {
        let entry = self.young.get(question).or_else(|| self.old.get(question)).filter(|entry| entry.until > now);
        let pause = || self.pause.as_ref().filter(|(until, _)| *until > now).map(|(_, outcome)| Err(outcome.clone()));
        entry.map(|entry| entry.answer.clone()).or_else(pause)
    }

    fn keep(&mut self, question: String, entry: Entry, bytes: usize) {
        self.pause = None;
        self.young_bytes += question.len() + bytes + size_of::<Entry>();
        self.young.insert(question, entry);
        if self.young_bytes > KEPT_BYTES_MAX / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
    }
}

/// Errors of the network for people.
fn reason(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "it did not answer in time".to_owned(),
        ureq::Error::ConnectionFailed | ureq::Error::HostNotFound => "it is not there".to_owned(),
        other => other.to_string(),
    }
}

/// The text of the first issue of an OperationOutcome.
fn first_issue(outcome: Node<'_>) -> Option<String> {
    let issue = outcome.get("issue")?.items().next()?;
    let text = issue.get("diagnostics").or_else(|| issue.get("details")?.get("text"))?;
    Some(text.as_str()?.into_owned())
}
