//! `$translate`: what a code is in another code system, <https://hl7.org/fhir/R4/conceptmap-operation-translate.html>.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use fhir::json::{Document, Node};
use fhir::outcome::quoted;
use fhir::terminology::{self, Canonical, ConceptMap, Dependency, Match, Source, Translation, TranslationRequest};
use fhir::{IssueType, Outcome, published};
use repository::{Count, Page, SearchRequest, Session};
use search::{Handling, Scope};

use super::answer::{Answer, coding};
use super::code::{Code, Names, bad};
use super::elsewhere;
use super::terms::{TX_RESOURCE, Terms, stored, unknown, versioned};
use crate::inputs::{self, Inputs};
use crate::{Invocation, Operation, Subject};

const INPUTS: &[&str] = &[
    "url",
    "conceptMap",
    "conceptMapVersion",
    "code",
    "system",
    "version",
    "source",
    "coding",
    "codeableConcept",
    "target",
    "targetsystem",
    "dependency",
    "reverse",
    TX_RESOURCE,
];

const NAMES: Names = Names {
    code: "code",
    system: Some("system"),
    version: "version",
    display: None,
    coding: "coding",
    concept: Some("codeableConcept"),
};

/// How many concept maps are looked at where none is named.
const MAPS_MAX: usize = 100;

pub(crate) struct Translate;

impl Operation for Translate {
    fn code(&self) -> &'static str {
        "translate"
    }

    fn definition(&self) -> &'static str {
        "http://hl7.org/fhir/OperationDefinition/ConceptMap-translate"
    }

    fn at_types(&self) -> &'static [&'static str] {
        &["ConceptMap"]
    }

    fn at_instances(&self) -> &'static [&'static str] {
        &["ConceptMap"]
    }

    fn affects_state(&self) -> bool {
        false
    }

    fn run(&self, session: &Session<'_>, invocation: &Invocation) -> Result<Bytes, Outcome> {
        let inputs = Inputs::of(invocation).known(INPUTS)?;
        let codes = NAMES.read(&inputs)?;
        if codes.iter().any(|code| code.system.is_none()) {
            return Err(bad("a code is translated with its system: `system` must be given"));
        }
        let is_reverse = inputs.flag("reverse")?.unwrap_or(false);
        let dependencies = dependencies(&inputs)?;
        let terms = Terms::new(session, "ConceptMap", &inputs)?;
        let value_set = |name: &str| terms.value_set_url(inputs.text(name)?);
        let (source, target, target_system) =
            (value_set("source")?, value_set("target")?, inputs.text("targetsystem")?);
        let request = TranslationRequest {
            source: source.as_deref(),
            target: target.as_deref(),
            target_system: target_system.as_deref(),
            dependencies: &dependencies,
            is_reverse,
            ..TranslationRequest::default()
        };
        let translated = maps(&terms, session, invocation, &inputs, &codes, is_reverse)
            .and_then(|maps| all(&terms, &maps, &codes, &request));
        match translated {
            Err(outcome)
                if elsewhere::is_unknown(&outcome) && dependencies.is_empty() && !inputs.is_given("conceptMap") =>
            {
                let names = ["url", "conceptMapVersion", "source", "target", "targetsystem", "reverse"];
                elsewhere::ask(
                    &terms,
                    "ConceptMap/$translate",
                    &elsewhere::inputs(&inputs, &names, &codes, None),
                    outcome,
                )
            }
            translated => Ok(answer(&translated?)),
        }
    }
}

