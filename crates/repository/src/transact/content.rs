//! The form in which content is kept: `resourceType`, `id` and `meta` first, references rewritten, minified.
//!
//! A document being written has no `meta.versionId` and `meta.lastUpdated`: they are put in when the body is made, so that everything
//! before that (validation, index rows) holds for whichever version it becomes.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use fhir::json::{Document, Edit, Node};
use fhir::validate::Depth;
use fhir::{Issue, IssueType, Outcome};
use search::Rows;
use store::Key;

use crate::{Session, Shelf};

/// What the server alone sets in `meta`.
const OWN_META: [&str; 4] = ["versionId", "_versionId", "lastUpdated", "_lastUpdated"];

/// Where the store writes the time of the commit.
const STAMP: &str = "2000-01-01T00:00:00.000Z";

/// Content ready to be written as any version.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) document: Arc<Document>,
    pub(crate) rows: Rows,
    /// What the validation noted without refusing.
    pub(crate) notes: Vec<Issue>,
}

impl Content {
    /// Validates and indexes what [`arrange`] made. Profiles and value sets are those of the `shelf`: what the same transaction writes is not
    /// among them, so that whether content is valid does not depend on what may still be refused.
    pub(crate) fn new(session: &Session<'_>, shelf: &Shelf<'_>, text: &str) -> Result<Content, Outcome> {
        let document = Document::parse(text.as_bytes())?;
        let refuses = session.setup().validation.refuses;
        let notes = match refuses {
            Some(_) => shelf.validator(Depth::Write).validate(&document, &[]),
            None => Vec::new(),
        };
        if notes.iter().any(|issue| Some(issue.severity) <= refuses) {
            return Err(Outcome { issues: notes });
        }
        let rows = session.registry().rows(&document)?;
        Ok(Content { document: Arc::new(document), rows, notes })
    }

