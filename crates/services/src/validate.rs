//! `$validate`, <https://hl7.org/fhir/R4/resource-operation-validate.html>: all that can be said of a resource, and whether the server would
//! take it. Nothing is written.

use std::borrow::Cow;

use bytes::Bytes;
use fhir::json::{Document, Node};
use fhir::outcome::quoted;
use fhir::terminology::Canonical;
use fhir::validate::Depth;
use fhir::{Definitions, Issue, IssueType, Library, Outcome};
use repository::{Change, Key, Session, Target};

use crate::inputs::Inputs;
use crate::{Invocation, Operation, Subject};

/// Inputs `resource`, `mode` (`create`, `update`, `delete`, `profile`) and `profile`, which may repeat. On an instance without a resource, the
/// stored one is validated.
pub(crate) struct Validate;

/// What is asked beside the validity of the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Create,
    Update,
    Delete,
    Profile,
}

impl Operation for Validate {
    fn code(&self) -> &'static str {
        "validate"
    }

    fn definition(&self) -> &'static str {
        "http://hl7.org/fhir/OperationDefinition/Resource-validate"
    }

    fn at_types(&self) -> &'static [&'static str] {
        Definitions::r4().resource_types()
    }

    fn at_instances(&self) -> &'static [&'static str] {
        Definitions::r4().resource_types()
    }

    fn affects_state(&self) -> bool {
        false
    }

    fn run(&self, session: &Session<'_>, invocation: &Invocation) -> Result<Bytes, Outcome> {
        let question = Question::read(session, invocation)?;
        let mut issues = question.issues(session)?;
        if let Some(sent) = &invocation.sent {
            sent.place(issues.iter_mut());
        }
        if issues.is_empty() {
            issues.push(Issue::information("all ok"));
        }
        Ok(Outcome { issues }.to_json().into())
    }
}

/// What is asked.
struct Question<'a> {
    subject: &'a Subject,
    mode: Option<Mode>,
    profiles: Vec<Cow<'a, str>>,
    resource: Option<Document>,
    /// Where the resource stands in what was sent; `None` for itself.
    place: Option<String>,
}

impl<'a> Question<'a> {
    fn read(session: &Session<'_>, invocation: &'a Invocation) -> Result<Question<'a>, Outcome> {
        let sent = sent(invocation);
        let inputs = match sent {
            Some(Sent { is_alone: true, .. }) => Inputs::of_query(&invocation.parameters),
            _ => Inputs::of(invocation),
        };
        let inputs = inputs.known(&INPUTS)?;
        let mode = inputs.text("mode")?.map(|mode| Mode::parse(&mode)).transpose()?;
        let profiles = inputs.texts("profile");
        let (resource, place) = match (sent, &invocation.subject) {
            (Some(Sent { node, place, .. }), _) => (Some(copied(node)?), place),
            (None, Subject::Instance(key)) => (Some(stored(session, key)?), None),
            (None, _) => (None, None),
        };
        let question = Question { subject: &invocation.subject, mode, profiles, resource, place };
        question.check()?;
        Ok(question)
    }

    /// Refuses what does not fit together.
    fn check(&self) -> Result<(), Outcome> {
        let refuse = |text: String| Err(Outcome::new(IssueType::BadRequest, text));
        let is_instance = matches!(self.subject, Subject::Instance(_));
        match self.mode {
            Some(mode @ (Mode::Update | Mode::Delete)) if !is_instance => {
                let mode = if mode == Mode::Update { "update" } else { "delete" };
                refuse(format!("the mode `{mode}` is about one resource: call the operation on it"))
            }
            Some(Mode::Create) if is_instance => {
                refuse("the mode `create` is about a new resource: call the operation on its type".to_owned())
            }
            Some(Mode::Profile) if self.profiles.is_empty() => {
                refuse("the mode `profile` needs a `profile` to validate against".to_owned())
            }
            _ if self.resource.is_none() => refuse("there is no resource to validate; send one".to_owned()),
            _ => Ok(()),
        }
    }

    fn issues(&self, session: &Session<'_>) -> Result<Vec<Issue>, Outcome> {
        let mut issues = match &self.resource {
            Some(resource) if self.mode != Some(Mode::Delete) => self.validated(session, resource)?,
            _ => Vec::new(),
        };
        if let Some(change) = self.change()
            && let Err(refusal) = session.rehearse(vec![change])
        {
            let refused = refusal.outcome.issues;
            if let Some(forbidden) = refused.iter().find(|issue| issue.code == IssueType::Forbidden) {
                return Err(forbidden.clone().into());
            }
            let new: Vec<_> = refused.into_iter().filter(|issue| !issues.contains(issue)).collect();
            issues.extend(new);
        }
        let issues = issues.into_iter();
        Ok(match &self.place {
            Some(place) => issues.map(|issue| issue.below(place)).collect(),
            None => issues.collect(),
        })
    }

    fn validated(&self, session: &Session<'_>, resource: &Document) -> Result<Vec<Issue>, Outcome> {
        let library = session.library();
        let asked: Vec<_> = self.profiles.iter().map(|profile| Canonical::parse(profile)).collect();
        for &profile in &asked {
            if library.profile(profile)?.is_none() {
                let text = format!("the profile {} is not known here", quoted(&profile.to_string()));
                return Err(Outcome::new(IssueType::UnresolvedReference, text));
            }
        }
        let wanted = match self.subject {
            Subject::System => None,
            Subject::Type(name) => Some(*name),
            Subject::Instance(key) => Some(key.collection()),
        };
        let found = resource.root().resource_type();
        let mut issues = library.validator(Depth::Full).validate(resource, &asked);
        if let (Some(wanted), Some(found)) = (wanted, found)
            && wanted != found
        {
            let text = format!("the content has resourceType {} where `{wanted}` is addressed", quoted(found));
            issues.insert(0, Issue::error(IssueType::Invalid, text).at(format!("{found}.resourceType")));
        }
        Ok(issues)
    }

    /// What the mode asks about.
    fn change(&self) -> Option<Change> {
        let document = || self.resource.clone();
        match (self.mode?, self.subject) {
            (Mode::Create, Subject::Type(resource_type)) => {
                Some(Change::Create { resource_type, document: document()?, if_none_exist: None, full_url: None })
            }
            (Mode::Update, Subject::Instance(key)) => Some(Change::Update {
                target: Target::Key(key.clone()),
                document: document()?,
                if_match: None,
                if_none_match: false,
                full_url: None,
            }),
            (Mode::Delete, Subject::Instance(key)) => {
                Some(Change::Delete { target: Target::Key(key.clone()), if_match: None })
            }
            _ => None,
        }
    }
}

