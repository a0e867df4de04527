//! `$validate-code`: whether a code is in a value set, <https://hl7.org/fhir/R4/valueset-operation-validate-code.html>, or in a code system,
//! <https://hl7.org/fhir/R4/codesystem-operation-validate-code.html>.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use fhir::json::Node;
use fhir::outcome::quoted;
use fhir::terminology::{self, Canonical, CodeSystem, Coded, Members, Membership, Source};
use fhir::{IssueType, Outcome};
use repository::Session;

use super::answer::Answer;
use super::code::{Code, Names, bad};
use super::terms::{Asked, TX_RESOURCE, Terms, stored, unknown};
use super::{DATE_REFUSED, elsewhere};
use crate::inputs::Inputs;
use crate::{Invocation, Operation, Subject};

const OF_VALUE_SET: &[&str] = &[
    "url",
    "context",
    "valueSet",
    "valueSetVersion",
    "code",
    "system",
    "systemVersion",
    "display",
    "coding",
    "codeableConcept",
    "date",
    "abstract",
    "displayLanguage",
    TX_RESOURCE,
];

const OF_CODE_SYSTEM: &[&str] = &[
    "url",
    "codeSystem",
    "code",
    "version",
    "display",
    "coding",
    "codeableConcept",
    "date",
    "abstract",
    "displayLanguage",
    TX_RESOURCE,
];

const IN_VALUE_SET: Names = Names {
    code: "code",
    system: Some("system"),
    version: "systemVersion",
    display: Some("display"),
    coding: "coding",
    concept: Some("codeableConcept"),
};

const IN_CODE_SYSTEM: Names = Names { system: None, version: "version", ..IN_VALUE_SET };

/// What is found of one code.
struct Verdict {
    is_valid: bool,
    /// What is wrong, or to be noted.
    message: Option<String>,
    display: Option<String>,
}

pub(crate) struct ValidateInValueSet;

impl Operation for ValidateInValueSet {
    fn code(&self) -> &'static str {
        "validate-code"
    }

    fn definition(&self) -> &'static str {
        "http://hl7.org/fhir/OperationDefinition/ValueSet-validate-code"
    }

    fn at_types(&self) -> &'static [&'static str] {
        &["ValueSet"]
    }

    fn at_instances(&self) -> &'static [&'static str] {
        &["ValueSet"]
    }

    fn affects_state(&self) -> bool {
        false
    }

    fn run(&self, session: &Session<'_>, invocation: &Invocation) -> Result<Bytes, Outcome> {
        let inputs = Inputs::of(invocation).known(OF_VALUE_SET)?;
        inputs.refuse("date", DATE_REFUSED)?;
        let codes = IN_VALUE_SET.read(&inputs)?;
        let has_context = inputs.text("context")?.is_some();
        if codes.iter().any(|code| code.system.is_none()) && !has_context {
            return Err(bad("a code is checked with its system: `system` must be given, or `context`"));
        }
        let mut terms = Terms::new(session, "ValueSet", &inputs)?;
        let asked = Asked::value_set(&mut terms, session, invocation, &inputs)?;
        let checking = Checking::new(&terms, &inputs)?;
        match terms.members(&asked).and_then(|members| checking.in_value_set(&members, &codes)) {
            Err(outcome) if elsewhere::is_unknown(&outcome) => {
                let names = ["abstract", "displayLanguage"];
                let passed_on = elsewhere::inputs(&inputs, &names, &codes, Some(&asked));
                elsewhere::ask(&terms, "ValueSet/$validate-code", &passed_on, outcome)
            }
            verdict => Ok(answer(verdict?)),
        }
    }
}

pub(crate) struct ValidateInCodeSystem;

