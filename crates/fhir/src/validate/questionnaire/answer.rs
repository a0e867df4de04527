//! The value of an answer: its type, its options and its bounds.

use std::cmp::Ordering;
use std::sync::Arc;

use super::Check;
use super::compare::{Typed, compare, equal};
use super::form::{Kind, Question, typed};
use crate::Outcome;
use crate::json::Node;
use crate::outcome::{IssueType, Severity, quoted};
use crate::terminology::{self, Canonical, CodeSystem, Coded, Membership, Source, ValueSet};
use crate::validate::path::Path;

const MIN_VALUE: &str = "http://hl7.org/fhir/StructureDefinition/minValue";
const MAX_VALUE: &str = "http://hl7.org/fhir/StructureDefinition/maxValue";
const MIN_LENGTH: &str = "http://hl7.org/fhir/StructureDefinition/minLength";
const MAX_DECIMAL_PLACES: &str = "http://hl7.org/fhir/StructureDefinition/maxDecimalPlaces";

impl Check<'_, '_> {
    /// Checks `answer.value`.
    pub(super) fn value(&mut self, question: &Question<'_>, answer: Node<'_>, path: &Path<'_>) {
        let Some(value) = typed(answer, "value") else { return };
        if !self.spend(options(question).count()) {
            return;
        }
        let path = path.child("value");
        if !self.has_type(question, value.0) {
            let taken = expected(question);
            return self.issues.error(&path, IssueType::Value, || {
                format!("the question {} takes {taken}, not a {}", quoted(&question.link_id), value.0)
            });
        }
        self.options(question, value, &path);
        self.bounds(question, value, &path);
    }

    fn has_type(&self, question: &Question<'_>, found: &str) -> bool {
        match question.kind {
            Kind::Plain(name) => name == found,
            // Options may be of other types than Coding; only these are then answers.
            Kind::Choice => options(question).any(|(name, _)| name == found) || found == "Coding",
            Kind::OpenChoice => {
                options(question).any(|(name, _)| name == found) || matches!(found, "Coding" | "String")
            }
            Kind::Other => true,
            Kind::Group | Kind::Display => false,
        }
    }

    fn options(&mut self, question: &Question<'_>, value: Typed<'_>, path: &Path<'_>) {
        let is_free = question.kind == Kind::OpenChoice && value.0 == "String";
        if is_free {
            return;
        }
        let shown = || quoted(&shown(value));
        let mut options = options(question).peekable();
        if options.peek().is_some() {
            // Whether attachments and quantities are the same is not always known: then nothing is said.
            if options.all(|option| equal(option, value) == Some(false)) {
                self.issues.error(path, IssueType::CodeInvalid, || {
                    format!(
                        "the answer {} is none of the options of the question {}",
                        shown(),
                        quoted(&question.link_id)
                    )
                });
            }
            return;
        }
        let value_set = question.node.get("answerValueSet").and_then(Node::as_str);
        let (Some(value_set), "Coding") = (value_set, value.0) else { return };
        let text = |name: &str| value.1.get(name).and_then(Node::as_str);
        let (system, version, code) = (text("system"), text("version"), text("code").unwrap_or_default());
        let coded = Coded { system: system.as_deref(), version: version.as_deref(), code: &code, display: None };
        match self.member(&value_set, &coded) {
            Membership::In { .. } => {}
            Membership::NotIn(reason) => {
                // Another code than those of the list is no free text, but forms have it instead.
                let severity = if question.kind == Kind::OpenChoice { Severity::Warning } else { Severity::Error };
                self.issues.add(path, severity, IssueType::CodeInvalid, || {
                    format!("the answer {} is not in {}: {reason}", shown(), quoted(&value_set))
                });
            }
            Membership::Unknown(reason) => self.issues.add(path, Severity::Warning, IssueType::NotSupported, || {
                format!("whether the answer {} is in {} was not checked: {reason}", shown(), quoted(&value_set))
            }),
        }
    }

