//! `_sort`, <https://hl7.org/fhir/R4/search.html#sort>.

use fhir::definitions::SearchKind;
use store::{Index, SortKey};

use crate::Query;
use crate::compile::parameter;
use crate::parameter::Kind;
use crate::refusal::Refusal;
use crate::registry::Registry;

/// How many keys one query may sort by.
pub(crate) const SORT_KEYS_MAX: usize = 8;

pub(crate) fn apply(registry: &Registry, query: &mut Query, value: &str) -> Result<(), Refusal> {
    for key in value.split(',') {
        let (code, descending) = key.strip_prefix('-').map_or((key, false), |code| (code, true));
        if code.is_empty() {
            return Err(Refusal::bad_value("_sort", value, "names of parameters, with `-` before those that descend"));
        }
        let indexes = query.types.iter().map(|resource_type| places(registry, resource_type, code, key));
        let indexes: Result<Vec<_>, _> = indexes.collect();
        let indexes = indexes.map_err(|refusal| match refusal {
            Refusal::Unknown(_) if query.types.len() > 1 => {
                Refusal::bad_value("_sort", key, "a parameter that all types searched have in common")
            }
            refusal => refusal,
        })?;
        query.sorts_by_names |= query.types.iter().any(|resource_type| goes_by_names(registry, resource_type, code));
        query.sort.push(SortKey { indexes: indexes.concat(), descending });
    }
    match query.sort.len() <= SORT_KEYS_MAX {
        true => Ok(()),
        false => Err(Refusal::too_costly(format!("a query may sort by {SORT_KEYS_MAX} keys"))),
    }
}

fn goes_by_names(registry: &Registry, resource_type: &str, code: &str) -> bool {
    let parameter = registry.table(resource_type).and_then(|table| table.get(code));
    parameter.is_some_and(|parameter| match &parameter.kind {
        Kind::Simple(SearchKind::Uri) => true,
        Kind::Simple(SearchKind::Reference) => parameter.shape.target_type != Some("Patient"),
        _ => false,
    })
}

/// The indexes whose values put resources of a type in order.
fn places<'r>(registry: &'r Registry, resource_type: &str, code: &str, key: &str) -> Result<&'r [Index], Refusal> {
    let parameter = parameter(registry, resource_type, code)?;
    match &parameter.kind {
        Kind::Simple(kind) if *kind != SearchKind::Composite => Ok(parameter.places()),
        Kind::LastUpdated => Ok(parameter.places()),
        _ => Err(Refusal::bad_value("_sort", key, "a parameter that has an order")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::parameter_index;
    use crate::testing::{check_refused, query, registry};
    use crate::{Handling, Scope};

    #[test]
    fn sorts_by_indexes_in_order() {
        let sort =
            query("Patient", "_sort=family,-birthdate,-_lastUpdated,_id,gender", Handling::Strict).expect("valid").sort;
        let key = |code, descending| SortKey { indexes: vec![parameter_index("Patient", code)], descending };
        let expected = [
            key("family", false),
            key("birthdate", true),
            key("_lastUpdated", true),
            key("_id", false),
            key("gender", false),
        ];
        assert_eq!(sort, expected);
        assert_eq!(sort[2].indexes[0], registry().time_index("Patient"));
    }

    #[test]
    fn refuses_what_has_no_order() {
        let many = format!("_sort={}", ["family"; SORT_KEYS_MAX + 1].join(","));
        check_refused(
            "Patient",
            &[
                ("_sort=", "parameter `_sort` has the value ``, expected names"),
                ("_sort=nam", "parameter `nam` of Patient is unknown, known are name"),
                ("_sort=family,,gender", "parameter `_sort` has the value `family,,gender`, expected names"),
                ("_sort=-", "parameter `_sort` has the value `-`, expected names"),
                (&many, "a query may sort by 8 keys"),
            ],
        );
        check_refused("Observation", &[("_sort=code-value-quantity", "expected a parameter that has an order")]);
        check_refused("Location", &[("_sort=near", "expected a parameter that has an order")]);
    }

    #[test]
    fn sorts_several_types_by_what_they_have_in_common() {
        let sort = |text: &str| {
            let scope = Scope { resource_type: None, compartment: None };
            let parameters = [("_type".into(), "Patient,Practitioner".into()), ("_sort".into(), text.into())];
            let query = registry().query(&scope, &parameters, Handling::Strict, crate::testing::NOW);
            query.map(|query| query.sort).map_err(|outcome| outcome.to_string())
        };
        let key = |code| SortKey {
            indexes: ["Patient", "Practitioner"].map(|name| parameter_index(name, code)).to_vec(),
            descending: true,
        };
        for code in ["_lastUpdated", "_id", "family"] {
            assert_eq!(sort(&format!("-{code}")), Ok(vec![key(code)]), "{code}");
        }
        for code in ["birthdate", "nothing"] {
            let refused = sort(code).expect_err("refused");
            assert!(refused.contains("expected a parameter that all types searched have in common"), "{refused}");
        }
    }
}
