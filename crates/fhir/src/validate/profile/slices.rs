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
        // How many values may be in each slice, if more were known here.
        let mut perhaps = vec![0; slicing.slices.len()];
        let mut last = None;
        let mut outside = None;
        for (at, value) in values {
            let path = place(path, *at, *value);
            let mut is_unsure = false;
            let slice = slicing.slices.iter().enumerate().position(|(number, slice)| {
                let is_in = self.is_in(scope, slice, *value);
                perhaps[number] += usize::from(is_in.is_none());
                is_unsure |= is_in.is_none();
                is_in == Some(true)
            });
            if slice.is_none() && is_unsure {
                self.rules(scope, rules, *value, &path);
                continue;
            }
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
        for ((slice, within), perhaps) in slicing.slices.iter().zip(&in_slices).zip(perhaps) {
            let scope = Scope { slice: Some(&slice.name), ..scope };
            let mut occurrence = slice.occurrence;
            if within.len() + perhaps >= occurrence.min as usize {
                occurrence.min = 0;
            }
            if within.is_empty() && occurrence.min > 0 {
                self.missing_slice(scope, slice, values, path);
            } else {
                self.occurrence(scope, occurrence, within.len(), path.name(), path);
            }
            if !within.is_empty() || slice.rules.slicing.is_some() && perhaps == 0 {
                self.values(scope, &slice.rules, within, path);
            }
        }
    }

    /// Says that a slice has no values, and if one had the type, why it is not in the slice.
    fn missing_slice(&mut self, scope: Scope<'_>, slice: &Slice, values: &[(usize, ElementNode<'a>)], path: &Path<'_>) {
        let span = |at: Option<&(usize, ElementNode<'a>)>| at.and_then(|(_, value)| Some(value.value?.span()));
        let own = span(values.first()).zip(span(values.last())).map_or(0..0, |(first, last)| first.start..last.end);
        let fault = slice.tests.iter().find_map(|test| {
            let Demand::Profiles(profiles) = &test.demand else { return None };
            // References lead anywhere.
            let part = if test.path.contains(&Step::Resolve) { 0..usize::MAX } else { own.clone() };
            profiles.iter().find_map(|canonical| self.known_fault(canonical, &part))
        });
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

    /// Whether a value is in a slice; `None` when that cannot be told for want of what is not known here.
    pub(super) fn is_in(&mut self, scope: Scope<'_>, slice: &Slice, value: ElementNode<'a>) -> Option<bool> {
        let scope = Scope { slice: Some(&slice.name), ..scope };
        let outer = self.is_unsure;
        let mut is_in = Some(true);
        for test in &slice.tests {
            self.is_unsure = false;
            if self.passes(scope, test, value) {
                continue;
            }
            is_in = if self.is_unsure { None } else { Some(false) };
            if is_in == Some(false) {
                break;
            }
        }
        self.is_unsure = outer;
        is_in
    }

    /// Whether a value is what a discriminator asks for.
    fn passes(&mut self, scope: Scope<'_>, test: &Test, value: ElementNode<'a>) -> bool {
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
            Demand::Member(value_set) => match self.membership(value_set, value) {
                Some(Membership::In { .. }) => true,
                Some(Membership::Unknown(_)) => self.cannot_tell(),
                _ => false,
            },
            Demand::Exists(_) => true,
            Demand::Types(types) => {
                types.iter().any(|code| self.validator.definitions.is_a(value.structure.name, code))
            }
            Demand::Profiles(profiles) => profiles.iter().any(|canonical| match self.profile(canonical) {
                Some(profile) => self.conforms(&profile, value).is_none(),
                None => self.cannot_tell(),
            }),
            Demand::Rules(rules) => {
                let path = Path::root(value.structure.name);
                let fault = self.first_error(|walk| walk.values(scope, rules, &[(0, value)], &path));
                fault.is_none()
            }
        }
    }

    /// The answer `false` to what cannot be told.
    pub(super) fn cannot_tell(&mut self) -> bool {
        self.is_unsure = true;
        false
    }
}