    /// The body of this content as version `version`, and where in it the time stands.
    pub(crate) fn body(&self, key: &Key, version: u64) -> (Bytes, usize) {
        let text = self.document.text();
        let (head, rest) = text.split_at(header(key).len());
        let own = format!(r#","meta":{{"versionId":"{version}","lastUpdated":""#);
        let stamp_at = head.len() + own.len();
        let rest = match rest.strip_prefix(r#","meta":{"#) {
            Some(rest) => ["\",", rest],
            None => ["\"}", rest],
        };
        let body = [head, &own, STAMP, rest[0], rest[1]].concat();
        (Bytes::from(body), stamp_at)
    }

    /// Whether `body` is this content as version `version`, whenever that was.
    pub(crate) fn is(&self, key: &Key, version: u64, body: &[u8]) -> bool {
        let (own, stamp_at) = self.body(key, version);
        let after = stamp_at + STAMP.len();
        own.len() == body.len() && own[..stamp_at] == body[..stamp_at] && own[after..] == body[after..]
    }
}

fn header(key: &Key) -> String {
    format!(r#"{{"resourceType":"{}","id":"{}""#, key.collection(), key.id())
}

/// The text of `document` as the resource `key`, with these edits, which must be sorted. `meta`, if there is one, must be an object.
pub(crate) fn arrange(document: &Document, key: &Key, edits: &[Edit]) -> String {
    let text = document.text();
    let mut out = header(key);
    out.reserve(text.len() + edits.iter().map(|edit| edit.text.len()).sum::<usize>());
    let mut separator = r#","meta":{""#;
    for (name, member) in document.root().get("meta").into_iter().flat_map(Node::members) {
        if !OWN_META.contains(&name) {
            out.push_str(separator);
            push_member(&mut out, name, text, member.span(), edits);
            separator = ",\"";
        }
    }
    if separator == ",\"" {
        out.push('}');
    }
    for (name, member) in document.root().members() {
        if !["resourceType", "id", "meta"].contains(&name) {
            out.push_str(",\"");
            push_member(&mut out, name, text, member.span(), edits);
        }
    }
    out.push('}');
    out
}

/// `name":value`, with the edits that lie in the value.
fn push_member(out: &mut String, name: &str, text: &str, value: Range<usize>, edits: &[Edit]) {
    out.push_str(name);
    out.push_str("\":");
    let mut done = value.start;
    let first = edits.partition_point(|edit| edit.range.start < value.start);
    for edit in edits[first..].iter().take_while(|edit| edit.range.end <= value.end) {
        out.push_str(&text[done..edit.range.start]);
        out.push_str(&edit.text);
        done = edit.range.end;
    }
    out.push_str(&text[done..value.end]);
}

/// Refuses content that a server cut: <https://hl7.org/fhir/R4/search.html#elements> marks it so that it is never written back.
pub(crate) fn refuse_subsetted(document: &Document) -> Result<(), Outcome> {
    let tags = document.root().path(&["meta", "tag"]).into_iter().flat_map(Node::each);
    for (at, tag) in tags.enumerate() {
        let is = |name: &str, value: &str| tag.get(name).is_some_and(|node| node.is_str(value));
        if is("system", "http://terminology.hl7.org/CodeSystem/v3-ObservationValue") && is("code", "SUBSETTED") {
            let text = "the content is tagged `SUBSETTED`: it is not the whole resource and cannot replace it";
            let resource_type = document.root().resource_type().unwrap_or_default();
            return Err(Outcome::new(IssueType::Invalid, text).at(format!("{resource_type}.meta.tag[{at}]")));
        }
    }
    Ok(())
}

/// How many documents make it worth to prepare them on several threads.
const PARALLEL_MIN: usize = 32;

/// Does `prepare` for each job, in order; on several threads when there are many.
pub(crate) fn prepare_all<J: Sync, T: Send>(jobs: &[J], prepare: impl Fn(&J) -> T + Sync) -> Vec<T> {
    if jobs.len() < 2 * PARALLEL_MIN {
        return jobs.iter().map(prepare).collect();
    }
    // Asking for it opens files of the operating system.
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(jobs.len() / PARALLEL_MIN);
    let prepare = &prepare;
    std::thread::scope(|scope| {
        let chunks = jobs.chunks(jobs.len().div_ceil(threads));
        let workers: Vec<_> =
            chunks.map(|chunk| scope.spawn(move || chunk.iter().map(prepare).collect::<Vec<_>>())).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("preparing content does not panic")).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Document {
        Document::parse(text.as_bytes()).expect("valid")
    }

    #[test]
    fn arranges_and_makes_bodies() {
        let cases = [
            (
                r#"{"resourceType":"Basic"}"#,
                r#"{"resourceType":"Basic","id":"1"}"#,
                r#"{"resourceType":"Basic","id":"1","meta":{"versionId":"7","lastUpdated":"TIME"}}"#,
            ),
            (
                r#"{"a":1.50,"meta":{"versionId":"9"},"id":"x","b":[],"resourceType":"Basic"}"#,
                r#"{"resourceType":"Basic","id":"1","a":1.50,"b":[]}"#,
                r#"{"resourceType":"Basic","id":"1","meta":{"versionId":"7","lastUpdated":"TIME"},"a":1.50,"b":[]}"#,
            ),
            (
                r#"{"resourceType":"Basic","meta":{"lastUpdated":"t","tag":[{"code":"c"}],"versionId":"9","profile":["p"],"_versionId":{}}}"#,
                r#"{"resourceType":"Basic","id":"1","meta":{"tag":[{"code":"c"}],"profile":["p"]}}"#,
                r#"{"resourceType":"Basic","id":"1","meta":{"versionId":"7","lastUpdated":"TIME","tag":[{"code":"c"}],"profile":["p"]}}"#,
            ),
            (
                r#"{"resourceType":"Basic","_id":{"id":"e"},"é":"meta"}"#,
                r#"{"resourceType":"Basic","id":"1","_id":{"id":"e"},"é":"meta"}"#,
                r#"{"resourceType":"Basic","id":"1","meta":{"versionId":"7","lastUpdated":"TIME"},"_id":{"id":"e"},"é":"meta"}"#,
            ),
        ];
        let key = Key::new("Basic", "1").expect("a key");
        for (sent, arranged, body) in cases {
            let text = arrange(&document(sent), &key, &[]);
            assert_eq!(text, arranged);
            assert_eq!(arrange(&document(&text), &key, &[]), arranged, "arranging again changes nothing");
            let content = Content { document: Arc::new(document(&text)), rows: Rows::default(), notes: Vec::new() };
            let (bytes, stamp_at) = content.body(&key, 7);
            assert_eq!(&bytes[stamp_at..stamp_at + 24], STAMP.as_bytes());
            let text = String::from_utf8(bytes.to_vec()).expect("text");
            assert_eq!(text, body.replace("TIME", STAMP));
            assert_eq!(arrange(&document(&text), &key, &[]), arranged, "a stored body is arranged to its content");
            let later = body.replace("TIME", "2026-03-01T09:00:00.000Z");
            assert!(content.is(&key, 7, later.as_bytes()));
            assert!(!content.is(&key, 8, later.as_bytes()));
            assert!(!content.is(&key, 7, later.replace("Basic", "basic").as_bytes()));
        }
    }

    #[test]
    fn applies_edits_where_they_stand() {
        let sent = document(r#"{"b":"22","meta":{"source":"33"},"resourceType":"Basic","c":["4","5"]}"#);
        let edits: Vec<_> = ["22", "33", "4", "5"]
            .iter()
            .map(|old| {
                let start = sent.text().find(old).expect("there");
                Edit { range: start..start + old.len(), text: format!("<{old}>") }
            })
            .collect();
        let key = Key::new("Basic", "1").expect("a key");
        let arranged = r#"{"resourceType":"Basic","id":"1","meta":{"source":"<33>"},"b":"<22>","c":["<4>","<5>"]}"#;
        assert_eq!(arrange(&sent, &key, &edits), arranged);
    }

    #[test]
    fn refuses_cut_content() {
        let tag = |tags: &str| document(&format!(r#"{{"resourceType":"Basic","meta":{{"tag":{tags}}}}}"#));
        let system = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue";
        let cut = tag(&format!(r#"[{{"code":"x"}},{{"system":"{system}","code":"SUBSETTED"}}]"#));
        let refusal = refuse_subsetted(&cut).expect_err("cut");
        assert_eq!(refusal.issues[0].expression, ["Basic.meta.tag[1]"]);
        assert!(refuse_subsetted(&tag(r#"[{"system":"http://other","code":"SUBSETTED"}]"#)).is_ok());
    }

    #[test]
    fn prepares_in_order() {
        for count in [0, 1, PARALLEL_MIN, 10 * PARALLEL_MIN + 1] {
            let jobs: Vec<_> = (0..count).collect();
            assert_eq!(prepare_all(&jobs, |job| job + 1), (1..=count).collect::<Vec<_>>());
        }
    }
}
