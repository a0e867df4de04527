//! A Questionnaire's items, and a response's, each as a list in document order.

use std::borrow::Cow;
use std::collections::HashMap;

use rustc_hash::FxHashMap;

use crate::json::Node;

/// What a Questionnaire asks.
pub(super) struct Form<'q> {
    pub(super) questionnaire: Node<'q>,
    pub(super) questions: Vec<Question<'q>>,
    /// Hashed at random, because link ids come from callers.
    by_link_id: HashMap<Cow<'q, str>, usize>,
}

/// An item of a Questionnaire.
pub(super) struct Question<'q> {
    pub(super) node: Node<'q>,
    pub(super) link_id: Cow<'q, str>,
    pub(super) kind: Kind,
    /// The item that it stands in.
    pub(super) parent: Option<usize>,
    /// The items in it.
    pub(super) children: Vec<usize>,
}

/// `Questionnaire.item.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Group,
    Display,
    Choice,
    OpenChoice,
    /// A question whose answers have this type.
    Plain(&'static str),
    /// One that R4 does not know.
    Other,
}

impl Kind {
    fn parse(code: &str) -> Kind {
        match code {
            "group" => Kind::Group,
            "display" => Kind::Display,
            "choice" => Kind::Choice,
            "open-choice" => Kind::OpenChoice,
            "boolean" => Kind::Plain("Boolean"),
            "decimal" => Kind::Plain("Decimal"),
            "integer" => Kind::Plain("Integer"),
            "date" => Kind::Plain("Date"),
            "dateTime" => Kind::Plain("DateTime"),
            "time" => Kind::Plain("Time"),
            "string" | "text" => Kind::Plain("String"),
            "url" => Kind::Plain("Uri"),
            "attachment" => Kind::Plain("Attachment"),
            "reference" => Kind::Plain("Reference"),
            "quantity" => Kind::Plain("Quantity"),
            _ => Kind::Other,
        }
    }
}

impl<'q> Form<'q> {
    pub(super) fn of(questionnaire: Node<'q>) -> Form<'q> {
        let mut form = Form { questionnaire, questions: Vec::new(), by_link_id: HashMap::new() };
        form.add(questionnaire, None);
        form
    }

    /// The depth of JSON bounds the recursion.
    fn add(&mut self, node: Node<'q>, parent: Option<usize>) {
        for node in items(node) {
            let text = |name: &str| node.get(name).and_then(Node::as_str).unwrap_or_default();
            let (link_id, kind) = (text("linkId"), Kind::parse(&text("type")));
            let at = self.questions.len();
            self.by_link_id.entry(link_id.clone()).or_insert(at);
            self.questions.push(Question { node, link_id, kind, parent, children: Vec::new() });
            if let Some(parent) = parent {
                self.questions[parent].children.push(at);
            }
            self.add(node, Some(at));
        }
    }

    pub(super) fn find(&self, link_id: &str) -> Option<usize> {
        self.by_link_id.get(link_id).copied()
    }

    /// The items in an item, or those in none.
    pub(super) fn below(&self, parent: Option<usize>) -> Cow<'_, [usize]> {
        match parent {
            Some(parent) => Cow::Borrowed(&self.questions[parent].children),
            None => (0..self.questions.len()).filter(|&at| self.questions[at].parent.is_none()).collect(),
        }
    }
}

impl Question<'_> {
    /// A member that is `true`.
    pub(super) fn is(&self, name: &str) -> bool {
        self.node.get(name).and_then(Node::as_bool) == Some(true)
    }

    pub(super) fn is_required(&self) -> bool {
        self.is("required")
    }

    /// Its `enableWhen`.
    pub(super) fn conditions(&self) -> impl Iterator<Item = Node<'_>> {
        self.node.get("enableWhen").into_iter().flat_map(Node::items)
    }
}

/// What a QuestionnaireResponse tells.
pub(super) struct Response<'a> {
    pub(super) given: Vec<Given<'a>>,
    /// Hashed at random, because link ids come from callers.
    by_link_id: HashMap<Cow<'a, str>, Vec<usize>>,
    by_position: FxHashMap<u32, usize>,
}

/// An item of a QuestionnaireResponse.
pub(super) struct Given<'a> {
    pub(super) node: Node<'a>,
    /// The item that it stands in, directly or below an answer.
    pub(super) parent: Option<usize>,
    /// One past the last item in it.
    pub(super) end: usize,
    /// Whether it has an answer, or an item in it has.
    pub(super) is_answered: bool,
}

impl<'a> Response<'a> {
    pub(super) fn of(response: Node<'a>) -> Response<'a> {
        let mut all = Response { given: Vec::new(), by_link_id: HashMap::new(), by_position: FxHashMap::default() };
        all.add(response, None);
        all
    }

    /// The depth of JSON bounds the recursion.
    fn add(&mut self, node: Node<'a>, parent: Option<usize>) -> bool {
        let mut is_any_answered = false;
        for node in items(node) {
            let at = self.given.len();
            let link_id = node.get("linkId").and_then(Node::as_str).unwrap_or_default();
            self.by_link_id.entry(link_id).or_default().push(at);
            self.by_position.insert(node.position(), at);
            self.given.push(Given { node, parent, end: at, is_answered: false });
            let mut is_answered = self.add(node, Some(at));
            for answer in answers(node) {
                is_answered |= !answer.is_empty();
                self.add(answer, Some(at));
            }
            self.given[at].end = self.given.len();
            self.given[at].is_answered = is_answered;
            is_any_answered |= is_answered;
        }
        is_any_answered
    }

    /// The number of an item: how many are before it.
    pub(super) fn number(&self, item: Node<'a>) -> usize {
        self.by_position.get(&item.position()).copied().unwrap_or_default()
    }

    /// The item of a link id that is meant at a place: the nearest in the innermost item around the place that has one, those before
    /// it first. `around` is the item in which the place is, `at` the number of the items before it.
    pub(super) fn nearest(&self, link_id: &str, around: Option<usize>, at: usize) -> Option<&Given<'a>> {
        let all = self.by_link_id.get(link_id)?;
        let mut around = around;
        loop {
            let (start, end) = match around {
                Some(around) => (around, self.given[around].end),
                None => (0, self.given.len()),
            };
            let inside = &all[all.partition_point(|&it| it < start)..all.partition_point(|&it| it < end)];
            let before = inside.partition_point(|&it| it < at);
            let found = inside[..before].last().or(inside.first());
            match (found, around) {
                (Some(&found), _) => return Some(&self.given[found]),
                (None, Some(outer)) => around = self.given[outer].parent,
                (None, None) => return None,
            }
        }
    }
}

/// The items of a questionnaire, a response, an item or an answer.
pub(super) fn items(node: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    node.get("item").into_iter().flat_map(Node::items)
}

/// The answers of a response's item.
pub(super) fn answers(node: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    node.get("answer").into_iter().flat_map(Node::items)
}

/// `value[x]` or the like: the type with an upper-case first letter, and the value.
pub(super) fn typed<'a>(node: Node<'a>, stem: &str) -> Option<(&'a str, Node<'a>)> {
    node.members().find_map(|(name, value)| Some((name.strip_prefix(stem)?, value)))
}
