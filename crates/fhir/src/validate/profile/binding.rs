//! Bindings of every strength, <https://hl7.org/fhir/R4/terminologies.html#strength>.

use std::borrow::Cow;

use super::{STEPS_OF_QUESTION, Scope, Walk};
use crate::fhirpath::ElementNode;
use crate::json::{Kind, Node};
use crate::outcome::{IssueType, Severity, quoted};
use crate::profile::{Binding, Strength};
use crate::terminology::{Canonical, Coded, Membership};
use crate::validate::path::Path;

/// The types of objects that have codes.
const CODED: [&str; 3] = ["CodeableConcept", "Coding", "Quantity"];

impl<'a> Walk<'_, 'a> {
    /// Checks a value's codes against a value set. What the type's own definition binds, or what is only preferred, is looked at in
    /// full validation alone.
    pub(super) fn binding(&mut self, scope: Scope<'_>, binding: &Binding, node: ElementNode<'a>, path: &Path<'_>) {
        let is_always = !binding.is_inherited && binding.strength != Strength::Preferred;
        let Some(value) = node.value.filter(|_| is_always || self.is_full()) else { return };
        // Some definitions bind an extension where they mean its value.
        if value.kind() == Kind::Object && !CODED.contains(&node.structure.name) {
            return;
        }
        if !self.spend(STEPS_OF_QUESTION) {
            return;
        }
        let value_set = &*binding.value_set;
        let severity = match binding.strength {
            Strength::Required => Severity::Error,
            Strength::Extensible => Severity::Warning,
            Strength::Preferred => Severity::Information,
        };
        let Some(membership) = self.membership(value_set, node) else {
            // Only a required binding asks for a code where text stands.
            if severity == Severity::Error && value.kind() == Kind::Object && value.get("extension").is_none() {
                let message = || format!("a coding is missing: it must be from the value set {value_set} ({scope})");
                self.issues.error(path, IssueType::CodeInvalid, message);
            }
            return;
        };
        match membership {
            Membership::In { wrong_display: None, .. } => {}
            Membership::In { wrong_display: Some(why), .. } => {
                self.issues.add(path, Severity::Warning, IssueType::Invalid, || format!("{why} ({scope})"));
            }
            Membership::NotIn(why) => self.issues.add(path, severity, IssueType::CodeInvalid, || {
                let verb = match binding.strength {
                    Strength::Required => "must be from",
                    Strength::Extensible => "must be from, if one of its codes fits,",
                    Strength::Preferred => "should be from",
                };
                format!("{} {verb} the value set {value_set}: {why} ({scope})", shown(value))
            }),
            Membership::Unknown(why) => {
                let severity = severity.max(Severity::Warning);
                self.issues.add(path, severity, IssueType::NotSupported, || {
                    format!("{} could not be checked against the value set {value_set}: {why} ({scope})", shown(value))
                });
            }
        }
    }

    /// Whether a value's code, or one of its codings, is in a value set; `None` when it has none.
    pub(super) fn membership(&self, value_set: &str, node: ElementNode<'a>) -> Option<Membership> {
        let value = node.value?;
        if value.kind() == Kind::String {
            return Some(self.member(value_set, None, None, &value.as_str()?, None));
        }
        if node.structure.name != "CodeableConcept" {
            return self.coding(value_set, value);
        }
        // A code that is in it outdoes one that cannot be checked, and that one a code that is not.
        let mut best = None;
        for coding in value.get("coding").into_iter().flat_map(Node::items) {
            match (self.coding(value_set, coding), &best) {
                (Some(found @ Membership::In { .. }), _) => return Some(found),
                (Some(found), None) => best = Some(found),
                (Some(found @ Membership::Unknown(_)), Some(Membership::NotIn(_))) => best = Some(found),
                _ => {}
            }
        }
        best
    }

    fn coding(&self, value_set: &str, coding: Node<'a>) -> Option<Membership> {
        let text = |name| coding.get(name).and_then(Node::as_str);
        let (system, version, display) = (text("system"), text("version"), text("display"));
        let display = display.filter(|_| self.is_full());
        Some(self.member(value_set, system.or(Some(Cow::Borrowed(""))), version, &text("code")?, display))
    }

    fn member(
        &self,
        value_set: &str,
        system: Option<Cow<'_, str>>,
        version: Option<Cow<'_, str>>,
        code: &str,
        display: Option<Cow<'_, str>>,
    ) -> Membership {
        let coded = Coded { system: system.as_deref(), version: version.as_deref(), code, display: display.as_deref() };
        self.validator.library.member(Canonical::parse(value_set), &coded)
    }
}

/// A code, a coding, or the first coding of a concept.
fn shown(value: Node<'_>) -> String {
    let coding = value.get("coding").and_then(|codings| codings.items().next()).unwrap_or(value);
    let text = |name| coding.get(name).and_then(Node::as_str).unwrap_or_default();
    match value.as_str() {
        Some(code) => quoted(&code),
        None => quoted(&format!("{}|{}", text("system"), text("code"))),
    }
}