const INPUTS: [&str; 3] = ["resource", "mode", "profile"];

impl Mode {
    fn parse(text: &str) -> Result<Mode, Outcome> {
        match text {
            "create" => Ok(Mode::Create),
            "update" => Ok(Mode::Update),
            "delete" => Ok(Mode::Delete),
            "profile" => Ok(Mode::Profile),
            other => {
                let other = quoted(other);
                let text = format!("the mode {other} is none of `create`, `update`, `delete` and `profile`");
                Err(Outcome::new(IssueType::BadRequest, text))
            }
        }
    }
}

/// The resource that came with the call.
struct Sent<'a> {
    node: Node<'a>,
    place: Option<String>,
    /// It is not inside a Parameters resource that has the other inputs.
    is_alone: bool,
}

/// What is to be validated. Parameters without an input of ours, sent to the type Parameters, are that themselves.
fn sent(invocation: &Invocation) -> Option<Sent<'_>> {
    let root = invocation.resource.as_ref()?.root();
    let alone = Sent { node: root, place: None, is_alone: true };
    if root.resource_type() != Some("Parameters") {
        return Some(alone);
    }
    let parts = || root.get("parameter").into_iter().flat_map(Node::items).enumerate();
    let is = |part: Node<'_>, name: &str| part.get("name").is_some_and(|it| it.is_str(name));
    let found = parts().find_map(|(at, part)| Some((at, part.get("resource").filter(|_| is(part, "resource"))?)));
    match found {
        Some((at, node)) => {
            Some(Sent { node, place: Some(format!("Parameters.parameter[{at}].resource")), is_alone: false })
        }
        None if parts().any(|(_, part)| INPUTS.iter().any(|name| is(part, name))) => None,
        None => Some(alone).filter(|_| invocation.subject == Subject::Type("Parameters")),
    }
}

fn copied(node: Node<'_>) -> Result<Document, Outcome> {
    Ok(Document::parse(node.raw().as_bytes())?)
}

fn stored(session: &Session<'_>, key: &Key) -> Result<Document, Outcome> {
    let version = session.read(key)?;
    Ok(Document::parse(version.body.as_deref().unwrap_or_default())?)
}