/// The concept maps to translate by: the one that is named, else those from (or to) the systems of the codes.
fn maps(
    terms: &Terms<'_>,
    session: &Session<'_>,
    invocation: &Invocation,
    inputs: &Inputs<'_>,
    codes: &[Code<'_>],
    is_reverse: bool,
) -> Result<Vec<Arc<ConceptMap>>, Outcome> {
    let (url, inline) = (inputs.text("url")?, inputs.resource("conceptMap"));
    match (&invocation.subject, url, inline) {
        (Subject::Instance(key), None, None) => Ok(vec![Arc::new(ConceptMap::new(stored(session, key)?.root()))]),
        (Subject::Instance(key), ..) => {
            Err(bad(format!("`{key}` is the concept map, and another one is given beside it")))
        }
        (_, Some(url), None) => {
            let canonical = match inputs.text("conceptMapVersion")? {
                Some(version) => versioned(url.into_owned(), "conceptMapVersion", &version)?,
                None => url.into_owned(),
            };
            let canonical = Canonical::parse(&canonical);
            Ok(vec![terms.concept_map(canonical)?.ok_or_else(|| unknown("concept map", canonical))?])
        }
        (_, None, Some(resource)) if resource.resource_type() == Some("ConceptMap") => {
            Ok(vec![Arc::new(ConceptMap::new(resource))])
        }
        (_, None, Some(_)) => Err(bad("the input `conceptMap` is no ConceptMap")),
        (_, None, None) => known(terms, session, codes, is_reverse),
        (_, Some(_), Some(_)) => Err(bad("only one of `url` and `conceptMap` may be given")),
    }
}

/// The concept maps of the store that have the systems of the codes, and those that are always there.
fn known(
    terms: &Terms<'_>,
    session: &Session<'_>,
    codes: &[Code<'_>],
    is_reverse: bool,
) -> Result<Vec<Arc<ConceptMap>>, Outcome> {
    let name = if is_reverse { "target-system" } else { "source-system" };
    let mut systems: Vec<_> = codes.iter().filter_map(|code| code.system.as_deref()).map(escaped).collect();
    systems.sort();
    systems.dedup();
    let scope = Scope { resource_type: Some("ConceptMap"), compartment: None };
    let parameters = [(name.to_owned(), systems.join(","))];
    let query = session.registry().query(&scope, &parameters, Handling::Strict, session.now())?;
    let request =
        SearchRequest { query: &query, page: Page::First, limit: MAPS_MAX, total: Count::None, explain: false };
    let found = session.search(&request)?;
    if found.next.is_some() {
        let text = format!("more than {MAPS_MAX} concept maps are known for the code system: name one by `url`");
        return Err(Outcome::new(IssueType::TooCostly, text));
    }
    let bodies = found.matches.iter().filter_map(|version| Document::parse(version.body.as_ref()?).ok());
    let mut maps: Vec<_> = bodies.map(|document| Arc::new(ConceptMap::new(document.root()))).collect();
    for url in published::urls("ConceptMap") {
        if !maps.iter().any(|map| map.url == url) {
            maps.extend(terms.concept_map(Canonical::parse(url))?);
        }
    }
    Ok(maps)
}

/// A value of a search parameter.
fn escaped(value: &str) -> String {
    let signs = |sign: char| matches!(sign, '\\' | ',' | '$' | '|');
    value.chars().flat_map(|sign| signs(sign).then_some('\\').into_iter().chain([sign])).collect()
}

/// The translations of all codes together.
fn all(
    terms: &Terms<'_>,
    maps: &[Arc<ConceptMap>],
    codes: &[Code<'_>],
    request: &TranslationRequest<'_>,
) -> Result<Translation, Outcome> {
    let mut all = Translation::default();
    let mut messages = Vec::new();
    for code in codes {
        let translation = terminology::translate(terms, maps, &TranslationRequest { coded: code.coded(), ..*request })?;
        all.result |= translation.result;
        all.matches.extend(translation.matches);
        messages.extend(translation.message);
    }
    all.message = (!messages.is_empty()).then(|| messages.join("; "));
    Ok(all)
}

/// The values of other elements: an element, and the concept that it has.
fn dependencies(inputs: &Inputs<'_>) -> Result<Vec<Dependency>, Outcome> {
    let mut dependencies = Vec::new();
    for (_, part) in inputs.parts().filter(|(name, _)| name == "dependency") {
        let value = |wanted: &str| {
            let found = inputs::parts(Some(part), "part").find(|(name, _)| name == wanted);
            found.and_then(|(_, part)| inputs::value(part))
        };
        let element = value("element").and_then(Node::as_str);
        let concept = value("concept");
        let (Some(element), Some(concept)) = (element, concept) else {
            return Err(bad("the input `dependency` must have the parts `element` and `concept`"));
        };
        for coding in concept.get("coding").into_iter().flat_map(Node::items) {
            let Code { system, code, display, .. } = Code::of_coding(coding, "dependency")?;
            let owned = |text: Option<Cow<'_, str>>| text.map(Cow::into_owned);
            dependencies.push(Dependency {
                property: element.as_ref().to_owned(),
                system: owned(system),
                value: code.into_owned(),
                display: owned(display),
            });
        }
    }
    if inputs.is_given("dependency") && dependencies.is_empty() {
        let text = format!("the input {} has no coded value", quoted("dependency"));
        return Err(bad(text));
    }
    Ok(dependencies)
}

fn answer(translation: &Translation) -> Bytes {
    let mut answer = Answer::default();
    answer.boolean("result", translation.result);
    answer.maybe("message", "String", translation.message.as_deref());
    for found in &translation.matches {
        answer.parts("match", matched(found));
    }
    answer.bytes()
}

fn matched(found: &Match) -> Answer {
    let mut parts = Answer::default();
    parts.text("equivalence", "Code", found.equivalence.code());
    if let Some(code) = &found.code {
        let coding = coding(found.system.as_deref(), found.version.as_deref(), code, found.display.as_deref());
        parts.json("concept", "Coding", &coding);
    }
    for product in &found.products {
        let mut element = Answer::default();
        element.text("element", "Uri", &product.property);
        let value = coding(product.system.as_deref(), None, &product.value, product.display.as_deref());
        element.json("concept", "Coding", &value);
        parts.parts("product", element);
    }
    parts.maybe("source", "Uri", Some(found.map.as_str()).filter(|map| !map.is_empty()));
    parts
}
