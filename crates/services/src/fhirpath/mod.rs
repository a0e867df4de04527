//! `$fhirpath`: evaluates an expression, in the form that tools such as FHIRPath Lab use.
//!
//! Inputs, as query parameters or in a Parameters resource:
//!
//! - `expression`: the FHIRPath expression. Required.
//! - `resource`: what it is evaluated on; also as text in an extension `json-value` or `xml-value`. On an instance it is the stored
//!   resource, where none is given. Without any, the expression has no input: `2 + 2`.
//! - `context`: an expression that says on which elements of the resource to evaluate, each by itself.
//! - `variables`: for each part a variable of its name, with its value or resource.
//! - `validate`: true to be told too what is wrong with the expression whatever the data: a part `validation`, an OperationOutcome.
//!
//! The answer is a Parameters resource:
//!
//! - `parameters`: the inputs again, and as parts `evaluator` and, where it can be told, `expectedReturnType`.
//! - `result` for each element that `context` gives, with its path as value, else one: for each item of the result a part that is named
//!   by its type and has its value, with its path in an extension `resource-path`. What can be no value of a parameter is in an extension
//!   `json-value`. For each `trace()` a part `trace` with the given name as value and its items as parts.
//!
//! An expression with an error is refused; diagnostics say at which character, counted from 0.

mod answer;

use std::borrow::Cow;

use bytes::Bytes;
use fhir::fhirpath::{Context, ElementNode, EvaluationError, Expression, Item, ParseError, Problem, Steps, Targets};
use fhir::json::{Document, Kind, Node, quote};
use fhir::outcome::quoted;
use fhir::{Definitions, Issue, IssueType, Outcome};
use repository::Session;

use self::answer::Answer;
use crate::inputs::Inputs;
use crate::{Invocation, Operation, Subject};

/// A context may be so many elements.
const CONTEXTS_MAX: usize = 1_000;

/// An object of a resource may have so many members; R4's largest type has fewer than 100 elements.
const MEMBERS_MAX: usize = 256;

/// A call may bring so many variables.
const VARIABLES_MAX: usize = 100;

const EXTENSION_BASE: &str = "http://fhir.forms-lab.com/StructureDefinition/";

pub(crate) struct FhirPath;

impl Operation for FhirPath {
    fn code(&self) -> &'static str {
        "fhirpath"
    }

    fn definition(&self) -> &'static str {
        "https://flint.example/fhir/OperationDefinition/fhirpath"
    }

    fn at_system(&self) -> bool {
        true
    }

    fn at_instances(&self) -> &'static [&'static str] {
        Definitions::r4().resource_types()
    }

    fn affects_state(&self) -> bool {
        false
    }

    fn run(&self, session: &Session<'_>, invocation: &Invocation) -> Result<Bytes, Outcome> {
        let inputs = Inputs::of(invocation);
        inputs.refuse("terminologyserver", "terminology is answered by this server and the one it is set up with")?;
        let expression = inputs.needed("expression")?;
        let question = Question {
            expression: Asked::parse("expression", expression)?,
            context: inputs.text("context")?.map(|text| Asked::parse("context", text)).transpose()?,
            resource: resource(session, invocation, &inputs)?,
            is_validated: inputs.flag("validate")?.unwrap_or(false),
            inputs,
        };
        question.answer(session)
    }
}

/// An expression and its text.
struct Asked<'a> {
    input: &'static str,
    text: Cow<'a, str>,
    parsed: Expression,
}

impl<'a> Asked<'a> {
    fn parse(input: &'static str, text: Cow<'a, str>) -> Result<Asked<'a>, Outcome> {
        match Expression::parse(&text) {
            Ok(parsed) => Ok(Asked { input, text, parsed }),
            Err(ParseError { at, message }) => Err(fault(IssueType::BadRequest, input, &text, Some(at), &message)),
        }
    }

    fn failed(&self, error: &EvaluationError) -> Outcome {
        fault(IssueType::Processing, self.input, &self.text, error.at, &error.message)
    }
}

fn fault(code: IssueType, input: &str, text: &str, at: Option<usize>, message: &str) -> Outcome {
    let place = at.map(|at| format!(" at {}", character(text, at))).unwrap_or_default();
    Outcome::new(code, format!("the input `{input}` has an error{place}: {message}"))
}