impl Operation for ValidateInCodeSystem {
    fn code(&self) -> &'static str {
        "validate-code"
    }

    fn definition(&self) -> &'static str {
        "http://hl7.org/fhir/OperationDefinition/CodeSystem-validate-code"
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
        let inputs = Inputs::of(invocation).known(OF_CODE_SYSTEM)?;
        inputs.refuse("date", DATE_REFUSED)?;
        let mut codes = IN_CODE_SYSTEM.read(&inputs)?;
        let mut terms = Terms::new(session, "CodeSystem", &inputs)?;
        let asked = SystemAsked::of(&mut terms, session, invocation, &inputs)?;
        if codes.iter().any(|code| code.system.is_none()) {
            let url =
                asked.url().ok_or_else(|| bad("one of `url` and `codeSystem` must say which code system is meant"))?;
            for code in &mut codes {
                code.system.get_or_insert_with(|| Cow::Owned(url.to_owned()));
            }
        }
        let checking = Checking::new(&terms, &inputs)?;
        match checking.in_code_system(&asked, &codes) {
            Err(outcome) if elsewhere::is_unknown(&outcome) => {
                let passed_on = elsewhere::inputs(&inputs, &["url", "abstract", "displayLanguage"], &codes, None);
                elsewhere::ask(&terms, "CodeSystem/$validate-code", &passed_on, outcome)
            }
            verdict => Ok(answer(verdict?)),
        }
    }
}

/// Which code system a call is about.
enum SystemAsked {
    Given(Arc<CodeSystem>),
    Named(String),
    /// That of each coding.
    Any,
}

impl SystemAsked {
    fn of(
        terms: &mut Terms<'_>,
        session: &Session<'_>,
        invocation: &Invocation,
        inputs: &Inputs<'_>,
    ) -> Result<SystemAsked, Outcome> {
        let (url, inline) = (inputs.text("url")?, inputs.resource("codeSystem"));
        match (&invocation.subject, url, inline) {
            (Subject::Instance(key), None, None) => {
                let resource = stored(session, key)?;
                let (url, version) = (text(resource.root(), "url"), text(resource.root(), "version"));
                // As a definition rather than this resource: its concepts may be kept beside it.
                let canonical = Canonical { url: &url.unwrap_or_default(), version: version.as_deref() }.to_string();
                match terms.code_system(Canonical::parse(&canonical))? {
                    Some(known) => Ok(SystemAsked::Given(known)),
                    None => Ok(SystemAsked::Given(terms.add_code_system(resource.root()))),
                }
            }
            (Subject::Instance(key), ..) => {
                Err(bad(format!("`{key}` is the code system, and another one is given beside it")))
            }
            (_, Some(url), None) => Ok(SystemAsked::Named(url.into_owned())),
            (_, None, Some(resource)) if resource.resource_type() == Some("CodeSystem") => {
                Ok(SystemAsked::Given(terms.add_code_system(resource)))
            }
            (_, None, Some(_)) => Err(bad("the input `codeSystem` is no CodeSystem")),
            (_, None, None) => Ok(SystemAsked::Any),
            (_, Some(_), Some(_)) => Err(bad("only one of `url` and `codeSystem` may be given")),
        }
    }

    fn url(&self) -> Option<&str> {
        match self {
            SystemAsked::Given(system) => Some(system.url()),
            SystemAsked::Named(url) => Some(Canonical::parse(url).url),
            SystemAsked::Any => None,
        }
    }

    fn version(&self) -> Option<&str> {
        match self {
            SystemAsked::Given(system) => system.version(),
            SystemAsked::Named(url) => Canonical::parse(url).version,
            SystemAsked::Any => None,
        }
    }
}

/// Checks codes as a call asks for it.
struct Checking<'a, 't> {
    terms: &'a Terms<'t>,
    /// Whether concepts that only group others are fine.
    takes_abstract: bool,
    language: Option<Cow<'a, str>>,
}

impl<'a, 't> Checking<'a, 't> {
    fn new(terms: &'a Terms<'t>, inputs: &Inputs<'a>) -> Result<Checking<'a, 't>, Outcome> {
        let takes_abstract = inputs.flag("abstract")?.unwrap_or(true);
        Ok(Checking { terms, takes_abstract, language: inputs.text("displayLanguage")? })
    }

