//! `$extract` on QuestionnaireResponse: what was answered as resources of its own,
//! <http://hl7.org/fhir/uv/sdc/OperationDefinition/QuestionnaireResponse-extract>.
//!
//! The answer is a transaction for the caller to post; nothing is written. Extraction is by Observations: each item that the Questionnaire
//! marks with `observationExtract` and that has a code becomes one for each of its answers.

mod observation;
mod walk;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use fhir::json::{Document, Node};
use fhir::validate::Depth;
use fhir::{IssueType, Outcome, Severity};
use repository::{Key, Session};

use super::questionnaire::{copied, of_canonical};
use super::refusal::Reason;
use crate::inputs::Inputs;
use crate::{Invocation, Operation, Subject};

/// Inputs: `questionnaire-response`, where the URL names none, and `questionnaire`, where the form is not known here.
pub(crate) struct Extract;

/// Statuses of responses that are whole.
const WHOLE: [&str; 2] = ["completed", "amended"];

impl Operation for Extract {
    fn code(&self) -> &'static str {
        "extract"
    }

    fn definition(&self) -> &'static str {
        "http://hl7.org/fhir/uv/sdc/OperationDefinition/QuestionnaireResponse-extract"
    }

    fn at_types(&self) -> &'static [&'static str] {
        &["QuestionnaireResponse"]
    }

    fn at_instances(&self) -> &'static [&'static str] {
        &["QuestionnaireResponse"]
    }

    fn affects_state(&self) -> bool {
        false
    }

    fn run(&self, session: &Session<'_>, invocation: &Invocation) -> Result<Bytes, Outcome> {
        let inputs = Inputs::of(invocation);
        let (response, key) = response(session, invocation, &inputs)?;
        check(session, &response)?;
        let form = form(&response, &inputs, session)?;
        let origin = key.filter(|key| session.read(key).is_ok());
        let entries = walk::observations(form.root(), response.root(), origin.as_ref())?;
        let entry = if entries.is_empty() { String::new() } else { format!(r#","entry":[{}]"#, entries.join(",")) };
        Ok(format!(r#"{{"resourceType":"Bundle","type":"transaction"{entry}}}"#).into())
    }
}

/// The response, and under which name it may be known here.
fn response(
    session: &Session<'_>,
    invocation: &Invocation,
    inputs: &Inputs<'_>,
) -> Result<(Document, Option<Key>), Outcome> {
    if let Subject::Instance(key) = &invocation.subject {
        let version = session.read(key)?;
        return Ok((Document::parse(version.body.as_deref().unwrap_or_default())?, Some(key.clone())));
    }
    let Some(sent) = inputs.resource("questionnaire-response") else {
        return Err(Outcome::new(IssueType::BadRequest, "the input `questionnaire-response` is missing"));
    };
    let response = copied(sent, "QuestionnaireResponse")?;
    let id = response.root().get("id").and_then(Node::as_str);
    let key = id.and_then(|id| Key::new("QuestionnaireResponse", &id));
    Ok((response, key))
}

/// Refuses a response that is not whole, or does not answer its questionnaire as that asks.
fn check(session: &Session<'_>, response: &Document) -> Result<(), Outcome> {
    let status = response.root().get("status").and_then(Node::as_str).unwrap_or_default();
    if !WHOLE.contains(&status.as_ref()) {
        return Err(Reason::Unfinished.refuse(status, "QuestionnaireResponse.status"));
    }
    let mut issues = session.library().validator(Depth::Write).validate(response, &[]);
    issues.retain(|issue| issue.severity <= Severity::Error);
    if issues.is_empty() { Ok(()) } else { Err(Outcome { issues }) }
}

/// The questionnaire that was sent, is contained, or is known here.
fn form(response: &Document, inputs: &Inputs<'_>, session: &Session<'_>) -> Result<Arc<Document>, Outcome> {
    if let Some(sent) = inputs.resources("questionnaire").next() {
        return Ok(Arc::new(copied(sent, "Questionnaire")?));
    }
    let root = response.root();
    let canonical: Cow<'_, str> = root.get("questionnaire").and_then(Node::as_str).unwrap_or_default();
    let place = "QuestionnaireResponse.questionnaire";
    let found = match canonical.strip_prefix('#') {
        Some(id) => {
            let mut contained = root.get("contained").into_iter().flat_map(Node::items);
            let found = contained.find(|it| it.get("id").is_some_and(|it| it.is_str(id)));
            found.map(|found| copied(found, "Questionnaire").map(Arc::new)).transpose()?
        }
        None => of_canonical(session, &canonical)?,
    };
    found.ok_or_else(|| Reason::UnknownForm.refuse(canonical, place))
}
