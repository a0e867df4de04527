//! OperationDefinitions, <https://hl7.org/fhir/R4/operationdefinition.html>: what an operation takes and answers, checked in one place for all.
//!
//! Invariants:
//! - What is checked is what this server publishes of its own operations, whatever definitions are stored: a package must not change what an
//!   operation of this program takes. An operation without such a definition is not checked.
//! - A definition is parsed once. A check looks at each parameter that was sent once.

mod answered;
mod given;
mod part;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use fhir::definitions::{Structure, StructureKind};
use fhir::json::{Document, Node};
use fhir::{Definitions, IssueType, Outcome, published};
use repository::Session;

use crate::{Answered, Gives, Invocation, OPERATIONS, Operation};

/// What the definition of an operation says about its parameters.
#[derive(Debug)]
struct Definition {
    inputs: Vec<Parameter>,
    outputs: Vec<Parameter>,
}

/// A parameter, or a part of one.
#[derive(Debug)]
struct Parameter {
    name: String,
    /// How often it is there at least.
    min: usize,
    /// How often it is there at most; `None` for any number.
    max: Option<usize>,
    holds: Holds,
}

/// What a parameter holds.
#[derive(Debug)]
enum Holds {
    /// A value of this data type or one that specializes it; of any for `Element`. A reference leads to one of the types, or to any if none
    /// are named.
    Value(&'static Structure, Vec<String>),
    /// A resource of this type; of any for `Resource`.
    Resource(&'static Structure),
    Parts(Vec<Parameter>),
    /// What its documentation says: the type is `BackboneElement`.
    Anything,
}

/// By canonical url.
static DEFINITIONS: LazyLock<HashMap<&'static str, Definition>> = LazyLock::new(|| {
    let urls = OPERATIONS.iter().map(|operation| operation.definition());
    let definition = |url| published::resource("OperationDefinition", url).and_then(|it| Definition::parse(&it));
    urls.filter_map(|url| Some((url, definition(url)?))).collect()
});

/// Does what is asked of an operation, with the inputs that its definition allows and no others.
pub fn call(operation: &dyn Operation, session: &Session<'_>, invocation: &Invocation) -> Result<Answered, Outcome> {
    let definition = DEFINITIONS.get(operation.definition());
    if let Some(definition) = definition {
        given::check(definition, invocation)?;
    }
    let answered = operation.answer(session, invocation)?;
    if cfg!(debug_assertions)
        && operation.gives(&invocation.parameters) == Gives::Resource
        && let (Some(definition), Answered::Bytes(answer)) = (definition, &answered)
    {
        answered::check(definition, answer).map_err(|fault| {
            let text = format!("the answer of `${}` is not what its definition says: {fault}", operation.code());
            // Callers are not told causes, and tests have no log.
            eprintln!("{text}");
            Outcome::new(IssueType::Exception, text)
        })?;
    }
    Ok(answered)
}

impl Definition {
    /// `None` for one that says less than a definition must, or names no type of R4. Ours all parse: a test looks at them.
    fn parse(document: &Document) -> Option<Definition> {
        let all: Vec<_> = document.root().get("parameter").into_iter().flat_map(Node::items).collect();
        let of = |usage: &str| {
            let used = all.iter().filter(|it| it.get("use").is_some_and(|it| it.is_str(usage)));
            used.map(|it| Parameter::parse(*it)).collect::<Option<Vec<_>>>()
        };
        Some(Definition { inputs: of("in")?, outputs: of("out")? })
    }

    /// The input that a resource is which was sent alone: the only one that is a resource.
    fn alone(&self) -> Option<usize> {
        let mut resources = (0..self.inputs.len()).filter(|&at| matches!(self.inputs[at].holds, Holds::Resource(_)));
        resources.next().filter(|_| resources.next().is_none())
    }

    /// The type of a resource that is the answer itself and no part of Parameters.
    fn returns(&self) -> Option<&'static Structure> {
        match &self.outputs[..] {
            [Parameter { name, holds: Holds::Resource(structure), .. }] if name == "return" => Some(structure),
            _ => None,
        }
    }
}

impl Parameter {
    fn parse(node: Node<'_>) -> Option<Parameter> {
        let text = |name: &str| node.get(name).and_then(Node::as_str);
        let max = match text("max")?.as_ref() {
            "*" => None,
            most => Some(most.parse().ok()?),
        };
        let holds = match text("type") {
            Some(name) => Holds::of_type(&name, targets(node))?,
            None => Holds::Parts(node.get("part")?.items().map(Parameter::parse).collect::<Option<_>>()?),
        };
        Some(Parameter { name: text("name")?.into_owned(), min: node.get("min")?.raw().parse().ok()?, max, holds })
    }
}

impl Holds {
    fn of_type(name: &str, targets: Vec<String>) -> Option<Holds> {
        let structure = Definitions::r4().structure(match name {
            "Any" => "Resource",
            "Type" | "*" => "Element",
            "SimpleQuantity" | "MoneyQuantity" => "Quantity",
            name => name,
        })?;
        Some(match structure.kind {
            _ if structure.name == "BackboneElement" => Holds::Anything,
            StructureKind::Resource => Holds::Resource(structure),
            _ => Holds::Value(structure, targets),
        })
    }
}

/// The resource types that `targetProfile` names. A profile on one says nothing of its type, and then any will do.
fn targets(parameter: Node<'_>) -> Vec<String> {
    let profiles = parameter.get("targetProfile").into_iter().flat_map(Node::items).filter_map(Node::as_str);
    let name = |url: Cow<'_, str>| Some(url.strip_prefix("http://hl7.org/fhir/StructureDefinition/")?.to_owned());
    let names: Option<Vec<_>> = profiles.map(name).collect();
    names.filter(|names| names.iter().all(|name| Definitions::r4().is_resource_type(name))).unwrap_or_default()
}