/// A place in bytes as one in characters.
fn character(text: &str, at: usize) -> usize {
    text.char_indices().take_while(|(place, _)| *place < at).count()
}

/// What one call asks.
struct Question<'a> {
    inputs: Inputs<'a>,
    expression: Asked<'a>,
    context: Option<Asked<'a>>,
    resource: Option<Document>,
    is_validated: bool,
}

impl Question<'_> {
    fn answer(&self, session: &Session<'_>) -> Result<Bytes, Outcome> {
        let definitions = Definitions::r4();
        let root = self.resource.as_ref().map(|resource| element(definitions, resource)).transpose()?;
        let named = variables(definitions, &self.inputs)?;
        let variables: Vec<_> = named.iter().map(|(name, items)| (&**name, items.clone())).collect();
        let library = session.library();
        let targets = Targets::new(&library);
        let context = Context {
            resolver: Some(&targets),
            library: Some(&library),
            variables: &variables,
            ..Context::of(definitions, root, session.now())
        };
        let mut steps = Steps::default();
        let mut answer = Answer::new(definitions, root);
        answer.add(&self.echo(definitions, root))?;
        for (at, input) in self.contexts(&context, root, &mut steps)?.into_iter().enumerate() {
            let (items, traces) = self.expression.parsed.trace(&context, input.clone(), &mut steps);
            let items = items.map_err(|error| self.expression.failed(&error))?;
            let place = match (&self.context, &input) {
                (Some(asked), Some(input)) => Some(answer.place(input).unwrap_or(format!("{}[{at}]", asked.text))),
                _ => None,
            };
            answer.result(place.as_deref(), &items, &traces)?;
        }
        Ok(answer.finish())
    }

    /// What was asked, and by whom it is answered.
    fn echo(&self, definitions: &'static Definitions, root: Option<ElementNode<'_>>) -> String {
        let part = |name: &str, text: &str| format!(r#"{{"name":"{name}","valueString":{}}}"#, quote(text));
        let mut parts = vec![part("evaluator", concat!("Flint ", env!("CARGO_PKG_VERSION"), " (R4)"))];
        parts.push(part("expression", &self.expression.text));
        parts.extend(self.context.as_ref().map(|asked| part("context", &asked.text)));
        if let Some(resource) = &self.resource {
            parts.push(format!(r#"{{"name":"resource","resource":{}}}"#, resource.text()));
        }
        let variables = self.inputs.parts().filter(|(name, _)| name == "variables");
        parts.extend(variables.map(|(_, node)| node.raw().to_owned()));
        if let Some(root) = root
            && self.context.is_none()
        {
            let checked = self.expression.parsed.check(definitions, root.structure);
            parts.extend(checked.result.map(|result| part("expectedReturnType", &result)));
            if self.is_validated {
                let told = Outcome { issues: self.told(checked.problems) };
                parts.push(format!(r#"{{"name":"validation","resource":{}}}"#, told.to_json()));
            }
        }
        format!(r#"{{"name":"parameters","part":[{}]}}"#, parts.join(","))
    }

    fn told(&self, problems: Vec<Problem>) -> Vec<Issue> {
        if problems.is_empty() {
            return vec![Issue::information("all ok")];
        }
        let text = |problem: Problem| {
            let at = character(&self.expression.text, problem.at);
            Issue::warning(IssueType::Invalid, format!("at {at}: {}", problem.message))
        };
        problems.into_iter().map(text).collect()
    }

    /// The inputs to evaluate on, one after another.
    fn contexts<'a>(
        &'a self,
        context: &Context<'a>,
        root: Option<ElementNode<'a>>,
        steps: &mut Steps,
    ) -> Result<Vec<Option<Item<'a>>>, Outcome> {
        let root = root.map(Item::Element);
        let Some(asked) = &self.context else { return Ok(vec![root]) };
        let (items, _) = asked.parsed.trace(context, root, steps);
        let items = items.map_err(|error| asked.failed(&error))?;
        if items.len() > CONTEXTS_MAX {
            let text = format!("the input `context` gives {} items, at most {CONTEXTS_MAX} are evaluated", items.len());
            return Err(Outcome::new(IssueType::TooCostly, text));
        }
        Ok(items.into_iter().map(Some).collect())
    }
}

fn element<'a>(definitions: &'static Definitions, resource: &'a Document) -> Result<ElementNode<'a>, Outcome> {
    let root = resource.root();
    refuse_wide(root, "resource")?;
    ElementNode::resource(definitions, root).ok_or_else(|| {
        let found = quoted(root.resource_type().unwrap_or_default());
        Outcome::new(
            IssueType::Structure,
            format!("the input `resource` has the resourceType {found}, not one of R4's"),
        )
    })
}

/// Refuses a resource, the value of an input, in which members are not found quickly.
pub(crate) fn refuse_wide(resource: Node<'_>, input: &str) -> Result<(), Outcome> {
    if is_narrow(resource) {
        return Ok(());
    }
    let text = format!("the input `{input}` has an object of more than {MEMBERS_MAX} members");
    Err(Outcome::new(IssueType::TooCostly, text))
}

/// Whether members are quickly found everywhere. The depth of JSON bounds the recursion.
fn is_narrow(node: Node<'_>) -> bool {
    match node.kind() {
        Kind::Object => node.members().count() <= MEMBERS_MAX && node.members().all(|(_, member)| is_narrow(member)),
        Kind::Array => node.items().all(is_narrow),
        _ => true,
    }
}

/// What is asked about: what was sent, else what is stored.
fn resource(session: &Session<'_>, invocation: &Invocation, inputs: &Inputs<'_>) -> Result<Option<Document>, Outcome> {
    if let Some(node) = inputs.resource("resource") {
        return Ok(Some(Document::parse(node.raw().as_bytes())?));
    }
    if let Some((_, part)) = inputs.parts().find(|(name, _)| name == "resource") {
        return written(part).map(Some);
    }
    match &invocation.subject {
        Subject::Instance(key) => {
            let version = session.read(key)?;
            Ok(Some(Document::parse(version.body.as_deref().unwrap_or_default())?))
        }
        Subject::System | Subject::Type(_) => Ok(None),
    }
}

/// A resource as text in an extension.
fn written(part: Node<'_>) -> Result<Document, Outcome> {
    let text = |name: &str| {
        let url = format!("{EXTENSION_BASE}{name}");
        let extension = part.get("extension")?.items().find(|it| it.get("url").is_some_and(|it| it.is_str(&url)))?;
        extension.get("valueString")?.as_str()
    };
    match (text("json-value"), text("xml-value")) {
        (Some(json), _) => Ok(Document::parse(json.as_bytes())?),
        (None, Some(xml)) => fhir::xml::parse(Definitions::r4(), xml.as_bytes()),
        (None, None) => {
            Err(Outcome::new(IssueType::BadRequest, "the input `resource` has no resource, and none in an extension"))
        }
    }
}

/// A name and its items.
type Variable<'a> = (Cow<'a, str>, Vec<Item<'a>>);

/// The caller's variables: parts of one name are one variable of several items.
fn variables<'a>(definitions: &'static Definitions, inputs: &Inputs<'a>) -> Result<Vec<Variable<'a>>, Outcome> {
    let mut variables: Vec<Variable<'a>> = Vec::new();
    let structure = definitions.structure("Parameters.parameter").expect("R4 defines it");
    for (_, node) in inputs.parts().filter(|(name, _)| name == "variables") {
        let parameter = ElementNode { value: Some(node), sibling: None, structure, element: None };
        for part in parameter.members(definitions, "part") {
            let Some(name) = part.value.and_then(|part| part.get("name")?.as_str()) else {
                return Err(Outcome::new(IssueType::BadRequest, "a part of the input `variables` has no name"));
            };
            let values = part.members(definitions, "value").into_iter().chain(part.members(definitions, "resource"));
            let values = values.map(Item::Element);
            match variables.iter_mut().find(|(known, _)| *known == name) {
                Some((_, items)) => items.extend(values),
                None => variables.push((name, values.collect())),
            }
            if variables.len() > VARIABLES_MAX {
                let text = format!("the input `variables` has more than {VARIABLES_MAX} names");
                return Err(Outcome::new(IssueType::TooCostly, text));
            }
        }
    }
    Ok(variables)
}
