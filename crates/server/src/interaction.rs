//! What is asked for: the one parser of method, path and query, <https://hl7.org/fhir/R4/http.html#summary>.

use std::borrow::Cow;

use fhir::reference::is_id;
use fhir::{Definitions, IssueType, Outcome};
use hyper::Method;
use repository::audit::Act;
use repository::{DIRECTORY, HistoryScope, Key, Target};
use search::{Compartment, Scope};
use services::{Gives, OPERATIONS, Operation, Subject};

use crate::respond::Refused;

/// One interaction of the RESTful API. HEAD is the GET it heads.
pub(crate) enum Interaction {
    Capabilities,
    Read(Key),
    Vread(Key, String),
    History(HistoryScope),
    Search {
        scope: Scope,
        /// By POST: the body is a form with more parameters.
        posted: bool,
    },
    Create(&'static str),
    Update(Target),
    Patch(Target),
    Delete(Target),
    /// Batch or transaction: the Bundle's type decides.
    Bundle,
    Operation {
        operation: &'static dyn Operation,
        subject: Subject,
        posted: bool,
        /// By DELETE.
        ends: bool,
    },
}

/// The codes of what [`Interaction::parse`] reads at a type or instance, and at the base URL:
/// <https://hl7.org/fhir/R4/valueset-type-restful-interaction.html>, <https://hl7.org/fhir/R4/valueset-system-restful-interaction.html>.
pub const ON_TYPES: [&str; 9] =
    ["read", "vread", "update", "patch", "delete", "history-instance", "history-type", "create", "search-type"];
/// See [`ON_TYPES`].
pub const ON_SYSTEM: [&str; 4] = ["transaction", "batch", "search-system", "history-system"];

/// What the body of an interaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Nothing; a body is ignored.
    Nothing,
    Resource,
    Form,
    Patch,
}

impl Interaction {
    /// Reads a request line. `path` is relative to the base URL, `query` has no `?` and no parameters that steer only the answer's form.
    pub(crate) fn parse(
        method: &Method,
        path: &str,
        query: &str,
        definitions: &'static Definitions,
    ) -> Result<Interaction, Refused> {
        let path = unescape(path.trim_matches('/'));
        let mut segments = [""; SEGMENTS_MAX];
        let mut count = 0;
        for segment in path.split('/').filter(|_| !path.is_empty()) {
            let Some(slot) = segments.get_mut(count) else { return Err(not_found(&path).into()) };
            *slot = segment;
            count += 1;
        }
        let route = Route { method, query, path: &path, definitions };
        match &segments[..count] {
            [] => route.system(),
            ["metadata"] => route.get(Interaction::Capabilities),
            ["_history"] => route.get(Interaction::History(HistoryScope::All)),
            ["_search"] => route.post_search(Scope { resource_type: None, compartment: None }),
            [code] if code.starts_with('$') => route.operation(code, Subject::System),
            [name] => route.of_type(route.resource_type(name)?),
            [name, rest] => route.below_type(route.resource_type(name)?, rest),
            [name, id, rest @ ..] => route.below_instance(route.resource_type(name)?, id, rest),
        }
    }

    /// What the body must be.
    pub(crate) fn expects(&self) -> Expected {
        match self {
            Interaction::Create(_) | Interaction::Update(_) | Interaction::Bundle => Expected::Resource,
            Interaction::Operation { posted: true, .. } => Expected::Resource,
            Interaction::Search { posted: true, .. } => Expected::Form,
            Interaction::Patch(_) => Expected::Patch,
            _ => Expected::Nothing,
        }
    }

