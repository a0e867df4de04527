//! Expressions of a form: FHIRPath, and FHIR queries through the caller's session.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};

use fhir::fhirpath::{Context, ElementNode, Expression, Item, Steps, Targets};
use fhir::json::{Document, Node};
use fhir::outcome::quoted;
use fhir::{Definitions, Instant, Issue, IssueType, Library, Outcome};
use repository::{Count, Page, SearchRequest, Session, parse_query_string, query_string};
use search::{Handling, Scope as Searched};

use super::asked::stored;

/// So many queries may one call make, those for Observations included.
const QUERIES_MAX: usize = 100;

/// So many matches a query gives; what is beyond is told.
const MATCHES_MAX: usize = 200;

/// So many issues are told.
const ISSUES_MAX: usize = 200;

/// So many variables may be declared around one item: each is a step down.
const VARIABLES_MAX: usize = 200;

/// So many items of variables are handed on from item to item in all.
const HANDED_MAX: usize = 10_000_000;

/// A name and what it stands for.
pub(super) type Variable<'s> = (&'s str, Vec<Item<'s>>);

/// An Expression, <https://hl7.org/fhir/R4/metadatatypes.html#Expression>, with the item that has it.
pub(super) struct Expressed<'q> {
    pub(super) name: Cow<'q, str>,
    language: Cow<'q, str>,
    text: Cow<'q, str>,
    /// The link id of the item; empty for the form itself.
    link_id: Cow<'q, str>,
}

/// An expression that is ready to give its items.
pub(super) enum Ready {
    Path(Expression),
    Found(Document),
    Nothing,
}

/// What all expressions of one call share.
pub(super) struct Evaluator<'p> {
    pub(super) session: &'p Session<'p>,
    pub(super) definitions: &'static Definitions,
    pub(super) library: &'p dyn Library,
    pub(super) targets: &'p Targets<'p>,
    /// `%resource`: the response, without its items.
    pub(super) response: ElementNode<'p>,
    pub(super) now: Instant,
    /// Whether queries may be made.
    pub(super) is_local: bool,
    pub(super) steps: RefCell<Steps>,
    pub(super) queries: Cell<usize>,
    pub(super) handed: Cell<usize>,
    pub(super) issues: RefCell<Vec<Issue>>,
}

impl<'q> Expressed<'q> {
    /// `valueExpression` of an extension on the item of this link id.
    pub(super) fn of(extension: Node<'q>, link_id: Cow<'q, str>) -> Option<Expressed<'q>> {
        let expression = extension.get("valueExpression")?;
        let text = |name: &str| expression.get(name).and_then(Node::as_str).unwrap_or_default();
        Some(Expressed { name: text("name"), language: text("language"), text: text("expression"), link_id })
    }
}

