//! Whether an item is to be answered: `enableWhen`, <https://hl7.org/fhir/R4/questionnaire-definitions.html#Questionnaire.item.enableWhen>.

use std::cmp::Ordering;

use super::compare::{compare, equal};
use super::form::{Question, Response, answers, typed};
use crate::json::Node;

/// Whether a question is to be answered at a place (see [`Response::nearest`]); `None` when that cannot be said, so that neither an answer nor
/// its absence is held against anyone.
pub(super) fn is_enabled(
    response: &Response<'_>,
    question: &Question<'_>,
    around: Option<usize>,
    at: usize,
) -> Option<bool> {
    let held = question.conditions().map(|condition| holds(response, condition, around, at));
    let is_any = question.node.get("enableBehavior").is_some_and(|it| it.is_str("any"));
    let (mut count, mut is_unsure) = (0, false);
    for held in held {
        count += 1;
        match held {
            // One decides.
            Some(held) if held == is_any => return Some(is_any),
            Some(_) => {}
            None => is_unsure = true,
        }
    }
    match (count, is_unsure) {
        (0, _) => Some(true),
        (_, true) => None,
        _ => Some(!is_any),
    }
}

fn holds(response: &Response<'_>, condition: Node<'_>, around: Option<usize>, at: usize) -> Option<bool> {
    let link_id = condition.get("question")?.as_str()?;
    let operator = condition.get("operator")?.as_str()?;
    let expected = typed(condition, "answer")?;
    let given = response.nearest(&link_id, around, at);
    let mut given =
        given.into_iter().flat_map(|given| answers(given.node)).filter_map(|answer| typed(answer, "value")).peekable();
    let is_answered = given.peek().is_some();
    let any = |mut found: Box<dyn Iterator<Item = Option<bool>> + '_>| {
        let mut is_unsure = false;
        let is_found = found.any(|it| {
            is_unsure |= it.is_none();
            it == Some(true)
        });
        if is_found { Some(true) } else { (!is_unsure).then_some(false) }
    };
    let ordered = |accepted: fn(Ordering) -> bool| move |it| compare(it, expected).map(accepted);
    match &*operator {
        "exists" => Some(expected.1.as_bool()? == is_answered),
        "=" => any(Box::new(given.map(|it| equal(it, expected)))),
        // R4 says that no answer may be equal; whether that is so without any answer, tools do not agree.
        "!=" if !is_answered => None,
        "!=" => any(Box::new(given.map(|it| equal(it, expected)))).map(|is_equal| !is_equal),
        ">" => any(Box::new(given.map(ordered(Ordering::is_gt)))),
        "<" => any(Box::new(given.map(ordered(Ordering::is_lt)))),
        ">=" => any(Box::new(given.map(ordered(Ordering::is_ge)))),
        "<=" => any(Box::new(given.map(ordered(Ordering::is_le)))),
        _ => None,
    }
}
