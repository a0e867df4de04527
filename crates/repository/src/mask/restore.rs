//! Changes by somebody who gets a resource masked: what was masked stays as it was, or the change is refused.

use std::ops::Range;
use std::sync::Arc;

use fhir::json::{Document, Edit, Kind, Node, splice};
use fhir::{IssueType, Outcome};
use store::Key;

use super::cover::{Covered, Reference, Step, redaction};
use crate::session::parse_stored;

const ABSENT: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";

/// A resource as somebody gets it for whom something in it is masked.
pub(crate) struct Masked {
    /// What they get, and so what they change.
    pub(crate) document: Document,
    references: Option<Vec<Reference>>,
    is_labeled: bool,
}

/// Changed content with all that was masked in its place.
pub(crate) struct Restored {
    pub(crate) document: Arc<Document>,
    /// Where that stands: it was there before, and nobody needs to know of it now.
    pub(crate) kept: Vec<Range<usize>>,
}

impl Masked {
    pub(super) fn new(key: &Key, covered: Covered) -> Result<Masked, Outcome> {
        let Covered { text, references, is_labeled } = covered;
        Ok(Masked { document: parse_stored(key, text.as_bytes())?, references, is_labeled })
    }

    /// Puts what was masked back into changed content. Refused where it has no place there any more.
    pub(crate) fn restore(&self, key: &Key, changed: &Document) -> Result<Restored, Outcome> {
        let mut edits = Vec::new();
        for (path, text) in self.references.as_ref().ok_or_else(|| withheld(key))? {
            let place = path.iter().try_fold(changed.root(), step).filter(|place| is_mask(*place));
            let place = place.ok_or_else(|| withheld(key))?;
            edits.push(Edit { range: place.span(), text: text.clone() });
        }
        edits.extend(self.is_labeled.then(|| unlabel(changed)).flatten());
        edits.sort_by_key(|edit| edit.range.start);
        let kept = places(&edits);
        let text = splice(changed.text(), edits);
        Ok(Restored { document: Arc::new(Document::parse(text.as_bytes())?), kept })
    }
}

/// Where the texts of sorted edits stand once they are done.
fn places(edits: &[Edit]) -> Vec<Range<usize>> {
    let (mut more, mut less) = (0, 0);
    let place = |edit: &Edit| {
        let start = edit.range.start + more - less;
        (more, less) = (more + edit.text.len(), less + edit.range.len());
        start..start + edit.text.len()
    };
    edits.iter().map(place).collect()
}

fn step<'a>(node: Node<'a>, step: &Step) -> Option<Node<'a>> {
    match step {
        Step::Member(name) => node.get(name),
        Step::Item(at) => node.items().nth(*at),
    }
}

/// Whether it is what stands in the place of a reference that was masked.
fn is_mask(node: Node<'_>) -> bool {
    let is = |node: Node<'_>, name: &str, text: &str| node.get(name).is_some_and(|found| found.is_str(text));
    let extensions = node.get("extension").filter(|found| found.kind() == Kind::Array && node.members().count() == 1);
    let mut extensions = extensions.into_iter().flat_map(Node::items);
    let only = (extensions.next(), extensions.next());
    matches!(only, (Some(why), None) if is(why, "url", ABSENT) && is(why, "valueCode", "masked") && why.members().count() == 2)
}

/// Takes the label away that came with the masks.
fn unlabel(document: &Document) -> Option<Edit> {
    let (labels, at) = redaction(document)?;
    let all: Vec<_> = labels.items().map(Node::span).collect();
    let range = match at {
        _ if all.len() == 1 => return Some(without_security(document, labels)),
        0 => all[0].start..all[1].start,
        at => all[at - 1].end..all[at].end,
    };
    Some(Edit { range, text: String::new() })
}

/// `meta` without its only label.
fn without_security(document: &Document, labels: Node<'_>) -> Edit {
    let text = document.text();
    let start = labels.span().start - "\"security\":".len();
    let end = labels.span().end;
    let range = match (text[..start].ends_with(','), text[end..].starts_with(',')) {
        (true, _) => start - 1..end,
        (false, true) => start..end + 1,
        (false, false) => start..end,
    };
    Edit { range, text: String::new() }
}

fn withheld(key: &Key) -> Outcome {
    let text = format!(
        "`{key}` names what is not shared with the caller, and what is masked must stay where it is; somebody who sees all of it may change more"
    );
    Outcome::new(IssueType::Forbidden, text)
}
