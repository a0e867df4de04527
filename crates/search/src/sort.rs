//! `_sort`, <https://hl7.org/fhir/R4/search.html#sort>.

use fhir::definitions::SearchKind;
use store::SortKey;

use crate::Query;
use crate::compile::parameter;
use crate::parameter::Kind;
use crate::refusal::Refusal;
use crate::registry::Registry;

/// How many keys one query may sort by.
pub(crate) const SORT_KEYS_MAX: usize = 8;

pub(crate) fn apply(registry: &Registry, query: &mut Query, value: &str) -> Result<(), Refusal> {
    let [resource_type] = query.types.as_slice() else {
        return Err(Refusal::bad("parameter `_sort` needs a search of one type".to_owned()));
    };
    for key in value.split(',') {
        let (code, descending) = key.strip_prefix('-').map_or((key, false), |code| (code, true));
        let parameter = parameter(registry, resource_type, code)?;
        match &parameter.kind {
            Kind::Simple(kind) if *kind != SearchKind::Composite => {}
            Kind::LastUpdated => {}
            _ => return Err(Refusal::bad_value("_sort", key, "a parameter that has an order")),
        }
        query.sort.push(SortKey { indexes: vec![parameter.index], descending });
    }
    match query.sort.len() <= SORT_KEYS_MAX {
        true => Ok(()),
        false => Err(Refusal::too_costly(format!("a query may sort by {SORT_KEYS_MAX} keys"))),
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
                ("_sort=", "parameter `` of Patient is unknown"),
                ("_sort=nam", "parameter `nam` of Patient is unknown, known are name"),
                ("_sort=family,,gender", "parameter `` of Patient is unknown"),
                (&many, "a query may sort by 8 keys"),
            ],
        );
        check_refused("Observation", &[("_sort=code-value-quantity", "expected a parameter that has an order")]);
        check_refused("Location", &[("_sort=near", "expected a parameter that has an order")]);
        let everywhere = Scope { resource_type: None, compartment: None };
        let sorted =
            registry().query(&everywhere, &[("_sort".into(), "_id".into())], Handling::Strict, crate::testing::NOW);
        assert!(sorted.expect_err("refused").to_string().contains("parameter `_sort` needs a search of one type"));
    }
}
