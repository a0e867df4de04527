//! The response, item by item.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};

use fhir::fhirpath::{ElementNode, Item, Steps, Targets};
use fhir::json::{Document, Node, quote};
use fhir::validate::Depth;
use fhir::{Definitions, Issue, IssueType, Outcome, Severity};
use repository::{Key, Session};

use super::super::extension::{extension, extensions};
use super::super::questionnaire::{canonical, kind};
use super::asked::{Asked, Launch, stored};
use super::convert::answer;
use super::expression::{Evaluator, Expressed, Ready, Variable};
use super::observation::{Bound, is_linked};

const VARIABLE: &str = "http://hl7.org/fhir/StructureDefinition/variable";
const INITIAL: &str = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-initialExpression";
const POPULATION_CONTEXT: &str =
    "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-itemPopulationContext";

/// A group or a question comes at most so often.
const REPETITIONS_MAX: usize = 200;

/// A response has at most so many bytes.
const LENGTH_MAX: usize = 4 << 20;

/// Fills a form in: the response, and what is to be told of it.
pub(super) fn filled(session: &Session<'_>, asked: &Asked<'_>) -> Result<(String, Vec<Issue>), Outcome> {
    let form = asked.form.root();
    let mut head = format!(
        r#"{{"resourceType":"QuestionnaireResponse","questionnaire":{},"status":"in-progress""#,
        quote(&canonical(form)?)
    );
    head.extend(asked.subject.map(|subject| format!(r#","subject":{}"#, subject.raw())));
    let definitions = Definitions::r4();
    let library = session.library();
    let targets = Targets::new(&library);
    let empty = Document::parse(format!("{head}}}").as_bytes())?;
    let Some(response) = ElementNode::resource(definitions, empty.root()) else {
        return Err(Outcome::new(IssueType::Exception, "a response is no resource"));
    };
    let evaluator = Evaluator {
        session,
        definitions,
        library: &library,
        targets: &targets,
        response,
        now: session.now(),
        is_local: asked.is_local,
        steps: RefCell::new(Steps::default()),
        queries: Cell::new(0),
        handed: Cell::new(0),
        issues: RefCell::default(),
    };
    let filling = Filling { evaluator: &evaluator, subject: asked.subject_key(session), left: Cell::new(LENGTH_MAX) };
    let mut items = Vec::new();
    filling.begin(asked, &mut |scope| {
        items = filling.items(form, scope, None)?;
        Ok(())
    })?;
    let text = format!("{head}{}}}", member("item", &items));
    if !asked.is_sent {
        // As a write would find it; what is answered and not enabled is told too, for whoever fills in the rest to decide.
        let found = library.validator(Depth::Write).validate(&Document::parse(text.as_bytes())?, &[]);
        for issue in found.into_iter().filter(|issue| issue.severity <= Severity::Warning) {
            evaluator.add(Issue { severity: Severity::Warning, ..issue });
        }
    }
    let issues = evaluator.issues.take();
    Ok((text, issues))
}

struct Filling<'p> {
    evaluator: &'p Evaluator<'p>,
    subject: Option<Key>,
    /// How long the response may still become.
    left: Cell<usize>,
}

impl Filling<'_> {
    /// Lets `then` see the launch contexts and the variables of the form.
    fn begin(
        &self,
        asked: &Asked<'_>,
        then: &mut dyn FnMut(&[Variable<'_>]) -> Result<(), Outcome>,
    ) -> Result<(), Outcome> {
        let form = asked.form.root();
        let launches = Launch::all(form);
        let declared = declared(form, "".into());
        let is_known = |name: &str| {
            launches.iter().any(|launch| launch.name == name) || declared.iter().any(|variable| variable.name == name)
        };
        if let Some(other) = asked.contexts.iter().find(|context| !is_known(&context.name)) {
            let name = fhir::outcome::quoted(&other.name);
            let text = format!("the questionnaire has neither a launch context nor a variable {name}");
            return Err(Outcome::new(IssueType::BadRequest, text));
        }
        let mut here = Vec::new();
        for launch in launches.iter().filter(|launch| asked.context(&launch.name).is_none()) {
            here.extend(self.known(launch)?.map(|document| (launch.name.as_str(), document)));
        }
        let mut scope: Vec<Variable<'_>> = Vec::new();
        scope.push(("questionnaire", self.evaluator.resource(&asked.form).into_iter().collect()));
        for context in &asked.contexts {
            let items = context.resources.iter().filter_map(|resource| self.evaluator.resource(resource));
            scope.push((context.name.as_str(), items.collect()));
        }
        for (name, document) in &here {
            scope.push((*name, self.evaluator.resource(document).into_iter().collect()));
        }
        for launch in &launches {
            if !scope.iter().any(|(name, _)| *name == launch.name) {
                let text = format!("the launch context `{}` was not given", launch.name);
                self.evaluator.add(Issue::warning(IssueType::Informational, text));
                scope.push((launch.name.as_str(), Vec::new()));
            }
        }
        let left: Vec<_> = declared.into_iter().filter(|variable| asked.context(&variable.name).is_none()).collect();
        self.evaluator.within(&scope, &left, then)
    }

    /// What this server knows a launch context to be: whom the response is about, or who asks.
    fn known(&self, launch: &Launch) -> Result<Option<Document>, Outcome> {
        let session = self.evaluator.session;
        let user = session.requester().and_then(|requester| requester.user.clone()).filter(|_| launch.name == "user");
        let subject = self.subject.clone().filter(|_| launch.name != "user");
        let fits = |key: &Key| launch.types.iter().any(|name| name == key.collection());
        match user.or(subject).filter(|key| self.evaluator.is_local && fits(key)) {
            Some(key) => stored(session, &key).map(Some),
            None => Ok(None),
        }
    }

    /// The items in an item or in the form.
    fn items(&self, node: Node<'_>, scope: &[Variable<'_>], bound: Option<&Bound>) -> Result<Vec<String>, Outcome> {
        let mut written = Vec::new();
        for item in node.get("item").into_iter().flat_map(Node::items) {
            let link_id = text(item, "linkId");
            self.evaluator.within(scope, &declared(item, link_id), &mut |scope| {
                written.append(&mut self.item(item, scope, bound)?);
                Ok(())
            })?;
        }
        Ok(written)
    }

    fn item(&self, item: Node<'_>, scope: &[Variable<'_>], bound: Option<&Bound>) -> Result<Vec<String>, Outcome> {
        match kind(item).as_ref() {
            "group" => self.group(item, scope, bound),
            "display" => Ok(vec![self.written(item, String::new())?]),
            _ => {
                let answers = self.answers(item, scope, bound)?;
                Ok(vec![self.written(item, member("answer", &answers))?])
            }
        }
    }

    /// A group, once for each item of its context.
    fn group(&self, item: Node<'_>, scope: &[Variable<'_>], bound: Option<&Bound>) -> Result<Vec<String>, Outcome> {
        let observed = if is_linked(item) { self.evaluator.observed(item, self.subject.as_ref()) } else { Vec::new() };
        let own = observed.into_iter().next().map(|observation| self.evaluator.bind(observation));
        let bound = own.as_ref().or(bound);
        let once = |scope: &[Variable<'_>]| -> Result<String, Outcome> {
            self.written(item, member("item", &self.items(item, scope, bound)?))
        };
        let link_id = text(item, "linkId");
        let context = extension(item, POPULATION_CONTEXT).and_then(|it| Expressed::of(it, link_id.clone()));
        let Some(context) = context else { return Ok(vec![once(scope)?]) };
        let ready = self.evaluator.prepare(&context, scope);
        let items = self.evaluator.items(&context, &ready, scope);
        let items = match &ready {
            Ready::Found(_) => items.into_iter().flat_map(|item| self.found(item)).collect(),
            Ready::Path(_) | Ready::Nothing => items,
        };
        let most = if repeats(item) { REPETITIONS_MAX } else { 1 };
        if items.len() > most {
            let text = format!("only the first {most} of {} are filled in", items.len());
            self.evaluator.tell_item(&link_id, IssueType::TooCostly, &text);
        }
        let repetitions: Vec<_> = match items.is_empty() {
            true => vec![Vec::new()],
            false => items.into_iter().take(most).map(|item| vec![item]).collect(),
        };
        let mut written = Vec::with_capacity(repetitions.len());
        for items in repetitions {
            written.push(once(&self.evaluator.wider(scope, &context.name, items)?)?);
        }
        Ok(written)
    }

    /// What a query has found: the resources of its Bundle, or itself.
    fn found<'x>(&self, item: Item<'x>) -> Vec<Item<'x>> {
        let definitions = self.evaluator.definitions;
        match item.as_element().filter(|element| element.structure.name == "Bundle") {
            Some(bundle) => {
                let entries = bundle.members(definitions, "entry").into_iter();
                entries.flat_map(|entry| entry.members(definitions, "resource")).map(Item::Element).collect()
            }
            None => vec![item],
        }
    }

    /// The answers to a question, each with the items in it.
    fn answers(
        &self,
        question: Node<'_>,
        scope: &[Variable<'_>],
        bound: Option<&Bound>,
    ) -> Result<Vec<String>, Outcome> {
        let link_id = text(question, "linkId");
        let initial = extension(question, INITIAL).and_then(|it| Expressed::of(it, link_id.clone()));
        let mut values = Vec::new();
        let mut own = None;
        if let Some(initial) = initial {
            let ready = self.evaluator.prepare(&initial, scope);
            let items = self.evaluator.items(&initial, &ready, scope);
            let items: Vec<_> = match &ready {
                Ready::Found(_) => items.into_iter().flat_map(|item| self.found(item)).collect(),
                Ready::Path(_) | Ready::Nothing => items,
            };
            values = self.converted(question, &items);
        } else if let Some(bound) = bound.filter(|_| question.get("code").is_some()) {
            values = self.converted(question, &self.evaluator.bound(bound, question));
        } else if is_linked(question) {
            for observation in self.evaluator.observed(question, self.subject.as_ref()) {
                let value = self.evaluator.value_of(&observation);
                let fitting = value.and_then(|value| answer(self.evaluator.definitions, question, &value).ok());
                if let Some(fitting) = fitting {
                    values = vec![fitting];
                    own = Some(self.evaluator.bind(observation));
                    break;
                }
            }
        } else {
            let initials = question.get("initial").into_iter().flat_map(Node::items);
            let members = initials.filter_map(|it| it.members().find(|(name, _)| name.starts_with("value")));
            values = members.map(|(name, value)| format!(r#""{name}":{}"#, value.raw())).collect();
        }
        let most = if repeats(question) { REPETITIONS_MAX } else { 1 };
        if values.len() > most {
            let text = format!("only the first {most} of {} values are filled in", values.len());
            self.evaluator.tell_item(&link_id, IssueType::TooCostly, &text);
        }
        let bound = own.as_ref().or(bound);
        let answers = values.into_iter().take(most).map(|value| {
            self.spend(value.len())?;
            let items = self.items(question, scope, bound)?;
            Ok(format!("{{{value}{}}}", member("item", &items)))
        });
        answers.collect()
    }

    /// Values as answers; what can be none is told.
    fn converted(&self, question: Node<'_>, items: &[Item<'_>]) -> Vec<String> {
        let mut values = Vec::new();
        for item in items {
            match answer(self.evaluator.definitions, question, item) {
                Ok(value) => values.push(value),
                Err(why) => self.evaluator.tell_item(&text(question, "linkId"), IssueType::Value, &why),
            }
        }
        values
    }

    /// An item of the response with the rest of its members.
    fn written(&self, item: Node<'_>, rest: String) -> Result<String, Outcome> {
        let mut json = format!(r#"{{"linkId":{}"#, item.get("linkId").map_or("\"\"", Node::raw));
        for name in ["definition", "text"] {
            json.extend(item.get(name).map(|node| format!(r#","{name}":{}"#, node.raw())));
        }
        self.spend(json.len())?;
        Ok(format!("{json}{rest}}}"))
    }

    /// Counts what the response becomes longer by; refuses one that would become too long.
    fn spend(&self, length: usize) -> Result<(), Outcome> {
        let left = self.left.get().checked_sub(length).ok_or_else(|| {
            let text = format!("the response would have more than {LENGTH_MAX} bytes");
            Outcome::new(IssueType::TooCostly, text)
        })?;
        self.left.set(left);
        Ok(())
    }
}

/// The variables of an item, or of the form.
fn declared<'q>(node: Node<'q>, link_id: Cow<'q, str>) -> Vec<Expressed<'q>> {
    extensions(node, VARIABLE).filter_map(|it| Expressed::of(it, link_id.clone())).collect()
}

fn text<'q>(node: Node<'q>, name: &str) -> Cow<'q, str> {
    node.get(name).and_then(Node::as_str).unwrap_or_default()
}

fn repeats(item: Node<'_>) -> bool {
    item.get("repeats").and_then(Node::as_bool) == Some(true)
}

/// A member with these items, after a comma; nothing when there are none.
fn member(name: &str, items: &[String]) -> String {
    match items.is_empty() {
        true => String::new(),
        false => format!(r#","{name}":[{}]"#, items.join(",")),
    }
}
