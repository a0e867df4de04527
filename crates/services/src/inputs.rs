//! What an operation was given, in whichever way: query parameters, a Parameters resource, or a resource alone,
//! <https://hl7.org/fhir/R4/operations.html#request>.

use std::borrow::Cow;

use fhir::json::{Document, Kind, Node};
use fhir::{IssueType, Outcome};

use crate::Invocation;

/// The inputs of one call by name.
pub(crate) struct Inputs<'a> {
    query: &'a [(String, String)],
    /// The Parameters resource.
    parameters: Option<Node<'a>>,
    /// A resource that was sent alone: the value of the operation's only resource parameter, whatever that is called.
    alone: Option<&'a Document>,
}

impl<'a> Inputs<'a> {
    /// Those of the query alone, when the body is not the inputs.
    pub(crate) fn of_query(query: &'a [(String, String)]) -> Inputs<'a> {
        Inputs { query, parameters: None, alone: None }
    }

    /// All that were sent. Where the operation has a definition, they are as it allows: [`crate::call`] has seen to that.
    pub(crate) fn of(invocation: &'a Invocation) -> Inputs<'a> {
        let resource = invocation.resource.as_ref();
        let is_parameters = resource.is_some_and(|it| it.root().resource_type() == Some("Parameters"));
        Inputs {
            query: &invocation.parameters,
            parameters: resource.filter(|_| is_parameters).map(Document::root),
            alone: resource.filter(|_| !is_parameters),
        }
    }

    /// Refuses names that are not among `known`, where the operation has no definition of ours: a misspelled input must not be passed over.
    pub(crate) fn known(self, known: &[&str]) -> Result<Inputs<'a>, Outcome> {
        let names = self.query.iter().map(|(name, _)| Cow::Borrowed(name.as_str()));
        let unknown = names.chain(self.parts().map(|(name, _)| name)).find(|name| !known.contains(&name.as_ref()));
        match unknown {
            Some(name) => {
                let text =
                    format!("the operation has no input {}; it has {}", fhir::outcome::quoted(&name), known.join(", "));
                Err(Outcome::new(IssueType::BadRequest, text))
            }
            None => Ok(self),
        }
    }

    /// Every parameter of the Parameters resource with its name, in order; only the outermost.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (Cow<'a, str>, Node<'a>)> + use<'a> {
        parts(self.parameters, "parameter")
    }

