//! One value against the rules for it, and the elements below.

use std::convert::Infallible;

use smallvec::SmallVec;

use super::{Scope, Walk};
use crate::fhirpath::ElementNode;
use crate::outcome::{IssueType, Severity};
use crate::profile::{Child, Constraint, Occurrence, Rules};
use crate::validate::path::Path;

/// The values of an element, each with its place among them.
pub(super) type Values<'a> = SmallVec<[(usize, ElementNode<'a>); 4]>;

impl<'a> Walk<'_, 'a> {
    /// Checks one value. The depth of JSON bounds the recursion: each step down in the rules is one in the document, but for
    /// targets of references and the rules that content references and profiles of types lead to, which lead no further.
    pub(super) fn rules(&mut self, scope: Scope<'_>, rules: &Rules, node: ElementNode<'a>, path: &Path<'_>) {
        if !self.spend(1) {
            return;
        }
        if let Some(types) = &rules.types
            && !types.iter().any(|code| self.validator.definitions.is_a(node.structure.name, code))
        {
            let (found, allowed) = (node.structure.name, types.join(" or "));
            let message = || format!("a value of type {found} stands here, but it must be {allowed} ({scope})");
            return self.issues.error(path, IssueType::Structure, message);
        }
        self.value(scope, rules, node, path);
        for constraint in &rules.constraints {
            self.constraint(scope, constraint, node, path);
        }
        for binding in &rules.bindings {
            self.binding(scope, binding, node, path);
        }
        if !rules.profiles.is_empty() {
            self.type_profiles(scope, rules, node, path);
        }
        if !rules.targets.is_empty() {
            self.targets(scope, &rules.targets, node, path);
        }
        for child in &rules.children {
            self.child(scope, child, node, path);
        }
    }

    /// The values of an element of this one.
    pub(super) fn values_of(&self, node: ElementNode<'a>, name: &str) -> Values<'a> {
        let mut values = Values::new();
        let Ok(()) = node.visit_member(self.validator.definitions, name, &mut |value| {
            values.push((values.len(), value));
            Ok::<(), Infallible>(())
        });
        values
    }

    fn child(&mut self, scope: Scope<'_>, child: &Child, node: ElementNode<'a>, path: &Path<'_>) {
        let values = self.values_of(node, child.element.name);
        let path = path.child(child.element.name);
        self.occurrence(scope, child.occurrence, values.len(), child.element.name, &path);
        if !values.is_empty() || child.rules.slicing.is_some() {
            self.values(scope, &child.rules, &values, &path);
        }
    }

    /// Checks how often something stands here.
    pub(super) fn occurrence(
        &mut self,
        scope: Scope<'_>,
        occurrence: Occurrence,
        count: usize,
        name: &str,
        path: &Path<'_>,
    ) {
        let Occurrence { min, max } = occurrence;
        if count < min as usize {
            self.issues.error(path, IssueType::Required, || match count {
                0 => format!("`{name}` is missing: it must stand here at least {} ({scope})", times(min)),
                _ => format!("`{name}` stands here {count} times, but must at least {} ({scope})", times(min)),
            });
        }
        if let Some(max) = max.filter(|max| count > *max as usize) {
            self.issues.error(path, IssueType::Structure, || match max {
                0 => format!("`{name}` stands here, but must not ({scope})"),
                _ => format!("`{name}` stands here {count} times, but may at most {} ({scope})", times(max)),
            });
        }
    }

    /// Checks the values of an element, divided into slices if it has some.
    pub(super) fn values(
        &mut self,
        scope: Scope<'_>,
        rules: &Rules,
        values: &[(usize, ElementNode<'a>)],
        path: &Path<'_>,
    ) {
        match &rules.slicing {
            Some(slicing) => self.sliced(scope, slicing, rules, values, path),
            None => {
                for (at, value) in values {
                    self.rules(scope, rules, *value, &place(path, *at, *value));
                }
            }
        }
        if let Some(content) = rules.content.and_then(|at| scope.profile.contents.get(at)) {
            self.values(scope, content, values, path);
        }
    }

    fn constraint(&mut self, scope: Scope<'_>, constraint: &Constraint, node: ElementNode<'a>, path: &Path<'_>) {
        let is_wanted = self.is_full() || !constraint.is_best_practice;
        if !is_wanted {
            return;
        }
        let severity = match constraint.is_error && !constraint.is_best_practice {
            true => Severity::Error,
            false => Severity::Warning,
        };
        let Constraint { key, human, .. } = constraint;
        let held = match &constraint.expression {
            Ok(expression) => self.holds(expression, &[], node),
            Err(why) => Err(why.clone()),
        };
        match held {
            Ok(true) => {}
            Ok(false) => self.issues.add(path, severity, IssueType::Invariant, || {
                format!("the rule {key} does not hold: {human} ({scope})")
            }),
            Err(why) => self.issues.add(path, Severity::Warning, IssueType::NotSupported, || {
                format!("the rule {key} could not be checked: {why} ({scope})")
            }),
        }
    }
}

/// The path of one value among those of an element.
pub(super) fn place<'p>(path: &Path<'p>, at: usize, value: ElementNode<'_>) -> Path<'p> {
    match value.element {
        Some(element) if element.max == Some(1) => *path,
        _ => path.item(at),
    }
}

pub(super) fn times(count: u32) -> String {
    match count {
        1 => "once".to_owned(),
        _ => format!("{count} times"),
    }
}