    /// The media types beside those of FHIR whose bodies are taken as they are.
    pub(crate) fn takes(&self) -> &'static [&'static str] {
        match self {
            Interaction::Operation { operation, posted: true, .. } => operation.takes(),
            _ => &[],
        }
    }

    /// Whether it is answered to who shows no token.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Interaction::Operation { operation, .. } if operation.is_open())
    }

    /// Whether the answer to this query is a resource, in whatever format.
    pub(crate) fn gives_resource(&self, query: &[(String, String)]) -> bool {
        match self {
            Interaction::Operation { operation, .. } => operation.gives(query) == Gives::Resource,
            _ => true,
        }
    }

    /// Whether it takes no longer than handing it to another thread would.
    pub(crate) fn is_quick(&self) -> bool {
        matches!(self, Interaction::Read(_) | Interaction::Vread(..))
    }

    /// Whether it may change something: then it is never given up halfway.
    pub(crate) fn may_write(&self) -> bool {
        match self {
            Interaction::Operation { operation, ends, .. } => *ends || operation.affects_state(),
            Interaction::Capabilities
            | Interaction::Read(_)
            | Interaction::Vread(..)
            | Interaction::History(_)
            | Interaction::Search { .. } => false,
            _ => true,
        }
    }

    /// Whether it reads or searches what is open to everybody.
    pub(crate) fn is_of_directory(&self) -> bool {
        match self {
            Interaction::Read(key) => DIRECTORY.contains(&key.collection()),
            Interaction::Search { scope: Scope { resource_type: Some(name), compartment: None }, .. } => {
                DIRECTORY.contains(name)
            }
            _ => false,
        }
    }

    /// What the audit calls it, and the operation if it is one.
    pub(crate) fn audited(&self) -> (Act, &'static str) {
        let act = match self {
            Interaction::Capabilities | Interaction::Read(_) => Act::Read,
            Interaction::Vread(..) => Act::Vread,
            Interaction::History(HistoryScope::Document(_)) => Act::HistoryInstance,
            Interaction::History(HistoryScope::Collection(_)) => Act::HistoryType,
            Interaction::History(HistoryScope::All) => Act::HistorySystem,
            Interaction::Search { scope: Scope { resource_type: Some(_), .. }, .. } => Act::SearchType,
            Interaction::Search { .. } => Act::SearchSystem,
            Interaction::Create(_) => Act::Create,
            Interaction::Update(_) => Act::Update,
            Interaction::Patch(_) => Act::Patch,
            Interaction::Delete(_) => Act::Delete,
            Interaction::Bundle => Act::Operation,
            Interaction::Operation { operation, .. } => return (Act::Operation, operation.code()),
        };
        (act, "")
    }

    /// Its code in <https://hl7.org/fhir/R4/valueset-restful-interaction.html>, for metrics and logs.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Interaction::Capabilities => "capabilities",
            Interaction::Read(_) => "read",
            Interaction::Vread(..) => "vread",
            Interaction::History(HistoryScope::All) => "history-system",
            Interaction::History(HistoryScope::Collection(_)) => "history-type",
            Interaction::History(HistoryScope::Document(_)) => "history-instance",
            Interaction::Search { scope: Scope { resource_type: None, compartment: None }, .. } => "search-system",
            Interaction::Search { .. } => "search-type",
            Interaction::Create(_) => "create",
            Interaction::Update(_) => "update",
            Interaction::Patch(_) => "patch",
            Interaction::Delete(_) => "delete",
            Interaction::Bundle => "transaction",
            Interaction::Operation { .. } => "operation",
        }
    }
}

/// `Patient/ann/Observation/_search` is the longest path there is.
const SEGMENTS_MAX: usize = 4;

/// A request line whose path is being read.
struct Route<'a> {
    method: &'a Method,
    query: &'a str,
    path: &'a str,
    definitions: &'static Definitions,
}