    /// The texts of an input that may repeat: of the query, and of values that are strings, codes, uris, numbers or booleans.
    pub(crate) fn texts(&self, name: &str) -> Vec<Cow<'a, str>> {
        let query =
            self.query.iter().filter(|(known, _)| known == name).map(|(_, value)| Cow::Borrowed(value.as_str()));
        let values = self.parts().filter(|(known, _)| known == name).filter_map(|(_, part)| text(value(part)?));
        query.chain(values).collect()
    }

    /// The text of an input; refused when there are several, and when it is something else.
    pub(crate) fn text(&self, name: &str) -> Result<Option<Cow<'a, str>>, Outcome> {
        let mut texts = self.texts(name);
        match texts.len() {
            0 if self.is_given(name) => {
                Err(Outcome::new(IssueType::BadRequest, format!("the input `{name}` must have a value that is a text")))
            }
            0 | 1 => Ok(texts.pop()),
            _ => Err(Outcome::new(IssueType::BadRequest, format!("the input `{name}` is given more than once"))),
        }
    }

    /// The text of an input that must be given.
    pub(crate) fn needed(&self, name: &str) -> Result<Cow<'a, str>, Outcome> {
        self.text(name)?.ok_or_else(|| Outcome::new(IssueType::Required, format!("the input `{name}` is missing")))
    }

    /// A yes or no.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, Outcome> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        match text.as_ref() {
            "true" => Ok(Some(true)),
            "false" => Ok(Some(false)),
            other => {
                let other = fhir::outcome::quoted(other);
                Err(Outcome::new(IssueType::BadRequest, format!("the input `{name}` is {other}, not true or false")))
            }
        }
    }

    /// The values of an input of any data type.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = Node<'a>> {
        self.parts().filter(move |(known, _)| known == name).filter_map(|(_, part)| value(part))
    }

    /// The value of an input of a data type that has elements; refused in a query, which cannot hold it, and when there are several.
    pub(crate) fn complex(&self, name: &str) -> Result<Option<Node<'a>>, Outcome> {
        let mut values = self.values(name);
        let refuse = |what: &str| Err(Outcome::new(IssueType::BadRequest, format!("the input `{name}` {what}")));
        if self.query.iter().any(|(known, _)| known == name) {
            return refuse("has elements, and so is sent in a Parameters resource, not in the query");
        }
        match (values.next(), values.next()) {
            (Some(_), Some(_)) => refuse("is given more than once"),
            (Some(value), None) if value.kind() != Kind::Object => refuse("must have a value with elements"),
            (value, _) => Ok(value),
        }
    }

    /// A number of things, such as a page's length.
    pub(crate) fn number(&self, name: &str) -> Result<Option<usize>, Outcome> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        // No page reaches further than this; a number beyond says the same.
        let number = text.parse::<u32>().ok().and_then(|number| usize::try_from(number).ok());
        number.map(Some).ok_or_else(|| {
            let text = format!("the input `{name}` is {}, not a number from 0 on", fhir::outcome::quoted(&text));
            Outcome::new(IssueType::BadRequest, text)
        })
    }

    /// Whether an input is given, in whatever form.
    pub(crate) fn is_given(&self, name: &str) -> bool {
        self.query.iter().any(|(known, _)| known == name) || self.parts().any(|(known, _)| known == name)
    }

    /// Refuses an input that the operation has and this server does not serve, and says why.
    pub(crate) fn refuse(&self, name: &str, why: &str) -> Result<(), Outcome> {
        match self.is_given(name) {
            true => Err(Outcome::new(IssueType::NotSupported, format!("the input `{name}` is not served: {why}"))),
            false => Ok(()),
        }
    }

    /// Refuses a resource that was sent alone to an operation that takes none.
    pub(crate) fn refuse_alone(&self) -> Result<(), Outcome> {
        match self.alone.and_then(|alone| alone.root().resource_type()) {
            Some(other) => {
                let text =
                    format!("the operation takes its inputs as Parameters, not as {}", fhir::outcome::quoted(other));
                Err(Outcome::new(IssueType::BadRequest, text))
            }
            None => Ok(()),
        }
    }

    /// The resources of an input that may repeat.
    pub(crate) fn resources(&self, name: &str) -> impl Iterator<Item = Node<'a>> {
        self.parts().filter(move |(known, _)| known == name).filter_map(|(_, part)| part.get("resource"))
    }

    /// The resource of an input, or the one that was sent alone.
    pub(crate) fn resource(&self, name: &str) -> Option<Node<'a>> {
        let named = self.parts().find(|(known, _)| known == name).and_then(|(_, part)| part.get("resource"));
        named.or(self.alone.map(Document::root))
    }
}

/// The parts of a parameter that is made of parts.
pub(crate) fn parts<'a>(
    of: Option<Node<'a>>,
    member: &'static str,
) -> impl Iterator<Item = (Cow<'a, str>, Node<'a>)> + use<'a> {
    let parts = of.and_then(|of| of.get(member)).into_iter().flat_map(Node::items);
    parts.filter_map(|part| Some((part.get("name")?.as_str()?, part)))
}

/// `value[x]` of a parameter.
pub(crate) fn value(part: Node<'_>) -> Option<Node<'_>> {
    part.members().find(|(name, _)| name.starts_with("value")).map(|(_, value)| value)
}

fn text(value: Node<'_>) -> Option<Cow<'_, str>> {
    match value.as_str() {
        Some(text) => Some(text),
        None if matches!(value.kind(), Kind::Array | Kind::Object) => None,
        None => Some(Cow::Borrowed(value.raw())),
    }
}
