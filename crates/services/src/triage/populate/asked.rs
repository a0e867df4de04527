//! What a call asks for: the form, whom it is about, and what came with it.

use std::sync::Arc;

use fhir::json::{Document, Kind, Node};
use fhir::outcome::quoted;
use fhir::{IssueType, Outcome};
use repository::{Key, Session, query_string};

use super::super::extension::extensions;
use super::super::questionnaire::{copied, of_canonical};
use super::super::refusal::Reason;
use crate::fhirpath::refuse_wide;
use crate::inputs::{Inputs, parts};
use crate::{Invocation, Subject};

/// What the form is filled in for, <http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-launchContext>.
const LAUNCH_CONTEXT: &str = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-launchContext";

/// So many resources may come as contexts, or be named as such.
const CONTEXTS_MAX: usize = 100;

pub(super) struct Asked<'a> {
    pub(super) form: Arc<Document>,
    /// Whether the form came with the call, so that nobody else knows it.
    pub(super) is_sent: bool,
    pub(super) subject: Option<Node<'a>>,
    /// Whether what this server knows may be used.
    pub(super) is_local: bool,
    pub(super) contexts: Vec<Context>,
}

/// What a name of the form stands for.
pub(super) struct Context {
    pub(super) name: String,
    pub(super) resources: Vec<Document>,
}

/// A launch context that the form declares.
pub(super) struct Launch {
    pub(super) name: String,
    /// The resource types it may be.
    pub(super) types: Vec<String>,
}

impl<'a> Asked<'a> {
    pub(super) fn read(
        session: &Session<'_>,
        invocation: &Invocation,
        inputs: &Inputs<'a>,
    ) -> Result<Asked<'a>, Outcome> {
        let (form, is_sent) = match &invocation.subject {
            Subject::Instance(key) => (Arc::new(stored(session, key)?), false),
            Subject::System | Subject::Type(_) => form(session, inputs)?,
        };
        let contexts = inputs.parts().filter(|(name, _)| name == "context");
        let contexts = contexts.map(|(_, part)| Context::read(session, part)).collect::<Result<Vec<_>, _>>()?;
        if contexts.iter().map(|context| context.resources.len()).sum::<usize>() > CONTEXTS_MAX {
            let text = format!("the inputs `context` have more than {CONTEXTS_MAX} resources");
            return Err(Outcome::new(IssueType::TooCostly, text));
        }
        let is_local = inputs.flag("local")?.unwrap_or(false);
        Ok(Asked { form, is_sent, subject: inputs.complex("subject")?, is_local, contexts })
    }

    /// Whom the response is about, where that is a resource of this server.
    pub(super) fn subject_key(&self, session: &Session<'_>) -> Option<Key> {
        session.local(&self.subject?.get("reference")?.as_str()?)
    }

    pub(super) fn context(&self, name: &str) -> Option<&Context> {
        self.contexts.iter().find(|context| context.name == name)
    }
}

impl Context {
    fn read(session: &Session<'_>, part: Node<'_>) -> Result<Context, Outcome> {
        let refuse = |what: &str| Outcome::new(IssueType::BadRequest, format!("an input `context` {what}"));
        let mut name = None;
        let mut resources = Vec::new();
        for (part_name, part) in parts(Some(part), "part") {
            match part_name.as_ref() {
                "name" => name = part.get("valueString").and_then(Node::as_str).map(String::from),
                "content" => resources.push(match (part.get("resource"), part.get("valueReference")) {
                    (Some(resource), _) => {
                        refuse_wide(resource, "context")?;
                        Document::parse(resource.raw().as_bytes())?
                    }
                    (None, Some(reference)) => referred(session, reference)?,
                    (None, None) => return Err(refuse("has a `content` that is neither a resource nor a reference")),
                }),
                other => return Err(refuse(&format!("has no part {}; it has `name` and `content`", quoted(other)))),
            }
        }
        let name = name.ok_or_else(|| refuse("has no `name`, a string"))?;
        Ok(Context { name, resources })
    }
}

