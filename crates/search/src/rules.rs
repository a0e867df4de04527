//! Filters for the program's own rules, by parameter instead of by query: all of them are judged by a resource's rows alone.

use std::ops::Bound;
use std::sync::Arc;

use fhir::Instant;
use fhir::definitions::SearchKind;
use store::{Filter, Index, Match, Range, Test};

use crate::parameter::{Definition, Indexed, Kind, Wanted, identity_value, overlapping, overlapping_moment, within};
use crate::registry::Registry;
use crate::{compartment, row};

/// A span of time: its first moment and the first one after it.
pub type Span = (Instant, Instant);

impl Registry {
    /// The indexes of the references that put resources of a type into a compartment; empty when none can be in it.
    pub fn compartment_indexes(&self, compartment: &str, resource_type: &str) -> Vec<Index> {
        let codes = compartment::codes(self, compartment, resource_type);
        codes.iter().filter(|code| **code != "{def}").map(|code| row::parameter_index(resource_type, code)).collect()
    }

    /// The indexes of those of these parameters that a type has, where they are references.
    pub fn references(&self, resource_type: &str, codes: &[&str]) -> Vec<Index> {
        let references = self.standard(resource_type).filter(|parameter| parameter.is_reference());
        let named = references.filter(|parameter| codes.contains(&parameter.definition.code.as_ref()));
        named.map(|parameter| parameter.index).collect()
    }

    /// The indexes of all references of a type.
    pub fn all_references(&self, resource_type: &str) -> Vec<Index> {
        let references = self.standard(resource_type).filter(|parameter| parameter.is_reference());
        references.map(|parameter| parameter.index).collect()
    }

    /// What has an identifier but no literal reference where a reference stands has a row in this index.
    pub fn identifier_index(&self, reference: Index) -> Index {
        row::secondary(reference, "identifier")
    }

    /// Resources with a reference in one of the indexes to a resource of `target_type` that is none of `except`: sorted [`store::Key::to_link`]s.
    pub fn referring_beyond(&self, indexes: &[Index], target_type: &str, except: &Arc<[Vec<u8>]>) -> Filter {
        let ending = [&[0], target_type.as_bytes()].concat();
        let beyond = |index: &Index| {
            let test = Some(Test::Ending { ending: ending.clone(), except: except.clone() });
            Filter::Match(Match { index: *index, range: Range::full(), test })
        };
        row::any(indexes.iter().map(beyond).collect())
    }

    /// What the row of an id is in [`Registry::id_index`].
    pub fn id_value(id: &str) -> Vec<u8> {
        identity_value(id)
    }

    /// The index of the ids of a type.
    pub fn id_index(&self, resource_type: &str) -> Index {
        row::parameter_index(resource_type, "_id")
    }

    /// Resources of a type whose ids come after one, and not after another, in the order of `_sort=_id`.
    pub fn ids_between(&self, resource_type: &str, after: Option<&str>, last: Option<&str>) -> Filter {
        let low = after.map_or(Bound::Unbounded, |id| Bound::Excluded(identity_value(id)));
        let high = last.map_or(Bound::Unbounded, |id| Bound::Included(identity_value(id)));
        Filter::range(self.id_index(resource_type), low, high)
    }

    /// Resources with this code in a token parameter, whatever its system when none is given; `None` when the type has no such parameter.
    pub fn coded(&self, resource_type: &str, parameter: &str, system: Option<&str>, code: &str) -> Option<Filter> {
        let parameter = self.standard(resource_type).find(|known| known.definition.code == parameter)?;
        if parameter.kind != Kind::Simple(SearchKind::Token) {
            return None;
        }
        let wanted = Wanted::of(system, code);
        Some(row::any(parameter.places().iter().map(|index| wanted.filter(*index, parameter.shape)).collect()))
    }

    /// Resources with a value of a date parameter that lies within the span; `None` when the type has no such parameter.
    pub fn dated_within(&self, resource_type: &str, parameter: &str, span: Span) -> Option<Filter> {
        self.dated(resource_type, parameter, |index| within(index, span))
    }

    /// Resources with a value of a date parameter that overlaps the span.
    pub fn dated_across(&self, resource_type: &str, parameter: &str, span: Span) -> Option<Filter> {
        self.dated(resource_type, parameter, |index| overlapping(index, span))
    }

    /// Resources with any value of a date parameter.
    pub fn dated_at_all(&self, resource_type: &str, parameter: &str) -> Option<Filter> {
        self.dated(resource_type, parameter, Filter::present)
    }

    /// Resources of a type whose current version was committed in the span: what [`Registry::time_index`] says.
    pub fn committed(&self, resource_type: &str, span: Span) -> Filter {
        overlapping_moment(self.time_index(resource_type), span)
    }

    fn dated(&self, resource_type: &str, parameter: &str, filter: impl Fn(Index) -> Filter) -> Option<Filter> {
        let parameter = self.standard(resource_type).find(|known| known.definition.code == parameter)?;
        let is_date = parameter.kind == Kind::Simple(SearchKind::Date);
        is_date.then(|| row::any(parameter.places().iter().map(|index| filter(*index)).collect()))
    }