impl Route<'_> {
    fn system(&self) -> Result<Interaction, Refused> {
        match *self.method {
            Method::GET => {
                Ok(Interaction::Search { scope: Scope { resource_type: None, compartment: None }, posted: false })
            }
            Method::POST => Ok(Interaction::Bundle),
            _ => Err(self.not_allowed("GET, HEAD, POST")),
        }
    }

    fn of_type(&self, resource_type: &'static str) -> Result<Interaction, Refused> {
        let scope = Scope { resource_type: Some(resource_type), compartment: None };
        match *self.method {
            Method::GET => Ok(Interaction::Search { scope, posted: false }),
            Method::POST => self.create(resource_type),
            Method::PUT => Ok(Interaction::Update(self.criteria(resource_type)?)),
            Method::PATCH => Ok(Interaction::Patch(self.criteria(resource_type)?)),
            Method::DELETE => Ok(Interaction::Delete(self.criteria(resource_type)?)),
            _ => Err(self.not_allowed("GET, HEAD, POST, PUT, PATCH, DELETE")),
        }
    }

    fn below_type(&self, resource_type: &'static str, rest: &str) -> Result<Interaction, Refused> {
        match rest {
            "_search" => self.post_search(Scope { resource_type: Some(resource_type), compartment: None }),
            "_history" => self.get(Interaction::History(HistoryScope::Collection(resource_type.to_owned()))),
            code if code.starts_with('$') => self.operation(code, Subject::Type(resource_type)),
            id => {
                let key = self.key(resource_type, id)?;
                match *self.method {
                    Method::GET => Ok(Interaction::Read(key)),
                    Method::PUT => Ok(Interaction::Update(Target::Key(key))),
                    Method::PATCH => Ok(Interaction::Patch(Target::Key(key))),
                    Method::DELETE => Ok(Interaction::Delete(Target::Key(key))),
                    _ => Err(self.not_allowed("GET, HEAD, PUT, PATCH, DELETE")),
                }
            }
        }
    }

    fn below_instance(&self, resource_type: &'static str, id: &str, rest: &[&str]) -> Result<Interaction, Refused> {
        let key = self.key(resource_type, id)?;
        let compartment = |inner: &str| {
            let resource_type = if inner == "*" { None } else { Some(self.resource_type(inner)?) };
            Ok::<_, Refused>(Scope { resource_type, compartment: Some(self.compartment(key.collection(), id)?) })
        };
        match rest {
            ["_history"] => self.get(Interaction::History(HistoryScope::Document(key))),
            ["_history", version] => self.get(Interaction::Vread(key, (*version).to_owned())),
            [code] if code.starts_with('$') => self.operation(code, Subject::Instance(key)),
            ["_search"] => self.post_search(compartment("*")?),
            [inner] => self.get(Interaction::Search { scope: compartment(inner)?, posted: false }),
            [inner, "_search"] => self.post_search(compartment(inner)?),
            _ => Err(not_found(self.path).into()),
        }
    }

    fn operation(&self, code: &str, subject: Subject) -> Result<Interaction, Refused> {
        let serves = |operation: &dyn Operation| match &subject {
            Subject::System => operation.at_system(),
            Subject::Type(name) => operation.at_types().contains(name),
            Subject::Instance(key) => operation.at_instances().contains(&key.collection()),
        };
        let mut operations = OPERATIONS.iter().filter(|operation| operation.code() == &code[1..]);
        let Some(&operation) = operations.find(|&&operation| serves(operation)) else {
            let text = format!("operation `{code}` is not served at `{}`", self.path);
            return Err(Outcome::new(IssueType::NotFound, text).into());
        };
        match *self.method {
            Method::POST => Ok(Interaction::Operation { operation, subject, posted: true, ends: false }),
            Method::DELETE if operation.can_end() => {
                Ok(Interaction::Operation { operation, subject, posted: false, ends: true })
            }
            Method::GET if !operation.affects_state() => {
                Ok(Interaction::Operation { operation, subject, posted: false, ends: false })
            }
            _ if operation.affects_state() => Err(self.not_allowed("POST")),
            _ if operation.can_end() => Err(self.not_allowed("GET, HEAD, POST, DELETE")),
            _ => Err(self.not_allowed("GET, HEAD, POST")),
        }
    }

    fn get(&self, interaction: Interaction) -> Result<Interaction, Refused> {
        if *self.method == Method::GET { Ok(interaction) } else { Err(self.not_allowed("GET, HEAD")) }
    }

    fn post_search(&self, scope: Scope) -> Result<Interaction, Refused> {
        if *self.method == Method::POST {
            Ok(Interaction::Search { scope, posted: true })
        } else {
            Err(self.not_allowed("POST"))
        }
    }

    fn resource_type(&self, name: &str) -> Result<&'static str, Refused> {
        self.definitions
            .resource_type(name)
            .ok_or_else(|| Outcome::new(IssueType::NotFound, format!("`{name}` is no resource type of FHIR R4")).into())
    }

    fn key(&self, resource_type: &str, id: &str) -> Result<Key, Refused> {
        let key = if is_id(id) { Key::new(resource_type, id) } else { None };
        key.ok_or_else(|| {
            let code = if *self.method == Method::GET { IssueType::NotFound } else { IssueType::BadRequest };
            Outcome::new(code, format!("`{id}` is no id: 1 to 64 letters, digits, `-` and `.`")).into()
        })
    }

    fn compartment(&self, name: &str, id: &str) -> Result<Compartment, Refused> {
        match self.definitions.compartments().iter().find(|compartment| compartment.code == name) {
            Some(compartment) => Ok(Compartment { code: compartment.code, id: id.to_owned() }),
            None => Err(Outcome::new(IssueType::NotFound, format!("there is no compartment `{name}`")).into()),
        }
    }

    fn criteria(&self, resource_type: &'static str) -> Result<Target, Refused> {
        if self.query.is_empty() {
            let text = format!(
                "{} of `{resource_type}` names no resource: give an id or search parameters",
                self.method.as_str()
            );
            return Err(Outcome::new(IssueType::BadRequest, text).into());
        }
        Ok(Target::Criteria { resource_type, query: self.query.to_owned() })
    }

    /// A condition in the URL of a create would be lost: R4 has it in a header. Names that begin with `_` are no conditions.
    fn create(&self, resource_type: &'static str) -> Result<Interaction, Refused> {
        let mut parameters = self.query.split('&');
        match parameters.find(|parameter| !parameter.is_empty() && !parameter.starts_with('_')) {
            None => Ok(Interaction::Create(resource_type)),
            Some(parameter) => {
                let name = parameter.split(['=', ':']).next().unwrap_or_default();
                let text = format!(
                    "POST of `{resource_type}` takes no search parameter, here `{name}`: a conditional create has it in \
                     If-None-Exist, a search is at `{resource_type}/_search`"
                );
                Err(Outcome::new(IssueType::BadRequest, text).into())
            }
        }
    }

    fn not_allowed(&self, allow: &'static str) -> Refused {
        let place = if self.path.is_empty() { "the base URL" } else { &format!("`{}`", self.path) };
        let text = format!("{} is not allowed at {place}, only {allow}", self.method.as_str());
        Refused { outcome: Outcome::new(IssueType::MethodNotAllowed, text), allow: Some(allow) }
    }
}

