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
        query.sort.push(SortKey { index: parameter.index, descending });
    }
    match query.sort.len() <= SORT_KEYS_MAX {
        true => Ok(()),
        false => Err(Refusal::too_costly(format!("a query may sort by {SORT_KEYS_MAX} keys"))),
    }
}