    /// The parameters of R4 itself, which every resource has rows for.
    fn standard(&self, resource_type: &str) -> impl Iterator<Item = &Indexed> {
        let parameters = self.table(resource_type).map_or(&[][..], |table| &table.parameters);
        parameters.iter().filter(|parameter| matches!(parameter.definition, Definition::Standard(_)))
    }
}

#[cfg(test)]
mod tests {
    use fhir::DateTime;
    use store::Key;

    use super::*;
    use crate::testing::{registry, rows};

    const OBSERVATION: &str = r#"{"resourceType":"Observation","id":"o","status":"final","meta":{"lastUpdated":"2026-03-01T09:00:00Z",
        "security":[{"system":"https://terminology.hl7.org/CodeSystem/v3-ActCode","code":"PSY"},{"code":"own"}]},
        "code":{"coding":[{"system":"http://loinc.org","code":"85354-9"}]},"subject":{"reference":"Patient/ann"},
        "performer":[{"reference":"Practitioner/doc"},{"identifier":{"system":"urn:ods","value":"A1"}}],
        "encounter":{"reference":"Encounter/e"},"effectivePeriod":{"start":"2026-01-01","end":"2026-02-01"}}"#;

    fn links(keys: &[&str]) -> Arc<[Vec<u8>]> {
        let mut links: Vec<_> = keys.iter().map(|key| Key::parse(key).expect("a key").to_link()).collect();
        links.sort();
        links.into()
    }

    fn span(start: &str, end: &str) -> Span {
        let parse = |text| DateTime::parse(text).expect("a date").range();
        (parse(start).0, parse(end).1)
    }

    #[test]
    fn tells_who_is_referred_to() {
        let registry = registry();
        let subjects = registry.compartment_indexes("Patient", "Observation");
        let mut named = registry.references("Observation", &["performer", "subject", "code", "none"]);
        named.sort_by_key(|index| subjects.iter().position(|subject| subject == index));
        assert_eq!(named, subjects);
        assert!(registry.compartment_indexes("Patient", "Slot").is_empty());
        let rows = rows(OBSERVATION);
        for (target_type, except, expected) in [
            ("Patient", &[][..], true),
            ("Patient", &["Patient/bob", "Patient/cid"], true),
            ("Patient", &["Patient/ann", "Patient/bob"], false),
            ("Practitioner", &["Patient/ann"], true),
            ("Organization", &[], false),
        ] {
            let filter = registry.referring_beyond(&subjects, target_type, &links(except));
            assert_eq!(filter.accepts(&rows), expected, "{target_type} {except:?}");
        }
        for (values, expected) in [(&["Patient/ann", "Patient/zoe"][..], true), (&["Patient/bob"], false), (&[], false)]
        {
            let one_of = |index: &Index| Filter::OneOf { index: *index, values: links(values) };
            assert_eq!(Filter::Any(subjects.iter().map(one_of).collect()).accepts(&rows), expected, "{values:?}");
        }
        let performer = registry.references("Observation", &["performer"])[0];
        assert!(Filter::present(registry.identifier_index(performer)).accepts(&rows));
        assert!(Filter::equal(registry.id_index("Observation"), Registry::id_value("o")).accepts(&rows));
        assert!(registry.all_references("Observation").len() > subjects.len());
    }

    #[test]
    fn tells_codes_and_dates() {
        let (registry, rows) = (registry(), rows(OBSERVATION));
        const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
        for (parameter, system, code, expected) in [
            ("_security", Some(ACT_CODE), "PSY", true),
            ("_security", Some("https://terminology.hl7.org/CodeSystem/v3-ActCode"), "PSY", true),
            ("_security", Some(ACT_CODE), "HIV", false),
            ("_security", None, "PSY", true),
            ("_security", Some(""), "PSY", false),
            ("_security", Some(""), "own", true),
            ("code", Some("https://loinc.org"), "85354-9", true),
        ] {
            let filter = registry.coded("Observation", parameter, system, code).expect("a token");
            assert_eq!(filter.accepts(&rows), expected, "{parameter} {system:?} {code}");
        }
        assert_eq!(registry.coded("Observation", "date", None, "x"), None);
        for (start, end, is_within, is_across) in [
            ("2026", "2026", true, true),
            ("2026-01-01", "2026-02-01", true, true),
            ("2026-01-02", "2026-02-01", false, true),
            ("2026-01-01", "2026-01-31", false, true),
            ("2025", "2025", false, false),
            ("2026-02-02", "2026-03-01", false, false),
        ] {
            let (within, across) = (
                registry.dated_within("Observation", "date", span(start, end)).expect("a date"),
                registry.dated_across("Observation", "date", span(start, end)).expect("a date"),
            );
            assert_eq!((within.accepts(&rows), across.accepts(&rows)), (is_within, is_across), "{start} {end}");
        }
        let open = (Instant(i64::MIN), Instant(i64::MAX));
        assert!(registry.dated_within("Observation", "date", open).expect("a date").accepts(&rows));
        assert!(registry.dated_at_all("Observation", "date").expect("a date").accepts(&rows));
        assert_eq!(registry.dated_within("Observation", "code", open), None);
        for (start, end, expected) in [("2026-03-01", "2026-03-01", true), ("2026-02", "2026-02", false)] {
            assert_eq!(registry.committed("Observation", span(start, end)).accepts(&rows), expected, "{start}");
        }
        assert!(registry.committed("Observation", open).accepts(&rows));
    }
}