impl<'p> Evaluator<'p> {
    /// Evaluates `declared` one after another, each with those before it, and lets `then` look at all of them.
    pub(super) fn within(
        &self,
        scope: &[Variable<'_>],
        declared: &[Expressed<'_>],
        then: &mut dyn FnMut(&[Variable<'_>]) -> Result<(), Outcome>,
    ) -> Result<(), Outcome> {
        let Some((first, rest)) = declared.split_first() else { return then(scope) };
        if scope.len() >= VARIABLES_MAX {
            let text = format!("the questionnaire declares more than {VARIABLES_MAX} variables around one item");
            return Err(Outcome::new(IssueType::TooCostly, text));
        }
        let ready = self.prepare(first, scope);
        let wider = self.wider(scope, &first.name, self.items(first, &ready, scope))?;
        self.within(&wider, rest, then)
    }

    /// The scope with one more variable.
    pub(super) fn wider<'x>(
        &self,
        scope: &[Variable<'x>],
        name: &'x str,
        items: Vec<Item<'x>>,
    ) -> Result<Vec<Variable<'x>>, Outcome> {
        let handed = scope.iter().map(|(_, items)| items.len() + 1).sum::<usize>() + self.handed.get();
        self.handed.set(handed);
        if handed > HANDED_MAX {
            return Err(Outcome::new(IssueType::TooCostly, "the questionnaire's variables hold too much"));
        }
        let mut wider = scope.to_vec();
        wider.push((name, items));
        Ok(wider)
    }

    /// Parses the expression, or makes the query. What cannot be is told, and gives nothing.
    pub(super) fn prepare(&self, expressed: &Expressed<'_>, scope: &[Variable<'_>]) -> Ready {
        let done = match expressed.language.as_ref() {
            "text/fhirpath" => Expression::parse(&expressed.text)
                .map(Ready::Path)
                .map_err(|error| Outcome::new(IssueType::Invalid, format!("at {}: {}", error.at, error.message))),
            "application/x-fhir-query" if !self.is_local => {
                let text = "the query is made only when the input `local` is true";
                Err(Outcome::new(IssueType::Informational, text))
            }
            "application/x-fhir-query" => self.query(&expressed.text, scope).map(Ready::Found),
            other => Err(Outcome::new(IssueType::NotSupported, format!("the language {} is not known", quoted(other)))),
        };
        done.unwrap_or_else(|outcome| {
            self.tell(expressed, outcome);
            Ready::Nothing
        })
    }

    /// The items that an expression gives; of a query, the Bundle it was answered with.
    pub(super) fn items<'x>(
        &'x self,
        expressed: &Expressed<'_>,
        ready: &'x Ready,
        scope: &'x [Variable<'x>],
    ) -> Vec<Item<'x>> {
        match ready {
            Ready::Nothing => Vec::new(),
            Ready::Found(document) => self.resource(document).into_iter().collect(),
            Ready::Path(expression) => match self.evaluate(expression, scope) {
                Ok(items) => items,
                Err(outcome) => {
                    self.tell(expressed, outcome);
                    Vec::new()
                }
            },
        }
    }

    /// A resource as an item.
    pub(super) fn resource<'x>(&self, document: &'x Document) -> Option<Item<'x>> {
        ElementNode::resource(self.definitions, document.root()).map(Item::Element)
    }

    fn evaluate<'x>(&'x self, expression: &'x Expression, scope: &'x [Variable<'x>]) -> Result<Vec<Item<'x>>, Outcome> {
        let context = Context {
            resolver: Some(self.targets),
            library: Some(self.library),
            variables: scope,
            ..Context::of(self.definitions, Some(self.response), self.now)
        };
        let mut steps = *self.steps.borrow();
        let (items, _) = expression.trace(&context, Some(Item::Element(self.response)), &mut steps);
        self.steps.replace(steps);
        match items {
            Ok(items) => Ok(items.into_iter().collect()),
            Err(error) => Err(Outcome::new(IssueType::Processing, error.message)),
        }
    }

    /// What a query finds, as a searchset; what a path such as `Patient/ann` leads to, as it is.
    fn query(&self, text: &str, scope: &[Variable<'_>]) -> Result<Document, Outcome> {
        let text = self.filled(text, scope)?;
        self.spend_query()?;
        let Some((name, query)) = text.split_once('?') else {
            let key = self.session.local(&text).ok_or_else(|| {
                Outcome::new(IssueType::Invalid, format!("{} is no query of this server", quoted(&text)))
            })?;
            return stored(self.session, &key);
        };
        let known = self.definitions.resource_type(name);
        let known =
            known.ok_or_else(|| Outcome::new(IssueType::Invalid, format!("there is no type {}", quoted(name))))?;
        let searched = Searched { resource_type: Some(known), compartment: None };
        let parameters = parse_query_string(query)?;
        let query = self.session.registry().query(&searched, &parameters, Handling::Strict, self.now)?;
        let limit = query.count.map_or(MATCHES_MAX, |count| count.clamp(1, MATCHES_MAX));
        let request = SearchRequest { query: &query, page: Page::First, limit, total: Count::None, explain: false };
        let found = self.session.search(&request)?;
        if found.next.is_some() && query.count.is_none() {
            let text = format!("of what {} finds only the first {limit} are looked at", quoted(&text));
            self.add(Issue::warning(IssueType::TooCostly, text));
        }
        let bodies = found.matches.iter().chain(&found.included).filter_map(|version| version.body.as_deref());
        let entries = bodies.map(|body| format!(r#"{{"resource":{}}}"#, String::from_utf8_lossy(body)));
        let entries = entries.collect::<Vec<_>>().join(",");
        let entry = if entries.is_empty() { String::new() } else { format!(r#","entry":[{entries}]"#) };
        Ok(Document::parse(format!(r#"{{"resourceType":"Bundle","type":"searchset"{entry}}}"#).as_bytes())?)
    }

    /// The query with its `{{expressions}}` evaluated and encoded.
    fn filled(&self, text: &str, scope: &[Variable<'_>]) -> Result<String, Outcome> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((inner, after)) = after.split_once("}}") else { break };
            let expression = Expression::parse(inner)
                .map_err(|error| Outcome::new(IssueType::Invalid, format!("at {}: {}", error.at, error.message)))?;
            let items = self.evaluate(&expression, scope)?;
            if items.is_empty() {
                let text = format!("{} gives nothing, so the query is not made", quoted(inner));
                return Err(Outcome::new(IssueType::Informational, text));
            }
            let values = items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            filled.push_str(before);
            filled.push_str(query_string([("", values.as_str())]).trim_start_matches('='));
            rest = after;
        }
        Ok(filled + rest)
    }

    /// Counts a query; refuses when there are too many.
    pub(super) fn spend_query(&self) -> Result<(), Outcome> {
        let made = self.queries.get() + 1;
        self.queries.set(made);
        match made > QUERIES_MAX {
            true => Err(Outcome::new(IssueType::TooCostly, format!("more than {QUERIES_MAX} queries are not made"))),
            false => Ok(()),
        }
    }

    fn tell(&self, expressed: &Expressed<'_>, outcome: Outcome) {
        let what = match (expressed.name.as_ref(), expressed.link_id.as_ref()) {
            ("", link_id) => format!("the item {}", quoted(link_id)),
            (name, "") => format!("the variable {}", quoted(name)),
            (name, link_id) => format!("the variable {} of the item {}", quoted(name), quoted(link_id)),
        };
        for issue in outcome.issues {
            self.add(Issue::warning(issue.code, format!("{what} is left empty: {}", issue.diagnostics)));
        }
    }

    /// Tells of an item that could not be filled in.
    pub(super) fn tell_item(&self, link_id: &str, code: IssueType, text: &str) {
        self.add(Issue::warning(code, format!("the item {}: {text}", quoted(link_id))));
    }

    pub(super) fn add(&self, issue: Issue) {
        let mut issues = self.issues.borrow_mut();
        if issues.len() < ISSUES_MAX {
            issues.push(issue);
        }
    }
}
