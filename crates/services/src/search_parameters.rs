//! `$search-parameters`: how far the search parameters are that SearchParameter resources state.

use bytes::Bytes;
use fhir::Outcome;
use fhir::json::quote;
use repository::{ParameterState, Session};

use crate::{Invocation, Operation};

/// A parameter `searchParameter` for each code and base type: id, url, code, base, status (`active` or `indexing`), and while it is
/// indexed done and total, which only those are told who may see all resources of the type.
pub(crate) struct SearchParameters;

impl Operation for SearchParameters {
    fn code(&self) -> &'static str {
        "search-parameters"
    }

    fn definition(&self) -> &'static str {
        "https://flint.example/fhir/OperationDefinition/search-parameters"
    }

    fn at_system(&self) -> bool {
        true
    }

    fn affects_state(&self) -> bool {
        false
    }

    fn run(&self, session: &Session<'_>, _: &Invocation) -> Result<Bytes, Outcome> {
        let states: Vec<_> = session.search_parameters()?.iter().map(parameter).collect();
        let states = match states.is_empty() {
            true => String::new(),
            false => format!(r#","parameter":[{}]"#, states.join(",")),
        };
        Ok(format!(r#"{{"resourceType":"Parameters"{states}}}"#).into())
    }
}

fn parameter(state: &ParameterState) -> String {
    let status = if state.is_active { "active" } else { "indexing" };
    let mut parts = vec![
        format!(r#"{{"name":"id","valueId":{}}}"#, quote(&state.id)),
        format!(r#"{{"name":"url","valueUri":{}}}"#, quote(&state.url)),
        format!(r#"{{"name":"code","valueCode":{}}}"#, quote(&state.code)),
        format!(r#"{{"name":"base","valueCode":{}}}"#, quote(&state.base)),
        format!(r#"{{"name":"status","valueCode":"{status}"}}"#),
    ];
    if let Some((done, total)) = state.progress {
        parts.push(format!(r#"{{"name":"done","valueDecimal":{done}}}"#));
        parts.push(format!(r#"{{"name":"total","valueDecimal":{total}}}"#));
    }
    format!(r#"{{"name":"searchParameter","part":[{}]}}"#, parts.join(","))
}
