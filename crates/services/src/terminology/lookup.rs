//! `$lookup`: what a code system says of a code, <https://hl7.org/fhir/R4/codesystem-operation-lookup.html>.

use bytes::Bytes;
use fhir::outcome::quoted;
use fhir::terminology::{self, Canonical, Concept, Designation, Found, PropertyValue};
use fhir::{IssueType, Outcome};
use repository::Session;

use super::answer::{Answer, coding};
use super::code::{Code, Names, bad};
use super::elsewhere;
use super::terms::{TX_RESOURCE, Terms};
use crate::inputs::Inputs;
use crate::{Invocation, Operation};

const INPUTS: &[&str] = &["code", "system", "version", "coding", "date", "displayLanguage", "property", TX_RESOURCE];

const NAMES: Names =
    Names { code: "code", system: Some("system"), version: "version", display: None, coding: "coding", concept: None };

/// How many concepts above and below are told.
const RELATIVES_MAX: usize = 10_000;

pub(crate) struct Lookup;

impl Operation for Lookup {
    fn code(&self) -> &'static str {
        "lookup"
    }

    fn definition(&self) -> &'static str {
        "http://hl7.org/fhir/OperationDefinition/CodeSystem-lookup"
    }

    fn at_types(&self) -> &'static [&'static str] {
        &["CodeSystem"]
    }

    fn affects_state(&self) -> bool {
        false
    }

    fn run(&self, session: &Session<'_>, invocation: &Invocation) -> Result<Bytes, Outcome> {
        let inputs = Inputs::of(invocation).known(INPUTS)?;
        inputs.refuse_alone()?;
        inputs.refuse("date", super::DATE_REFUSED)?;
        let [code] =
            <[Code<'_>; 1]>::try_from(NAMES.read(&inputs)?).map_err(|_| bad("one code is looked up at a time"))?;
        let terms = Terms::new(session, "CodeSystem", &inputs)?;
        let Some(system) = &code.system else {
            return Err(bad("a code is looked up in its system: `system` must be given"));
        };
        let canonical = Canonical { url: system, version: code.version.as_deref() };
        let refusal = match terminology::lookup(&terms, canonical, &code.code) {
            Ok(found) => return told(&found, &inputs),
            Err(outcome) => outcome,
        };
        if !elsewhere::is_unknown(&refusal) || terms.is_whole(canonical)? {
            return Err(refusal);
        }
        let passed_on = elsewhere::inputs(&inputs, &["property", "displayLanguage"], std::slice::from_ref(&code), None);
        elsewhere::ask(&terms, "CodeSystem/$lookup", &passed_on, refusal)
    }
}

fn told(found: &Found, inputs: &Inputs<'_>) -> Result<Bytes, Outcome> {
    let gone = || Outcome::new(IssueType::Exception, "a code that was found is not there");
    let concept = found.concept().ok_or_else(gone)?;
    let language = inputs.text("displayLanguage")?;
    let asked = inputs.texts("property");
    let wants = |name: &str| asked.iter().any(|asked| asked == name);
    let header = concept.system().header();
    let mut answer = Answer::default();
    let name = header.title.as_deref().or(header.name.as_deref()).unwrap_or(&header.url);
    answer.text("name", "String", name);
    answer.maybe("version", "String", header.version.as_deref());
    let display = language.as_deref().map_or(concept.display(), |language| concept.display_in(language));
    answer.text("display", "String", display.unwrap_or(concept.code()));
    for designation in concept.designations() {
        let lang = designation.language.is_some_and(|language| wants(&format!("lang.{language}")));
        if asked.is_empty() || wants("designation") || lang {
            answer.parts("designation", designated(&designation));
        }
    }
    properties(&mut answer, concept, &|name| asked.is_empty() && name != "child" || wants(name) || wants("*"))?;
    if wants("url") {
        answer.parts("property", property("url", PropertyValue::String(&header.url), None));
    }
    Ok(answer.bytes())
}

fn properties(answer: &mut Answer, concept: Concept<'_>, wants: &dyn Fn(&str) -> bool) -> Result<(), Outcome> {
    if let Some(definition) = concept.definition().filter(|_| wants("definition")) {
        answer.parts("property", property("definition", PropertyValue::String(definition), None));
    }
    let mut said_inactive = false;
    for (name, value) in concept.properties().filter(|(name, _)| !matches!(*name, "parent" | "child") && wants(name)) {
        said_inactive |= name == "inactive";
        let described = match value {
            PropertyValue::Code(code) => concept.system().find(code).and_then(Concept::display),
            _ => None,
        };
        answer.parts("property", property(name, value, described));
    }
    if !said_inactive && wants("inactive") {
        answer.parts("property", property("inactive", PropertyValue::Boolean(concept.is_inactive()), None));
    }
    for (name, concepts) in [("parent", concept.parents().collect::<Vec<_>>()), ("child", concept.children().collect())]
    {
        if !wants(name) {
            continue;
        }
        if concepts.len() > RELATIVES_MAX {
            let text =
                format!("code {} has more than {RELATIVES_MAX} of the property `{name}`", quoted(concept.code()));
            return Err(Outcome::new(IssueType::TooCostly, text));
        }
        for other in concepts {
            answer.parts("property", property(name, PropertyValue::Code(other.code()), other.display()));
        }
    }
    Ok(())
}

fn designated(designation: &Designation<'_>) -> Answer {
    let mut parts = Answer::default();
    parts.maybe("language", "Code", designation.language);
    if let Some(usage) = designation.usage {
        parts.json("use", "Coding", &coding(usage.system, usage.version, usage.code, usage.display));
    }
    parts.text("value", "String", designation.value);
    parts
}

fn property(name: &str, value: PropertyValue<'_>, description: Option<&str>) -> Answer {
    let mut parts = Answer::default();
    parts.text("code", "Code", name);
    match value {
        PropertyValue::Code(text) => parts.text("value", "Code", text),
        PropertyValue::String(text) => parts.text("value", "String", text),
        PropertyValue::DateTime(text) => parts.text("value", "DateTime", text),
        PropertyValue::Integer(digits) => parts.json("value", "Integer", digits),
        PropertyValue::Decimal(digits) => parts.json("value", "Decimal", digits),
        PropertyValue::Boolean(value) => parts.boolean("value", value),
        PropertyValue::Coding(it) => {
            parts.json("value", "Coding", &coding(it.system, it.version, it.code, it.display));
        }
    }
    parts.maybe("description", "String", description);
    parts
}
