//! Parameters that are the union of others: `combo-code` of Observation is its `code` and its `component-code`, `phonetic` of Patient is
//! its `name`. They have no rows of their own: what is asked of them is asked of the others.

use std::collections::BTreeSet;

use fhir::Definitions;
use fhir::definitions::SearchKind;

use crate::extract::{Source, branches};
use crate::parameter::{Definition, Indexed, Kind};

/// Notes for the parameters of a type of which others each is the union. Those that resources state keep rows of their own: they come
/// and go.
pub(crate) fn find(definitions: &'static Definitions, resource_type: &str, parameters: &mut [Indexed]) {
    let sources: Vec<_> =
        parameters.iter().map(|parameter| sources(definitions, resource_type, parameter).unwrap_or_default()).collect();
    // The narrower come first, so that each part has been seen before what it is a part of.
    let mut order: Vec<_> = (0..parameters.len()).filter(|at| !sources[*at].is_empty()).collect();
    order.sort_by_key(|at| (sources[*at].len(), *at));
    let mut unions = Vec::new();
    let mut own: Vec<usize> = Vec::new();
    for at in order {
        let is_part =
            |part: &&usize| is_alike(&parameters[at], &parameters[**part]) && sources[**part].is_subset(&sources[at]);
        let parts: Vec<_> = own.iter().filter(is_part).copied().collect();
        let covered: BTreeSet<_> = parts.iter().flat_map(|part| &sources[*part]).collect();
        match covered.len() == sources[at].len() {
            true => unions.push((at, parts.into_iter().map(|part| parameters[part].index).collect())),
            false => own.push(at),
        }
    }
    for (at, parts) in unions {
        parameters[at].parts = parts;
    }
}

/// The expressions that a parameter takes its values from; `None` for one that cannot be put together from others.
fn sources(definitions: &'static Definitions, resource_type: &str, parameter: &Indexed) -> Option<BTreeSet<String>> {
    let is_value = match &parameter.kind {
        Kind::Simple(kind) => *kind != SearchKind::Reference,
        Kind::Composite(_) => true,
        _ => false,
    };
    let Definition::Standard(definition) = &parameter.definition else { return None };
    let structure = definitions.structure(resource_type).filter(|_| is_value)?;
    let sources = branches(&definition.expression).filter_map(|branch| Source::new(definitions, structure, branch));
    Some(sources.map(|source| source.text.to_owned()).collect())
}

/// Whether two parameters make the same rows of the same values, but for the numbers of their indexes.
fn is_alike(one: &Indexed, other: &Indexed) -> bool {
    let expressions = |parameter: &Indexed| -> Vec<_> {
        parameter.definition.components.iter().map(|(_, expression)| expression.clone()).collect()
    };
    one.kind == other.kind && one.shape == other.shape && expressions(one) == expressions(other)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use fhir::Definitions;

    use crate::testing::{check, registry, rows};

    #[test]
    fn knows_what_is_a_union() {
        let mut found = BTreeMap::new();
        for resource_type in Definitions::r4().resource_types() {
            let parameters = &registry().table(resource_type).expect("a type").parameters;
            let code = |index| {
                let part = parameters.iter().find(|parameter| parameter.index == index).expect("of this type");
                assert!(part.parts.is_empty());
                part.definition.code.as_ref()
            };
            for parameter in parameters.iter().filter(|parameter| !parameter.parts.is_empty()) {
                let parts: Vec<_> = parameter.parts.iter().map(|index| code(*index)).collect();
                found.insert(format!("{resource_type}.{}", parameter.definition.code), parts.join(" "));
            }
        }
        let expected = [
            ("CapabilityStatement.version", "fhirversion"),
            ("CodeSystem.url", "system"),
            ("Observation.combo-code", "code component-code"),
            ("Observation.combo-code-value-concept", "code-value-concept component-code-value-concept"),
            ("Observation.combo-code-value-quantity", "code-value-quantity component-code-value-quantity"),
            ("Observation.combo-data-absent-reason", "component-data-absent-reason data-absent-reason"),
            ("Observation.combo-value-concept", "component-value-concept value-concept"),
            ("Observation.combo-value-quantity", "component-value-quantity value-quantity"),
            ("Observation.gene-amino-acid-change", "amino-acid-change"),
            ("Observation.gene-dnavariant", "dna-variant"),
            ("Patient.phonetic", "name"),
            ("Person.phonetic", "name"),
            ("Practitioner.phonetic", "name"),
            ("RelatedPerson.phonetic", "name"),
        ];
        let expected = expected.map(|(name, parts)| (name.to_owned(), parts.to_owned()));
        assert_eq!(found, BTreeMap::from(expected));
    }

    #[test]
    fn asks_the_parts_and_keeps_no_rows() {
        let observation = r#"{"resourceType":"Observation","id":"o","status":"final","code":{"coding":[{"system":"urn:s","code":"a"}],"text":"Sodium"},
            "component":[{"code":{"coding":[{"system":"urn:s","code":"b"}]},"valueQuantity":{"value":5,"unit":"mg"}}]}"#;
        for parameter in &registry().table("Observation").expect("a type").parameters {
            let has_rows = rows(observation).iter().any(|row| row.index == parameter.index);
            assert!(parameter.parts.is_empty() || !has_rows, "{}", parameter.definition.code);
        }
        check(
            observation,
            &[
                ("combo-code=a", true),
                ("combo-code=urn:s|b", true),
                ("combo-code=c,b", true),
                ("combo-code=a&combo-code=b", true),
                ("combo-code=urn:s|", true),
                ("combo-code=c", false),
                ("combo-code:not=c", true),
                ("combo-code:not=a", false),
                ("combo-code:not=b", false),
                ("combo-code:text=sodium", true),
                ("combo-code:missing=false", true),
                ("combo-value-concept:missing=true", true),
                ("combo-value-concept:missing=false", false),
                ("combo-value-quantity=ge5||mg", true),
                ("combo-value-quantity=ne5", false),
                ("combo-code-value-quantity=b$5", true),
                ("combo-code-value-quantity=a$5", false),
                ("_filter=combo-code ne a", true),
                ("_filter=combo-code ne c and combo-code eq b", true),
                ("_filter=combo-code pr true", true),
            ],
        );
        check(
            r#"{"resourceType":"Patient","id":"p","name":[{"family":"Bell"}]}"#,
            &[
                ("phonetic=bel", true),
                ("phonetic:exact=Bell", true),
                ("phonetic:contains=el", true),
                ("phonetic:missing=true", false),
                ("_filter=phonetic ew ell", true),
                ("_filter=phonetic ne bell", false),
            ],
        );
    }
}
