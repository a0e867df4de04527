//! Definitions for [`search::Terms`], looked up in the session's [`crate::Shelf`].

use std::sync::Arc;
use std::time::Instant;

use fhir::terminology::{Canonical, CodeSystem, Members, Source, ValueSet};
use fhir::{IssueType, Outcome};
use search::Terms;
use store::Filter;

use super::Runner;

impl Source for Runner<'_> {
    fn code_system(&self, canonical: Canonical<'_>) -> Result<Option<Arc<CodeSystem>>, Outcome> {
        self.shelf.code_system(canonical)
    }

    fn value_set(&self, canonical: Canonical<'_>) -> Result<Option<Arc<ValueSet>>, Outcome> {
        self.shelf.value_set(canonical)
    }

    fn members(&self, value_set: Canonical<'_>) -> Result<Arc<Members>, Outcome> {
        // A query may ask for thousands that touch no rows.
        if Instant::now() > self.until {
            let text = "the time of the search ran out while expanding value sets";
            return Err(Outcome::new(IssueType::TooCostly, text));
        }
        self.shelf.members(value_set)
    }
}

impl Runner<'_> {
    /// What is asked of terminology, as a filter.
    pub(super) fn terms(&self, terms: &Terms) -> Result<Filter, Outcome> {
        terms.filter(self, &self.codes_left)
    }
}

#[cfg(test)]
mod tests {
    use crate::ChangeKind;
    use crate::testing::{House, post_unless};

    fn house() -> House {
        let house = House::new();
        let value_set = |id: &str, version: &str, code: &str| {
            format!(
                r#"{{"resourceType":"ValueSet","id":"{id}","url":"http://v.example/pulse","version":"{version}","status":"active",
                "compose":{{"include":[{{"system":"urn:c","concept":[{{"code":"{code}"}}]}}]}}}}"#
            )
        };
        house.hold(&[
            r#"{"resourceType":"CodeSystem","id":"c","url":"urn:c","status":"active","content":"complete","concept":[
                {"code":"vital","concept":[{"code":"pulse"},{"code":"weight"}]}]}"#,
            &value_set("v9", "1.9", "weight"),
            &value_set("v10", "1.10", "pulse"),
            r#"{"resourceType":"Patient","id":"ann","gender":"female"}"#,
            r#"{"resourceType":"Patient","id":"bob"}"#,
            r#"{"resourceType":"Observation","id":"p","status":"final","code":{"coding":[{"system":"urn:c","code":"pulse"}]},"subject":{"reference":"Patient/ann"}}"#,
            r#"{"resourceType":"Observation","id":"w","status":"final","code":{"coding":[{"system":"urn:c","code":"weight"}]},"subject":{"reference":"Patient/bob"}}"#,
        ]);
        house
    }

    #[test]
    fn looks_definitions_up_in_the_store() {
        let house = house();
        for (resource_type, query, expected) in [
            ("Observation", "code:in=http://v.example/pulse", "p"),
            ("Observation", "code:in=http://v.example/pulse|1.9", "w"),
            ("Observation", "code:not-in=http://v.example/pulse", "w"),
            ("Observation", "code:in=ValueSet/v9", "w"),
            ("Observation", "code:in=http://localhost/fhir/ValueSet/v9", "w"),
            ("Observation", "code:below=urn:c|vital", "p w"),
            ("Observation", "code:above=urn:c|vital", ""),
            ("Patient", "_has:Observation:patient:code:in=http://v.example/pulse", "ann"),
            ("Observation", "patient.gender:in=http://hl7.org/fhir/ValueSet/administrative-gender", "p"),
            ("Patient", "gender:in=http://hl7.org/fhir/ValueSet/administrative-gender|4.0.1", "ann"),
            ("Patient", "gender:not-in=http://hl7.org/fhir/ValueSet/administrative-gender", "bob"),
        ] {
            let page = house.search(resource_type, query).unwrap_or_else(|outcome| panic!("{query}: {outcome}"));
            let ids: Vec<_> = page.matches.iter().map(|version| version.key.id()).collect();
            assert_eq!(ids.join(" "), expected, "{query}");
        }
        for (query, expected) in [
            (
                "code:in=http://v.example/pulse|2",
                "parameter `code:in`: the value set `http://v.example/pulse|2` is not known here",
            ),
            ("code:in=ValueSet/none", "the value set `ValueSet/none` is not known here"),
            (
                "code:in=http://hl7.org/fhir/ValueSet/dialects",
                "`http://hl7.org/fhir/ValueSet/dialects` is not known here",
            ),
            ("code:below=http://snomed.info/sct|1", "the code system `http://snomed.info/sct` is not known here"),
        ] {
            let refused = house.search("Observation", query).map(|page| page.total).expect_err(query);
            assert!(refused.to_string().contains(expected), "{refused}");
        }
    }

    #[test]
    fn conditions_ask_terminology_and_compare_identifiers_as_written() {
        let house = house();
        let observation = r#"{"resourceType":"Observation","status":"final","code":{"text":"x"}}"#;
        let kind = |query: &str| house.done(post_unless(observation, query)).0;
        assert_eq!(kind("code:in=http://v.example/pulse"), ChangeKind::Existing);
        assert_eq!(kind("code:below=urn:c|weight&patient.gender:missing=true"), ChangeKind::Existing);
        let patient = |value: &str| {
            format!(r#"{{"resourceType":"Patient","identifier":[{{"system":"urn:i","value":"{value}"}}]}}"#)
        };
        for (value, expected) in [
            ("Ab1", ChangeKind::Created),
            ("aB1", ChangeKind::Created),
            ("AB1", ChangeKind::Created),
            ("Ab1", ChangeKind::Existing),
            ("aB1", ChangeKind::Existing),
            ("ab1", ChangeKind::Created),
        ] {
            let change = post_unless(&patient(value), &format!("identifier=urn:i|{value}"));
            assert_eq!(house.done(change).0, expected, "{value}");
        }
        assert_eq!(house.search("Patient", "identifier=urn:i|aB1").expect("found").matches.len(), 4);
    }
}
