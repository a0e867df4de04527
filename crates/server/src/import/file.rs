//! A JSON file: a Bundle, which is taken apart by its type, or one resource.

use std::borrow::Cow;

use fhir::json::{Document, Node};
use fhir::{Definitions, IssueType, Outcome};
use hyper::Method;
use repository::{CHANGES_MAX, Change, Session};

use super::journal::Name;
use super::part::{Part, Settled, Tally, is_fatal};
use crate::State;
use crate::interaction::Interaction;
use crate::perform::{self, Conditions, Payload, check_bundle, entry_change};

/// The largest JSON file in bytes, decompressed. Larger amounts come as NDJSON, which is read piece by piece.
pub(super) const FILE_BYTES_MAX: usize = 256 << 20;

/// How many entries of a batch share a commit. They are independent of one another, and each is tried alone where it must be.
const BATCH_TOGETHER_MAX: usize = 1000;

/// What a file holds, by how it is imported.
enum Content<'a> {
    /// All or nothing.
    Transaction(Vec<Node<'a>>),
    /// Each entry by itself.
    Batch(Vec<Node<'a>>),
    /// Resources that lie side by side.
    Collection(Vec<Node<'a>>),
    Resource,
}

impl<'a> Content<'a> {
    fn of(document: &'a Document, definitions: &Definitions) -> Result<Content<'a>, Outcome> {
        let root = document.root();
        if root.resource_type() != Some("Bundle") {
            return Ok(Content::Resource);
        }
        check_bundle(root, definitions)?;
        let entries = root.get("entry").into_iter().flat_map(Node::items).collect();
        match &*root.get("type").and_then(Node::as_str).unwrap_or_default() {
            "transaction" => Ok(Content::Transaction(entries)),
            "batch" => Ok(Content::Batch(entries)),
            "collection" | "searchset" => Ok(Content::Collection(entries)),
            "document" | "message" => Ok(Content::Resource),
            other => {
                let text = format!(
                    "a Bundle of type `{other}` is not imported, only `transaction`, `batch`, `collection`, `searchset`, `document` and `message`"
                );
                Err(Outcome::new(IssueType::NotSupported, text).at("Bundle.type"))
            }
        }
    }
}

/// What became of a file.
#[derive(Default)]
pub(super) struct Imported {
    pub(super) tally: Tally,
    pub(super) refused: Vec<(Place, Outcome)>,
}

/// Where in a file something was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    File,
    Line(u64),
    /// From 0.
    Entry(u64),
}

impl Imported {
    fn refused(place: Place, outcome: Outcome) -> Imported {
        Imported { refused: vec![(place, outcome)], ..Imported::default() }
    }

    fn of(settled: Settled, place: impl Fn(u64) -> Place) -> Imported {
        let refused = settled.refused.into_iter().map(|(number, outcome)| (place(number), outcome));
        Imported { tally: settled.tally, refused: refused.collect() }
    }
}

/// Imports the text of a file. What comes in an order is written by `ordered`, all else by `loose`. An error is fatal.
pub(super) fn import(
    state: &State,
    ordered: &Session<'_>,
    loose: &Session<'_>,
    name: Name,
    text: Vec<u8>,
) -> Result<Imported, Outcome> {
    let document = match Document::parse(&text) {
        Ok(document) => document,
        Err(error) => return Ok(Imported::refused(Place::Line(error.line as u64), error.into())),
    };
    drop(text);
    let settle = |count: usize, together_max, session: &Session<'_>, change: Entry<'_>| {
        let part = Part { name: name.clone(), numbers: (0..count as u64).collect(), together_max, change };
        part.settle(session)
    };
    match Content::of(&document, state.definitions) {
        Err(outcome) => Ok(Imported::refused(Place::File, outcome)),
        Ok(Content::Transaction(entries)) => transaction(state, ordered, &name, &entries),
        Ok(Content::Batch(entries)) => {
            let change = |at: usize| entry_change(state, entries[at]);
            Ok(Imported::of(settle(entries.len(), BATCH_TOGETHER_MAX, ordered, &change)?, Place::Entry))
        }
        Ok(Content::Collection(entries)) => {
            let change = |at: usize| collected(state, entries[at]);
            Ok(Imported::of(settle(entries.len(), CHANGES_MAX, loose, &change)?, Place::Entry))
        }
        Ok(Content::Resource) => {
            let change = |_| resource_change(state, document.clone(), None).map(Some);
            Ok(Imported::of(settle(1, 1, loose, &change)?, |_| Place::File))
        }
    }
}

type Entry<'a> = &'a dyn Fn(usize) -> Result<Option<Change>, Outcome>;

fn transaction(state: &State, session: &Session<'_>, name: &Name, entries: &[Node<'_>]) -> Result<Imported, Outcome> {
    let mut changes = Vec::with_capacity(entries.len());
    let mut writers = Vec::with_capacity(entries.len());
    for (at, entry) in entries.iter().enumerate() {
        match entry_change(state, *entry) {
            Ok(None) => {}
            Ok(Some(change)) => {
                changes.push(change);
                writers.push(at as u64);
            }
            Err(outcome) => return Ok(Imported::refused(Place::Entry(at as u64), outcome)),
        }
    }
    match session.transact_noting(changes, Some(name.done())) {
        Ok(changed) => Ok(Imported { tally: Tally::of(&changed), refused: Vec::new() }),
        Err(refusal) if is_fatal(&refusal.outcome) => Err(refusal.outcome),
        Err(refusal) => {
            let place = refusal.change.map_or(Place::File, |change| Place::Entry(writers[change]));
            Ok(Imported::refused(place, refusal.outcome))
        }
    }
}

/// The change that brings in a resource of a collection or a search's answer; `None` for what is only about the answer.
fn collected(state: &State, entry: Node<'_>) -> Result<Option<Change>, Outcome> {
    if entry.path(&["search", "mode"]).is_some_and(|mode| mode.is_str("outcome")) {
        return Ok(None);
    }
    let Some(resource) = entry.get("resource") else {
        return Err(Outcome::new(IssueType::Required, "the entry has no resource").at("Bundle.entry.resource"));
    };
    let document = Document::parse(resource.raw().as_bytes())?;
    let full_url = entry.get("fullUrl").and_then(Node::as_str).map(Cow::into_owned);
    resource_change(state, document, full_url).map(Some)
}

/// The change that brings in one resource: under the id that it has, otherwise as a new one.
pub(super) fn resource_change(state: &State, document: Document, full_url: Option<String>) -> Result<Change, Outcome> {
    let name = document.root().resource_type().unwrap_or_default();
    let Some(resource_type) = state.definitions.resource_type(name) else {
        let text = format!("resourceType `{name}` is no resource type of FHIR R4");
        return Err(Outcome::new(IssueType::Structure, text).at("resourceType"));
    };
    let interaction = match document.root().get("id").and_then(Node::as_str) {
        Some(id) => Interaction::parse(&Method::PUT, &format!("{resource_type}/{id}"), "", state.definitions),
        None => Interaction::parse(&Method::POST, resource_type, "", state.definitions),
    };
    let interaction = interaction.map_err(|refused| refused.outcome)?;
    perform::change(interaction, &Conditions::default(), Payload::Document(document), full_url)
}

/// The line, from 1, on which entry number `entry` of a Bundle begins. `text` is well-formed JSON.
pub(super) fn entry_line(text: &[u8], entry: u64) -> Option<u64> {
    let mut scan = Scan { text, at: 0, line: 1 };
    let mut depth = 0_u32;
    let mut name: &[u8] = b"";
    let mut in_entries = false;
    let mut count = 0;
    loop {
        match scan.next()? {
            Token::String(string) if depth == 1 => name = string,
            Token::String(_) => {}
            Token::Open => {
                depth += 1;
                in_entries |= depth == 2 && name == b"entry";
                if in_entries && depth == 3 {
                    if count == entry {
                        return Some(scan.line);
                    }
                    count += 1;
                }
            }
            Token::Close => {
                depth = depth.checked_sub(1)?;
                if depth == 1 {
                    in_entries = false;
                    name = b"";
                }
            }
        }
    }
}

/// The strings and brackets of a JSON text.
struct Scan<'a> {
    text: &'a [u8],
    at: usize,
    line: u64,
}

