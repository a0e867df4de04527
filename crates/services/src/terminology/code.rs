//! The codes that an operation is asked about.

use std::borrow::Cow;

use fhir::json::{Kind, Node};
use fhir::terminology::Coded;
use fhir::{IssueType, Outcome};

use super::answer::coding;
use crate::inputs::Inputs;

/// How many codings a concept may have.
const CODINGS_MAX: usize = 100;

/// A code with what was said beside it.
#[derive(Clone, Debug)]
pub(super) struct Code<'a> {
    pub(super) system: Option<Cow<'a, str>>,
    pub(super) version: Option<Cow<'a, str>>,
    pub(super) code: Cow<'a, str>,
    pub(super) display: Option<Cow<'a, str>>,
}

/// The inputs in which operations take a code.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names {
    pub(super) code: &'static str,
    /// `None` where the operation says the system otherwise.
    pub(super) system: Option<&'static str>,
    pub(super) version: &'static str,
    pub(super) display: Option<&'static str>,
    pub(super) coding: &'static str,
    pub(super) concept: Option<&'static str>,
}

impl<'a> Code<'a> {
    /// Reads a Coding.
    pub(super) fn of_coding(node: Node<'a>, name: &str) -> Result<Code<'a>, Outcome> {
        let text = |member: &str| match node.get(member) {
            None => Ok(None),
            Some(value) => {
                value.as_str().map(Some).ok_or_else(|| bad(format!("`{member}` of the input `{name}` is no text")))
            }
        };
        let code = text("code")?.filter(|code| !code.is_empty());
        let code = code.ok_or_else(|| bad(format!("a coding of the input `{name}` has no code")))?;
        Ok(Code { system: text("system")?, version: text("version")?, code, display: text("display")? })
    }

    pub(super) fn coded(&self) -> Coded<'_> {
        Coded {
            system: self.system.as_deref(),
            version: self.version.as_deref(),
            code: &self.code,
            display: self.display.as_deref(),
        }
    }

    /// It as a Coding.
    pub(super) fn json(&self) -> String {
        let Coded { system, version, code, display } = self.coded();
        coding(system, version, code, display)
    }
}

impl Names {
    /// The codes asked about: one, or the codings of a concept.
    pub(super) fn read<'a>(&self, inputs: &Inputs<'a>) -> Result<Vec<Code<'a>>, Outcome> {
        let code = inputs.text(self.code)?;
        let coding = inputs.complex(self.coding)?;
        let concept = self.concept.map(|name| inputs.complex(name)).transpose()?.flatten();
        let system = self.system.map(|name| inputs.text(name)).transpose()?.flatten();
        match (code, coding, concept) {
            (Some(code), None, None) if !code.is_empty() => {
                let display = self.display.map(|name| inputs.text(name)).transpose()?.flatten();
                Ok(vec![Code { system, version: inputs.text(self.version)?, code, display }])
            }
            (None, Some(coding), None) => Ok(vec![Code::of_coding(coding, self.coding)?]),
            (None, None, Some(concept)) => self.codings(concept),
            _ => Err(bad(format!("one of {} must be given, and no more than one", self.list()))),
        }
    }

    fn codings<'a>(&self, concept: Node<'a>) -> Result<Vec<Code<'a>>, Outcome> {
        let name = self.concept.unwrap_or_default();
        let codings: Vec<_> =
            concept.get("coding").filter(|list| list.kind() == Kind::Array).into_iter().flat_map(Node::items).collect();
        match codings.len() {
            0 => Err(bad(format!("the input `{name}` has no coding"))),
            1..=CODINGS_MAX => codings.into_iter().map(|coding| Code::of_coding(coding, name)).collect(),
            count => {
                let text = format!("the input `{name}` has {count} codings, at most {CODINGS_MAX} are taken");
                Err(Outcome::new(IssueType::TooCostly, text))
            }
        }
    }

    fn list(&self) -> String {
        let names = [Some(self.code), Some(self.coding), self.concept];
        let names: Vec<_> = names.into_iter().flatten().map(|name| format!("`{name}`")).collect();
        names.join(", ")
    }
}

/// The refusal of a wrong request.
pub(super) fn bad(text: impl Into<String>) -> Outcome {
    Outcome::new(IssueType::BadRequest, text)
}