    /// Asks the library, or a value set that the questionnaire contains.
    fn member(&self, value_set: &str, coded: &Coded<'_>) -> Membership {
        let library = self.validator.library;
        let Some(id) = value_set.strip_prefix('#') else { return library.member(Canonical::parse(value_set), coded) };
        let mut contained = self.form.questionnaire.get("contained").into_iter().flat_map(Node::items);
        match contained.find(|it| it.get("id").is_some_and(|it| it.is_str(id))) {
            Some(node) => {
                let source = Contained { reference: value_set, value_set: Arc::new(ValueSet::new(node)), library };
                terminology::member(&source, Canonical { url: value_set, version: None }, coded)
            }
            None => Membership::Unknown("the questionnaire does not contain it".to_owned()),
        }
    }

    fn bounds(&mut self, question: &Question<'_>, value: Typed<'_>, path: &Path<'_>) {
        let integer = |node: Option<Node<'_>>| node.and_then(|it| it.raw().parse::<usize>().ok());
        let shown = || quoted(&shown(value));
        let mut refuse = |message: String| self.issues.error(path, IssueType::Value, || message);
        if let Some(text) = value.1.as_str().filter(|_| matches!(value.0, "String" | "Uri")) {
            let length = text.chars().count();
            if let Some(most) = integer(question.node.get("maxLength")).filter(|most| length > *most) {
                refuse(format!("the answer has {length} characters where {most} are the most"));
            }
            let least = integer(extension(question, MIN_LENGTH).map(|(_, it)| it));
            if let Some(least) = least.filter(|least| length < *least) {
                refuse(format!("the answer has {length} characters where {least} are the least"));
            }
        }
        if let Some(least) = extension(question, MIN_VALUE).filter(|it| compare(value, *it) == Some(Ordering::Less)) {
            refuse(format!("the answer {} is below the least, {}", shown(), quoted(&self::shown(least))));
        }
        if let Some(most) = extension(question, MAX_VALUE).filter(|it| compare(value, *it) == Some(Ordering::Greater)) {
            refuse(format!("the answer {} is above the most, {}", shown(), quoted(&self::shown(most))));
        }
        let places = value.1.raw().split_once('.').map_or(0, |(_, places)| places.len());
        let most = integer(extension(question, MAX_DECIMAL_PLACES).map(|(_, it)| it)).filter(|_| value.0 == "Decimal");
        if let Some(most) = most.filter(|most| places > *most) {
            refuse(format!("the answer {} has {places} decimal places where {most} are the most", shown()));
        }
    }
}

/// The values of `answerOption`.
fn options<'q>(question: &Question<'q>) -> impl Iterator<Item = Typed<'q>> + use<'q> {
    let options = question.node.get("answerOption").into_iter().flat_map(Node::items);
    options.filter_map(|option| typed(option, "value"))
}

fn extension<'q>(question: &Question<'q>, url: &str) -> Option<Typed<'q>> {
    let mut extensions = question.node.get("extension").into_iter().flat_map(Node::items);
    typed(extensions.find(|it| it.get("url").is_some_and(|it| it.is_str(url)))?, "value")
}

/// What a question takes, for a message.
fn expected(question: &Question<'_>) -> String {
    match question.kind {
        Kind::Plain(name) => format!("a {name}"),
        Kind::Choice => "one of its options".to_owned(),
        Kind::OpenChoice => "one of its options or a String".to_owned(),
        Kind::Group | Kind::Display | Kind::Other => "no answer".to_owned(),
    }
}

/// A value for a message.
fn shown((name, node): Typed<'_>) -> String {
    let part = match name {
        "Coding" => node.get("code").or(node.get("display")),
        "Quantity" => node.get("value"),
        "Reference" => node.get("reference"),
        _ => Some(node),
    };
    let part = part.unwrap_or(node);
    part.as_str().map_or_else(|| part.raw().to_owned(), |text| text.into_owned())
}

/// A value set that stands in the questionnaire, among those that are known.
struct Contained<'a> {
    reference: &'a str,
    value_set: Arc<ValueSet>,
    library: &'a dyn crate::Library,
}

impl Source for Contained<'_> {
    fn code_system(&self, canonical: Canonical<'_>) -> Result<Option<Arc<CodeSystem>>, Outcome> {
        self.library.code_system(canonical)
    }

    fn value_set(&self, canonical: Canonical<'_>) -> Result<Option<Arc<ValueSet>>, Outcome> {
        match canonical.url == self.reference {
            true => Ok(Some(self.value_set.clone())),
            false => self.library.value_set(canonical),
        }
    }
}
