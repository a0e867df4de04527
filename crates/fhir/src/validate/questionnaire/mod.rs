//! A QuestionnaireResponse against its Questionnaire, <https://hl7.org/fhir/R4/questionnaireresponse.html#notes>.

mod answer;
mod compare;
mod enabled;
mod form;

#[cfg(test)]
mod tests;

use rustc_hash::FxHashSet;

use super::Validator;
use super::issues::Issues;
use super::path::Path;
use crate::Reference;
use crate::json::Node;
use crate::outcome::{IssueType, Severity, quoted};
use crate::terminology::Canonical;
use enabled::is_enabled;
use form::{Form, Kind, Question, Response, answers, items};

/// Statuses of responses that need not be whole.
const UNFINISHED: [&str; 3] = ["in-progress", "stopped", "entered-in-error"];

/// How many items are compared with one that is looked for, for the price of a step.
const POSITIONS_PER_STEP: usize = 64;

/// One response beside its form.
struct Check<'v, 'a> {
    validator: &'v Validator<'v>,
    issues: &'v mut Issues,
    form: &'v Form<'a>,
    response: &'v Response<'a>,
    /// What the walk around may still take: each item that a place may have is a step, each condition and each option looked at.
    steps_left: &'v mut u64,
    /// Whether what is required must be there.
    is_finished: bool,
}

/// Checks a QuestionnaireResponse; `container` is itself, or the resource that contains it.
pub(super) fn check(
    validator: &Validator<'_>,
    issues: &mut Issues,
    steps_left: &mut u64,
    node: Node<'_>,
    container: Node<'_>,
    path: &Path<'_>,
) {
    let Some(canonical) = node.get("questionnaire").and_then(Node::as_str) else { return };
    let place = path.child("questionnaire");
    let known;
    let questionnaire = match canonical.strip_prefix('#') {
        Some(id) => {
            let mut contained = container.get("contained").into_iter().flat_map(Node::items);
            contained.find(|it| it.get("id").is_some_and(|it| it.is_str(id)))
        }
        None => match validator.library.questionnaire(Canonical::parse(&canonical)) {
            Ok(found) => {
                known = found;
                known.as_deref().map(|document| document.root())
            }
            Err(outcome) => {
                return issues.add(&place, Severity::Warning, outcome_code(&outcome), || {
                    format!("the questionnaire {} cannot be used: {outcome}", quoted(&canonical))
                });
            }
        },
    };
    let Some(questionnaire) = questionnaire.filter(|it| it.resource_type() == Some("Questionnaire")) else {
        return issues.add(&place, Severity::Warning, IssueType::NotFound, || {
            format!("the questionnaire {} is not known here, so the answers were not checked", quoted(&canonical))
        });
    };
    let (form, response) = (Form::of(questionnaire), Response::of(node));
    let is_finished = !UNFINISHED.iter().any(|status| node.get("status").is_some_and(|it| it.is_str(status)));
    let mut check = Check { validator, issues, form: &form, response: &response, steps_left, is_finished };
    check.spend(form.questions.len());
    check.subject(node, path);
    check.items(node, None, None, path);
}

fn outcome_code(outcome: &crate::Outcome) -> IssueType {
    outcome.worst().map_or(IssueType::NotSupported, |issue| issue.code)
}

