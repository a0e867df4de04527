//! Invariants: constraints as FHIRPath, <https://hl7.org/fhir/R4/conformance-rules.html#constraints>.

use super::path::Path;
use super::resource::Walk;
use crate::definitions::Invariant;
use crate::fhirpath::{ElementNode, Expression, Item};
use crate::outcome::{IssueType, Severity};

/// Invariants that the walk itself enforces, at less cost and with better messages, and one that is only advice:
///
/// - ele-1 (a value or children) and ext-1 (a value or extensions): stated on every element; `members.rs`.
/// - dom-2 to dom-5 (contained resources) and ref-1 (local references): they look at the whole resource; `resource.rs`, `contained.rs`.
/// - txt-1 and txt-2 (narrative): `htmlChecks()` would only say no; `crate::narrative` says why.
/// - dom-6 (a resource should have narrative): best practice, which would put a warning on most of what applications write.
pub(super) const ELSEWHERE: [&str; 10] =
    ["ele-1", "ext-1", "dom-2", "dom-3", "dom-4", "dom-5", "dom-6", "ref-1", "txt-1", "txt-2"];

impl Invariant {
    /// The expression to evaluate, compiled on first use. `None` for a rule that is enforced elsewhere, and for one that is no FHIRPath.
    pub(super) fn to_evaluate(&'static self) -> Option<&'static Expression> {
        let compile = || match ELSEWHERE.contains(&self.key) {
            true => None,
            false => Expression::parse(self.expression).ok(),
        };
        self.compiled.get_or_init(compile).as_ref()
    }
}

impl<'a> Walk<'a> {
    /// Checks the invariants of the element and of its type.
    pub(super) fn invariants(&mut self, node: ElementNode<'a>, path: &Path<'_>) {
        let stated = node.element.map_or(&[][..], |element| &element.invariants);
        for invariant in node.structure.invariants.iter().chain(stated) {
            let Some(expression) = invariant.to_evaluate() else { continue };
            // A constraint that fails to evaluate says nothing about the resource.
            if !expression.holds(&self.context, Item::Element(node)).unwrap_or(true) {
                let severity = if invariant.is_error { Severity::Error } else { Severity::Warning };
                self.issues.add(path, severity, IssueType::Invariant, || {
                    let human = invariant.human.trim_end_matches('.');
                    format!("the rule {} does not hold: {human}", invariant.key)
                });
            }
        }
    }
}