enum Token<'a> {
    String(&'a [u8]),
    Open,
    Close,
}

impl<'a> Scan<'a> {
    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let byte = *self.text.get(self.at)?;
            self.at += 1;
            match byte {
                b'\n' => self.line += 1,
                b'{' | b'[' => return Some(Token::Open),
                b'}' | b']' => return Some(Token::Close),
                b'"' => return self.string(),
                _ => {}
            }
        }
    }

    fn string(&mut self) -> Option<Token<'a>> {
        let start = self.at;
        loop {
            match *self.text.get(self.at)? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Some(Token::String(&self.text[start..self.at - 1]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_line_of_an_entry() {
        let text = b"{\"resourceType\":\"Bundle\",\n\"entry \\\" [\":[{}],\"link\":[{\"entry\":[{}]}],\n\"entry\":[\n{\"x\":[{\"\\\\\":\"}\"}]},\n\n {},{}]\n,\"last\":[{}]}";
        let cases = [(0, Some(4)), (1, Some(6)), (2, Some(6)), (3, None)];
        for (entry, expected) in cases {
            assert_eq!(entry_line(text, entry), expected, "{entry}");
        }
        for broken in ["", "{\"entry\":[", "}", "\"\\"] {
            assert_eq!(entry_line(broken.as_bytes(), 0), None, "{broken}");
        }
    }
}