fn not_found(path: &str) -> Outcome {
    Outcome::new(IssueType::NotFound, format!("there is nothing at `{path}`"))
}

/// Nothing in a FHIR path needs percent-encoding, but clients encode these signs all the same.
fn unescape(path: &str) -> Cow<'_, str> {
    if !path.contains('%') {
        return Cow::Borrowed(path);
    }
    Cow::Owned(path.replace("%24", "$").replace("%2A", "*").replace("%2a", "*").replace("%5F", "_").replace("%5f", "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> String {
        let (method, url) = line.split_once(' ').expect("a method");
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let target = |target: &Target| match target {
            Target::Key(key) => key.as_str().to_owned(),
            Target::Criteria { resource_type, query } => format!("{resource_type}?{query}"),
        };
        match Interaction::parse(&method, path, query, Definitions::r4()) {
            Ok(interaction) => {
                let about = match &interaction {
                    Interaction::Capabilities | Interaction::Bundle => String::new(),
                    Interaction::Read(key) => key.as_str().to_owned(),
                    Interaction::Vread(key, version) => format!("{} {version}", key.as_str()),
                    Interaction::History(HistoryScope::All) => String::new(),
                    Interaction::History(HistoryScope::Collection(name)) => name.clone(),
                    Interaction::History(HistoryScope::Document(key)) => key.as_str().to_owned(),
                    Interaction::Search { scope, posted } => {
                        let compartment = scope.compartment.as_ref();
                        let compartment = compartment.map(|within| format!("{}/{}/", within.code, within.id));
                        format!("{}{} {posted}", compartment.unwrap_or_default(), scope.resource_type.unwrap_or("*"))
                    }
                    Interaction::Create(name) => (*name).to_owned(),
                    Interaction::Update(to) | Interaction::Patch(to) | Interaction::Delete(to) => target(to),
                    Interaction::Operation { operation, .. } => operation.code().to_owned(),
                };
                format!("{} {about}", interaction.code()).trim().to_owned()
            }
            Err(refused) => {
                format!("{:?} {}", refused.outcome.issues[0].code, refused.allow.unwrap_or("")).trim().to_owned()
            }
        }
    }

    #[test]
    fn reads_request_lines() {
        let cases = [
            ("GET ", "search-system * false"),
            ("GET /", "search-system * false"),
            ("POST /", "transaction"),
            ("POST ", "transaction"),
            ("PUT /", "MethodNotAllowed GET, HEAD, POST"),
            ("GET /metadata", "capabilities"),
            ("POST /metadata", "MethodNotAllowed GET, HEAD"),
            ("GET /_history", "history-system"),
            ("POST /_search", "search-system * true"),
            ("GET /_search", "MethodNotAllowed POST"),
            ("GET /Patient", "search-type Patient false"),
            ("GET /Patient/", "search-type Patient false"),
            ("POST /Patient", "create Patient"),
            ("POST /Patient?_unknown=x", "create Patient"),
            ("POST /Patient?identifier=x", "BadRequest"),
            ("PUT /Patient?identifier=x", "update Patient?identifier=x"),
            ("PATCH /Patient?identifier=x", "patch Patient?identifier=x"),
            ("DELETE /Patient?identifier=x", "delete Patient?identifier=x"),
            ("DELETE /Patient", "BadRequest"),
            ("PROPFIND /Patient", "MethodNotAllowed GET, HEAD, POST, PUT, PATCH, DELETE"),
            ("POST /Patient/_search", "search-type Patient true"),
            ("GET /Patient/_history", "history-type Patient"),
            ("GET /Patient/ann", "read Patient/ann"),
            ("GET Patient/ann", "read Patient/ann"),
            ("PUT /Patient/ann", "update Patient/ann"),
            ("PATCH /Patient/ann", "patch Patient/ann"),
            ("DELETE /Patient/ann", "delete Patient/ann"),
            ("POST /Patient/ann", "MethodNotAllowed GET, HEAD, PUT, PATCH, DELETE"),
            ("GET /Patient/a_b", "NotFound"),
            ("PUT /Patient/a_b", "BadRequest"),
            ("GET /Patient/ann/_history", "history-instance Patient/ann"),
            ("GET /Patient/ann/_history/2", "vread Patient/ann 2"),
            ("DELETE /Patient/ann/_history/2", "MethodNotAllowed GET, HEAD"),
            ("GET /Patient/ann/Observation", "search-type Patient/ann/Observation false"),
            ("GET /Patient/ann/*", "search-type Patient/ann/* false"),
            ("GET /Patient/ann/%2A", "search-type Patient/ann/* false"),
            ("POST /Patient/ann/Observation/_search", "search-type Patient/ann/Observation true"),
            ("POST /Patient/ann/_search", "search-type Patient/ann/* true"),
            ("GET /Observation/o/Patient", "NotFound"),
            ("GET /Patient/ann/Nothing", "NotFound"),
            ("GET /Nothing", "NotFound"),
            ("GET /patient/ann", "NotFound"),
            ("GET /Resource/ann", "NotFound"),
            ("GET /$nothing", "NotFound"),
            ("GET /Patient/%24nothing", "NotFound"),
            ("POST /Patient/ann/$nothing", "NotFound"),
            ("GET /Patient//x", "NotFound"),
            ("GET /Patient/ann/_history/2/x", "NotFound"),
            ("GET /Patient/ann/Observation/x", "NotFound"),
        ];
        for (line, expected) in cases {
            assert_eq!(told(line), expected, "{line}");
        }
        for code in ON_TYPES.iter().chain(&ON_SYSTEM).filter(|code| **code != "batch") {
            assert!(cases.iter().any(|(_, told)| told.starts_with(code)), "{code} is claimed and has no route");
        }
    }
}
