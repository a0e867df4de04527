//! `$subsumes`: how two codes stand to one another, <https://hl7.org/fhir/R4/codesystem-operation-subsumes.html>.

use std::borrow::Cow;

use bytes::Bytes;
use fhir::json::Node;
use fhir::outcome::quoted;
use fhir::terminology::{self, Canonical};
use fhir::{IssueType, Outcome};
use repository::Session;

use super::answer::Answer;
use super::code::{Code, Names, bad};
use super::elsewhere;
use super::terms::{TX_RESOURCE, Terms, stored};
use crate::inputs::Inputs;
use crate::{Invocation, Operation, Subject};

const INPUTS: &[&str] = &["codeA", "codeB", "system", "version", "codingA", "codingB", TX_RESOURCE];

const A: Names = Names {
    code: "codeA",
    system: Some("system"),
    version: "version",
    display: None,
    coding: "codingA",
    concept: None,
};
const B: Names = Names { code: "codeB", coding: "codingB", ..A };

pub(crate) struct Subsumes;

impl Operation for Subsumes {
    fn code(&self) -> &'static str {
        "subsumes"
    }

    fn definition(&self) -> &'static str {
        "http://hl7.org/fhir/OperationDefinition/CodeSystem-subsumes"
    }

    fn at_types(&self) -> &'static [&'static str] {
        &["CodeSystem"]
    }

    fn at_instances(&self) -> &'static [&'static str] {
        &["CodeSystem"]
    }

    fn affects_state(&self) -> bool {
        false
    }

    fn run(&self, session: &Session<'_>, invocation: &Invocation) -> Result<Bytes, Outcome> {
        let inputs = Inputs::of(invocation).known(INPUTS)?;
        inputs.refuse_alone()?;
        let mut codes = [single(A.read(&inputs)?)?, single(B.read(&inputs)?)?];
        if let Subject::Instance(key) = &invocation.subject {
            let resource = stored(session, key)?;
            let text = |name: &str| resource.root().get(name).and_then(Node::as_str).map(|text| text.into_owned());
            for code in &mut codes {
                code.system.get_or_insert_with(|| Cow::Owned(text("url").unwrap_or_default()));
                code.version = code.version.take().or_else(|| text("version").map(Cow::Owned));
            }
        }
        let [a, b] = &codes;
        let (Some(system), Some(other)) = (&a.system, &b.system) else {
            return Err(bad("codes are compared in their system: `system` must be given"));
        };
        if system != other {
            let text = format!("codes of two systems are not compared, here {} and {}", quoted(system), quoted(other));
            return Err(Outcome::new(IssueType::NotSupported, text));
        }
        let canonical = Canonical { url: system, version: a.version.as_deref().or(b.version.as_deref()) };
        let terms = Terms::new(session, "CodeSystem", &inputs)?;
        match terminology::subsumption(&terms, canonical, &a.code, &b.code) {
            Ok(outcome) => {
                let mut answer = Answer::default();
                answer.text("outcome", "Code", outcome.code());
                Ok(answer.bytes())
            }
            Err(refusal) if elsewhere::is_unknown(&refusal) && !terms.is_whole(canonical)? => {
                elsewhere::ask(&terms, "CodeSystem/$subsumes", &elsewhere::pair(&codes), refusal)
            }
            Err(refusal) => Err(refusal),
        }
    }
}

fn single(codes: Vec<Code<'_>>) -> Result<Code<'_>, Outcome> {
    <[Code<'_>; 1]>::try_from(codes).map(|[code]| code).map_err(|_| bad("two codes are compared at a time"))
}