    fn in_value_set(&self, members: &Members, codes: &[Code<'_>]) -> Result<Verdict, Outcome> {
        first_valid(codes, |code| self.judged(code, members.check(&code.coded())))
    }

    fn in_code_system(&self, asked: &SystemAsked, codes: &[Code<'_>]) -> Result<Verdict, Outcome> {
        if let SystemAsked::Named(url) = asked {
            self.check_named(Canonical::parse(url))?;
        }
        first_valid(codes, |code| {
            let Some(system) = &code.system else {
                return Ok(Verdict::wrong(format!("code {} has no system", quoted(&code.code))));
            };
            if asked.url().is_some_and(|url| url != system) {
                let text = format!("code {} is of {}, another code system", quoted(&code.code), quoted(system));
                return Ok(Verdict::wrong(text));
            }
            let version = asked.version().or(code.version.as_deref());
            self.judged(code, terminology::code_in_system(self.terms, &Coded { version, ..code.coded() }))
        })
    }

    /// Refuses a code system that is not known here; one whose codes follow a rule is.
    fn check_named(&self, canonical: Canonical<'_>) -> Result<(), Outcome> {
        let is_known = self.terms.code_system(canonical)?.is_some()
            || !matches!(
                terminology::code_in_system(self.terms, &Coded { system: Some(canonical.url), ..Coded::default() }),
                Membership::Unknown(_)
            );
        if is_known { Ok(()) } else { Err(unknown("code system", canonical)) }
    }

    fn judged(&self, code: &Code<'_>, membership: Membership) -> Result<Verdict, Outcome> {
        match membership {
            Membership::In { display, wrong_display } => self.found(code, display, wrong_display),
            Membership::NotIn(why) => Ok(Verdict::wrong(why)),
            Membership::Unknown(why) => Err(Outcome::new(IssueType::UnresolvedReference, why)),
        }
    }

    /// The verdict on a code that is there.
    fn found(&self, code: &Code<'_>, display: Option<String>, wrong: Option<String>) -> Result<Verdict, Outcome> {
        let canonical = code.system.as_deref().map(|url| Canonical { url, version: code.version.as_deref() });
        let known = canonical.map(|canonical| self.terms.code_system(canonical)).transpose()?.flatten();
        let concept = known.as_ref().and_then(|known| known.find(&code.code));
        let spoken = match (&self.language, concept) {
            (Some(language), Some(concept)) => concept.display_in(language),
            (None, Some(concept)) if display.is_none() => concept.display(),
            _ => None,
        };
        let display = spoken.map(str::to_owned).or(display);
        if let Some(concept) = concept.filter(|concept| concept.is_abstract() && !self.takes_abstract) {
            let text = format!("code {} only groups others, and `abstract` is false", quoted(concept.code()));
            return Ok(Verdict { is_valid: false, message: Some(text), display });
        }
        let note = concept.filter(|concept| concept.is_inactive());
        let note = note.map(|concept| format!("code {} is inactive", quoted(concept.code())));
        Ok(Verdict { is_valid: wrong.is_none(), message: wrong.or(note), display })
    }
}

impl Verdict {
    fn wrong(message: String) -> Verdict {
        Verdict { is_valid: false, message: Some(message), display: None }
    }
}

/// The verdict on the first code that is valid; when none is, on all of them. What cannot be checked counts when no other is valid.
fn first_valid(codes: &[Code<'_>], check: impl Fn(&Code<'_>) -> Result<Verdict, Outcome>) -> Result<Verdict, Outcome> {
    let (mut unknown, mut messages, mut display) = (None, Vec::new(), None);
    for code in codes {
        match check(code) {
            Ok(verdict) if verdict.is_valid => return Ok(verdict),
            Ok(verdict) => {
                messages.extend(verdict.message);
                display = display.or(verdict.display);
            }
            Err(outcome) if elsewhere::is_unknown(&outcome) => drop(unknown.get_or_insert(outcome)),
            Err(outcome) => return Err(outcome),
        }
    }
    match unknown {
        Some(outcome) => Err(outcome),
        None => Ok(Verdict { is_valid: false, message: Some(messages.join("; ")), display }),
    }
}

fn answer(verdict: Verdict) -> Bytes {
    let mut answer = Answer::default();
    answer.boolean("result", verdict.is_valid);
    answer.maybe("message", "String", verdict.message.as_deref().filter(|message| !message.is_empty()));
    answer.maybe("display", "String", verdict.display.as_deref());
    answer.bytes()
}

fn text(node: Node<'_>, name: &str) -> Option<String> {
    node.get(name).and_then(Node::as_str).map(Cow::into_owned)
}