impl<'a> Check<'_, 'a> {
    /// Takes steps; false when there are none left.
    fn spend(&mut self, steps: usize) -> bool {
        *self.steps_left = self.steps_left.saturating_sub(steps as u64);
        *self.steps_left > 0
    }

    fn subject(&mut self, node: Node<'a>, path: &Path<'_>) {
        let mut types = self.form.questionnaire.get("subjectType").into_iter().flat_map(Node::items).peekable();
        let reference = node.path(&["subject", "reference"]).and_then(Node::as_str);
        let found = match reference.as_deref().and_then(Reference::parse) {
            Some(Reference::Relative { resource_type, .. } | Reference::Absolute { resource_type, .. }) => {
                resource_type
            }
            _ => return,
        };
        if types.peek().is_some() && !types.any(|it| it.is_str(found)) {
            self.issues.error(&path.child("subject"), IssueType::Value, || {
                format!("the subject is a {}, which the questionnaire is not about", quoted(found))
            });
        }
    }

    /// Checks the items of the response, of an item or of an answer. `parent` is the question they stand below, `around` the item of the
    /// response that is about it. The depth of JSON bounds the recursion.
    fn items(&mut self, node: Node<'a>, parent: Option<usize>, around: Option<usize>, path: &Path<'_>) {
        let form = self.form;
        let expected = form.below(parent);
        if !self.spend(expected.len()) {
            return;
        }
        let mut seen = FxHashSet::default();
        let mut furthest = 0;
        for (index, item) in items(node).enumerate() {
            let path = path.child("item");
            let path = path.item(index);
            if !self.spend(1 + expected.len() / POSITIONS_PER_STEP) {
                return;
            }
            let link_id = item.get("linkId").and_then(Node::as_str).unwrap_or_default();
            let place =
                self.form.find(&link_id).and_then(|known| Some((known, expected.iter().position(|it| *it == known)?)));
            match place {
                Some((known, order)) => {
                    let question = &self.form.questions[known];
                    if order < furthest {
                        let before = &self.form.questions[expected[furthest]].link_id;
                        self.issues.error(&path, IssueType::Structure, || {
                            format!(
                                "the item {} stands before {} in the questionnaire",
                                quoted(&link_id),
                                quoted(before)
                            )
                        });
                    }
                    furthest = furthest.max(order);
                    let is_first = seen.insert(known);
                    if !is_first && (question.kind != Kind::Group || !question.is("repeats")) {
                        self.issues.error(&path, IssueType::Structure, || match question.kind {
                            Kind::Group => format!("the group {} does not repeat", quoted(&link_id)),
                            _ => format!("all answers to the question {} stand in one item", quoted(&link_id)),
                        });
                    }
                    self.item(item, known, around, &path);
                }
                None => self.misplaced(&link_id, parent, &path),
            }
        }
        for &missing in expected.iter().filter(|it| !seen.contains(*it)) {
            let question = &self.form.questions[missing];
            if self.is_wanted(question, around) {
                self.issues.error(path, IssueType::Required, || {
                    format!("the item {} is required and is missing", quoted(&question.link_id))
                });
            }
        }
    }

    /// An item that the questionnaire does not have, or not here.
    fn misplaced(&mut self, link_id: &str, parent: Option<usize>, path: &Path<'_>) {
        let place = |of: Option<usize>| match of {
            Some(of) => format!("below {}", quoted(&self.form.questions[of].link_id)),
            None => "at the top".to_owned(),
        };
        let message = match self.form.find(link_id) {
            Some(known) => {
                let right = place(self.form.questions[known].parent);
                format!("the item {} stands {right} in the questionnaire, not {}", quoted(link_id), place(parent))
            }
            None => format!("the questionnaire has no item {}", quoted(link_id)),
        };
        self.issues.error(path, IssueType::Structure, || message);
    }

    /// Checks one item.
    fn item(&mut self, item: Node<'a>, known: usize, around: Option<usize>, path: &Path<'_>) {
        let (at, question) = (self.response.number(item), &self.form.questions[known]);
        if !self.spend(question.conditions().count()) {
            return;
        }
        let is_answered = self.response.given[at].is_answered;
        if is_answered && is_enabled(self.response, question, around, at) == Some(false) {
            return self.issues.error(path, IssueType::Structure, || {
                format!("the item {} is not enabled by the other answers, but is answered", quoted(&question.link_id))
            });
        }
        match question.kind {
            Kind::Group => {
                self.refuse(item, "answer", question, path);
                if items(item).next().is_none() && self.is_wanted(question, around) {
                    self.issues.error(path, IssueType::Required, || {
                        format!("the group {} is required and is empty", quoted(&question.link_id))
                    });
                }
                self.items(item, Some(known), Some(at), path);
            }
            Kind::Display => {
                self.refuse(item, "answer", question, path);
                self.refuse(item, "item", question, path);
            }
            _ => {
                self.refuse(item, "item", question, path);
                self.answers(item, known, (around, at), path);
            }
        }
    }

    fn answers(&mut self, item: Node<'a>, known: usize, (around, at): (Option<usize>, usize), path: &Path<'_>) {
        let question = &self.form.questions[known];
        let count = answers(item).count();
        if count == 0 && self.is_wanted(question, around) {
            self.issues.error(path, IssueType::Required, || {
                format!("the question {} is required and has no answer", quoted(&question.link_id))
            });
        }
        if count > 1 && !question.is("repeats") {
            self.issues.error(&path.child("answer").item(1), IssueType::Structure, || {
                format!("the question {} takes one answer, not {count}", quoted(&question.link_id))
            });
        }
        for (index, answer) in answers(item).enumerate() {
            let path = path.child("answer");
            let path = path.item(index);
            self.value(question, answer, &path);
            self.items(answer, Some(known), Some(at), &path);
        }
    }

    /// Refuses what an item of this kind does not have.
    fn refuse(&mut self, item: Node<'a>, member: &'static str, question: &Question<'_>, path: &Path<'_>) {
        if item.get(member).is_none() {
            return;
        }
        self.issues.error(&path.child(member), IssueType::Structure, || {
            let link_id = quoted(&question.link_id);
            match (question.kind, member) {
                (Kind::Group, _) => format!("the group {link_id} has no answers, only the items in it"),
                (Kind::Display, _) => format!("{link_id} only displays text and takes no {member}"),
                _ => format!("items below the question {link_id} stand in its answers"),
            }
        });
    }

    /// Whether a question that is not answered should be.
    fn is_wanted(&mut self, question: &Question<'_>, around: Option<usize>) -> bool {
        if !question.is_required() || !self.spend(question.conditions().count()) {
            return false;
        }
        let end = around.map_or(self.response.given.len(), |around| self.response.given[around].end);
        self.is_finished && is_enabled(self.response, question, around, end) == Some(true)
    }
}