impl Launch {
    /// Those that a form declares.
    pub(super) fn all(form: Node<'_>) -> Vec<Launch> {
        let text = |node: Node<'_>, name: &str| node.get(name).and_then(Node::as_str).map(String::from);
        let launch = |declared: Node<'_>| {
            let named = extensions(declared, "name").next()?;
            let name = named.get("valueCoding").and_then(|it| text(it, "code")).or_else(|| text(named, "valueId"));
            let types = extensions(declared, "type").filter_map(|it| text(it, "valueCode")).collect();
            Some(Launch { name: name?, types })
        };
        extensions(form, LAUNCH_CONTEXT).filter_map(launch).collect()
    }
}

/// The form that is asked for on the type, and whether it was sent.
fn form(session: &Session<'_>, inputs: &Inputs<'_>) -> Result<(Arc<Document>, bool), Outcome> {
    let given: Vec<_> = FORMS.iter().copied().filter(|name| inputs.is_given(name)).collect();
    match given.as_slice() {
        ["questionnaire"] => match inputs.resources("questionnaire").next() {
            Some(sent) => Ok((Arc::new(copied(sent, "Questionnaire")?), true)),
            None => match inputs.values("questionnaire").next().filter(|value| value.kind() == Kind::Object) {
                Some(reference) => Ok((named(session, reference)?, false)),
                None => Ok((known(session, &inputs.text("questionnaire")?.unwrap_or_default())?, false)),
            },
        },
        ["questionnaireRef"] => match inputs.complex("questionnaireRef")? {
            Some(reference) => Ok((named(session, reference)?, false)),
            None => Err(which()),
        },
        ["canonical"] => Ok((known(session, &inputs.text("canonical")?.unwrap_or_default())?, false)),
        ["identifier"] => Ok((identified(session, inputs)?, false)),
        _ => Err(which()),
    }
}

const FORMS: [&str; 4] = ["questionnaire", "questionnaireRef", "canonical", "identifier"];

fn which() -> Outcome {
    let text = "say which questionnaire, by one of `questionnaire`, `questionnaireRef`, `canonical` and `identifier`";
    Outcome::new(IssueType::BadRequest, text)
}

fn known(session: &Session<'_>, canonical: &str) -> Result<Arc<Document>, Outcome> {
    of_canonical(session, canonical)?.ok_or_else(|| Reason::UnknownForm.refuse(canonical, "Parameters.parameter"))
}

/// The form that a reference leads to, which may also be a canonical url.
fn named(session: &Session<'_>, reference: Node<'_>) -> Result<Arc<Document>, Outcome> {
    let text = reference.get("reference").and_then(Node::as_str).unwrap_or_default();
    match session.local(&text).filter(|key| key.collection() == "Questionnaire") {
        Some(key) => Ok(Arc::new(stored(session, &key)?)),
        None => known(session, &text),
    }
}

fn identified(session: &Session<'_>, inputs: &Inputs<'_>) -> Result<Arc<Document>, Outcome> {
    let identifier = inputs.complex("identifier")?;
    let text = |name: &str| identifier.and_then(|it| it.get(name)).and_then(Node::as_str).unwrap_or_default();
    let token = search::token(&text("system"), &text("value"));
    let mut found = session.lookup("Questionnaire", &query_string([("identifier", token.as_str())]), 2)?;
    match (found.pop(), found.is_empty()) {
        (Some(version), true) => Ok(Arc::new(Document::parse(version.body.as_deref().unwrap_or_default())?)),
        (Some(_), false) => Err(Reason::SeveralForms.refuse(text("value"), "Parameters.parameter")),
        (None, _) => Err(Reason::UnknownForm.refuse(text("value"), "Parameters.parameter")),
    }
}

/// What a literal reference leads to, as far as the caller may read it.
fn referred(session: &Session<'_>, reference: Node<'_>) -> Result<Document, Outcome> {
    let text = reference.get("reference").and_then(Node::as_str).unwrap_or_default();
    match session.local(&text) {
        Some(key) => stored(session, &key),
        None => {
            let text = format!("the context {} is no resource of this server", quoted(&text));
            Err(Outcome::new(IssueType::UnresolvedReference, text))
        }
    }
}

pub(super) fn stored(session: &Session<'_>, key: &Key) -> Result<Document, Outcome> {
    let version = session.read(key)?;
    Ok(Document::parse(version.body.as_deref().unwrap_or_default())?)
}
