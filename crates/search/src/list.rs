//! `_list`, <https://hl7.org/fhir/R4/search.html#list>: resources that a List refers to.

use fhir::reference::is_id;
use store::Key;

use crate::compile::Asked;
use crate::escape::split;
use crate::refusal::Refusal;
use crate::registry::Registry;
use crate::row::{any, of_type, parameter_index};
use crate::{Criterion, canonical};

/// How many lists one parameter may name.
const LISTS_MAX: usize = 100;

/// Resources of a type on one of the lists that the value names by their ids.
pub(crate) fn criterion(
    registry: &Registry,
    resource_type: &'static str,
    asked: Asked<'_>,
) -> Result<Criterion, Refusal> {
    let mut lists = Vec::new();
    for id in split(asked.value, b',') {
        if id.starts_with('$') {
            let text = "this server keeps no functional lists, name a List by its id".to_owned();
            return Err(Refusal::bad(format!("parameter `_list` has the value `{id}`, {text}")));
        }
        let key = Some(id).filter(|id| is_id(id)).and_then(|id| Key::new("List", id));
        let key = key.ok_or_else(|| Refusal::bad_value("_list", id, "the id of a List"))?;
        lists.push(registry.identity(&key));
        if lists.len() > LISTS_MAX {
            return Err(Refusal::too_costly(format!("parameter `_list` may name {LISTS_MAX} lists")));
        }
        asked.budget.spend(1)?;
    }
    Ok(Criterion::Has {
        references: vec![parameter_index("List", "item")],
        names: canonical::names(registry, [resource_type]),
        target_type: resource_type,
        source_type: "List",
        source: Box::new(Criterion::Filter(of_type("List").and(any(lists)))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Handling;
    use crate::testing::{check_refused, query};

    #[test]
    fn names_lists_by_id() {
        let long = vec!["x"; LISTS_MAX].join(",");
        for text in ["_list=42", "_list=42,43", "organization._list=42", &format!("_list={long}")] {
            assert!(query("Patient", text, Handling::Strict).is_ok(), "{text}");
        }
        check_refused(
            "Patient",
            &[
                ("_list=", "parameter `_list` has the value ``, expected the id of a List"),
                ("_list=List/42", "expected the id of a List"),
                ("_list=$current-allergies", "this server keeps no functional lists"),
                (&format!("_list={long},x"), "parameter `_list` may name 100 lists"),
            ],
        );
    }
}
