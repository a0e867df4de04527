//! What was sent with a call, in whichever way: <https://hl7.org/fhir/R4/operations.html#request>.

use fhir::definitions::StructureKind;
use fhir::validate::text_fault;
use fhir::{Outcome, Reference};

use super::part::{Parts, bad, structure_fits};
use super::{Definition, Holds, Parameter};
use crate::Invocation;

/// Refuses inputs that the definition does not allow.
pub(super) fn check(definition: &Definition, invocation: &Invocation) -> Result<(), Outcome> {
    let mut parts = Parts::of("input", &definition.inputs);
    for (name, text) in &invocation.parameters {
        let parameter = parts.meet(name)?;
        in_query(parameter, text).map_err(|fault| bad(format!("{} {fault}", parts.name(parameter))))?;
    }
    let resource = invocation.resource.as_ref().map(|resource| resource.root());
    match resource {
        Some(root) if root.resource_type() == Some("Parameters") => parts.check(root, "parameter", "Parameters")?,
        Some(root) => {
            let found = root.resource_type().unwrap_or_default();
            let Some(at) = definition.alone() else {
                let text =
                    format!("the operation takes its inputs as Parameters, not as {}", fhir::outcome::quoted(found));
                return Err(bad(text));
            };
            let parameter = parts.meet_at(at);
            if let Holds::Resource(wanted) = parameter.holds {
                structure_fits(root, wanted.name).map_err(|found| {
                    bad(format!("{} is {found}; it takes a {}", parts.name(parameter), wanted.name))
                })?;
            }
        }
        // The body itself, of a media type that the operation takes.
        None if invocation.raw.is_some() => {
            definition.alone().map(|at| parts.meet_at(at));
        }
        None => {}
    }
    parts.finish()
}

/// What is wrong with a value in the query: primitive ones are sent there, and references as literal ones are written.
fn in_query(parameter: &Parameter, text: &str) -> Result<(), String> {
    match &parameter.holds {
        Holds::Value(structure, _) if structure.kind == StructureKind::Primitive => match text_fault(structure, text) {
            Some(fault) => Err(format!("has a wrong value: {fault}")),
            None => Ok(()),
        },
        Holds::Value(structure, _) if structure.name == "Reference" => match Reference::parse(text) {
            Some(_) => Ok(()),
            None => Err(format!("has a wrong value: {} is no reference", fhir::outcome::quoted(text))),
        },
        _ => Err("has elements, and so is sent in a Parameters resource, not in the query".to_owned()),
    }
}
