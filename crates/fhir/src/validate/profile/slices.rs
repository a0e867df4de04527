//! Dividing the values of an element into slices, <https://hl7.org/fhir/R4/profiling.html#slicing>.

use super::element::{Values, place, times};
use super::{Scope, Walk};
use crate::fhirpath::ElementNode;
use crate::outcome::IssueType;
use crate::profile::{Demand, Openness, Rules, Slice, Slicing, Step, Test};
use crate::terminology::Membership;
use crate::validate::path::Path;

impl<'a> Walk<'_, 'a> {
    /// Checks values by the slices they are in, and how often each slice has some.
    pub(super) fn sliced(
        &mut self,
        scope: Scope<'_>,
        slicing: &Slicing,
        rules: &Rules,
        values: &[(usize, ElementNode<'a>)],
        path: &Path<'_>,
    ) {
        let mut in_slices: Vec<Values<'a>> = vec![Values::new(); slicing.slices.len()];
        let mut last = None;
        let mut outside = None;
        for (at, value) in values {
            let path = place(path, *at, *value);
            let slice = slicing.slices.iter().position(|slice| {
                slice.tests.iter().all(|test| self.passes(Scope { slice: Some(&slice.name), ..scope }, test, *value))
            });
            let Some(slice) = slice else {
                outside = outside.or(Some(*at));
                self.in_no_slice(scope, slicing, rules, *value, &path);
                continue;
            };
            in_slices[slice].push((*at, *value));
            let name = &slicing.slices[slice].name;
            if slicing.is_ordered && last > Some(slice) {
                let before = last.map_or("", |last| &*slicing.slices[last].name);
                self.issues.error(&path, IssueType::Structure, || {
                    format!("the slice `{name}` stands after the slice `{before}`, but must stand before it ({scope})")
                });
            }
            if let Some(first) = outside.filter(|_| slicing.openness == Openness::OpenAtEnd) {
                self.issues.error(&path, IssueType::Structure, || {
                    format!("the slice `{name}` stands after item {first}, which is in no slice: such must stand at the end ({scope})")
                });
            }
            last = last.max(Some(slice));
        }
        for (slice, values) in slicing.slices.iter().zip(&in_slices) {
            let scope = Scope { slice: Some(&slice.name), ..scope };
            if values.is_empty() && slice.occurrence.min > 0 {
                self.missing_slice(scope, slice, path);
            } else {
                self.occurrence(scope, slice.occurrence, values.len(), path.name(), path);
            }
            if !values.is_empty() || slice.rules.slicing.is_some() {
                self.values(scope, &slice.rules, values, path);
            }
        }
    }

    /// Says that a slice has no values, and if one had the type, why it is not in the slice.
    fn missing_slice(&mut self, scope: Scope<'_>, slice: &Slice, path: &Path<'_>) {
        let profiles = slice.tests.iter().filter_map(|test| match &test.demand {
            Demand::Profiles(profiles) => Some(profiles),
            _ => None,
        });
        let fault = profiles.flatten().find_map(|canonical| self.known_fault(canonical)).cloned();
        let why = fault.map_or(String::new(), |fault| {
            format!("; one is not in it, because {} ({})", fault.diagnostics, fault.expression.concat())
        });
        let (name, min) = (path.name(), slice.occurrence.min);
        self.issues.error(path, IssueType::Required, || {
            format!("`{name}` is missing: it must stand here at least {} ({scope}){why}", times(min))
        });
    }

    fn in_no_slice(
        &mut self,
        scope: Scope<'_>,
        slicing: &Slicing,
        rules: &Rules,
        value: ElementNode<'a>,
        path: &Path<'_>,
    ) {
        if let Some(default) = &slicing.default {
            return self.rules(Scope { slice: Some("@default"), ..scope }, default, value, path);
        }
        if slicing.openness == Openness::Closed {
            self.issues.error(path, IssueType::Structure, || {
                let names: Vec<String> = slicing.slices.iter().map(|slice| format!("`{}`", slice.name)).collect();
                format!("this is in none of the slices {}, and others may not stand here ({scope})", names.join(", "))
            });
        }
        self.rules(scope, rules, value, path);
    }

    /// Whether a value is what a discriminator asks for.
    pub(super) fn passes(&mut self, scope: Scope<'_>, test: &Test, value: ElementNode<'a>) -> bool {
        match test.demand {
            Demand::Exists(false) => !self.reaches(scope, &test.path, &test.demand, value),
            _ => self.reaches(scope, &test.path, &test.demand, value),
        }
    }

    /// Whether one of the values at the end of a path is what is demanded.
    fn reaches(&mut self, scope: Scope<'_>, path: &[Step], demand: &Demand, value: ElementNode<'a>) -> bool {
        if !self.spend(1) {
            return false;
        }
        let Some((step, rest)) = path.split_first() else { return self.meets(scope, demand, value) };
        match step {
            Step::Member(name) => {
                let values = self.values_of(value, name);
                values.into_iter().any(|(_, value)| self.reaches(scope, rest, demand, value))
            }
            Step::Extension(url) => {
                let mut values = self.values_of(value, "extension");
                values.retain(|(_, value)| value.value.and_then(|it| it.get("url")).is_some_and(|it| it.is_str(url)));
                values.into_iter().any(|(_, value)| self.reaches(scope, rest, demand, value))
            }
            Step::OfType(name) => {
                self.validator.definitions.is_a(value.structure.name, name) && self.reaches(scope, rest, demand, value)
            }
            Step::Resolve => self.target_meets(demand, value),
        }
    }

    fn meets(&mut self, scope: Scope<'_>, demand: &Demand, value: ElementNode<'a>) -> bool {
        match demand {
            Demand::Fixed(fixed) => super::value::is_equal(fixed.root(), value),
            Demand::Pattern(pattern) => super::value::has_pattern(pattern.root(), value),
            Demand::Member(value_set) => matches!(self.membership(value_set, value), Some(Membership::In { .. })),
            Demand::Exists(_) => true,
            Demand::Types(types) => {
                types.iter().any(|code| self.validator.definitions.is_a(value.structure.name, code))
            }
            Demand::Profiles(profiles) => profiles.iter().any(|canonical| {
                let profile = self.profile(canonical);
                profile.is_some_and(|profile| self.conforms(&profile, value).is_none())
            }),
            Demand::Rules(rules) => {
                let path = Path::root(value.structure.name);
                let fault = self.first_error(|walk| walk.values(scope, rules, &[(0, value)], &path));
                fault.is_none()
            }
        }
    }
}
