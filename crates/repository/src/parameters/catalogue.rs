//! What is in use, and what is to be indexed: the text that the store keeps of it, a line for each, fields separated by tabs.

use fhir::definitions::SearchKind;
use fhir::{IssueType, Outcome};
use search::Addition;
use store::{Cursor, Millis, Snapshot};

use super::{GENERATION, JOBS, PARAMETERS};
use crate::fault;

/// How many parameters may be in use beside those that are always there.
pub(super) const PARAMETERS_MAX: usize = 1_000;

/// How often the catalogue has changed, and when it did last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Generation {
    pub(crate) number: u64,
    pub(crate) changed: Millis,
}

/// A SearchParameter resource in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) url: String,
    pub(super) code: String,
    pub(super) kind: SearchKind,
    /// Stands for what its rows are made of.
    pub(super) content: String,
    pub(super) base: Vec<String>,
    /// The urls of its components.
    pub(super) components: Vec<String>,
}

/// Resources to be indexed anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) resource_type: String,
    /// Not those of the type themselves, but what contains one.
    pub(super) containers: bool,
    pub(super) done: u64,
    pub(super) total: u64,
    pub(super) after: Option<Cursor>,
    /// The parameters that wait for it, by id.
    pub(super) waiting: Vec<String>,
}

/// Stands before the type of a job that is about what contains it.
const CONTAINERS: &str = "#";

impl Generation {
    pub(crate) fn read(snapshot: &dyn Snapshot) -> Result<Generation, Outcome> {
        let Some(text) = text(snapshot, GENERATION)? else { return Ok(Generation::default()) };
        let numbers = text.split_once(' ').map(|(number, changed)| (number.parse(), changed.parse()));
        match numbers {
            Some((Ok(number), Ok(changed))) => Ok(Generation { number, changed }),
            _ => Err(damaged(GENERATION)),
        }
    }

    /// What the store holds in this generation.
    pub(crate) fn value(self) -> Option<Vec<u8>> {
        (self.number > 0).then(|| format!("{} {}", self.number, self.changed).into_bytes())
    }

    pub(crate) fn next(self, now: Millis) -> Generation {
        Generation { number: self.number + 1, changed: now }
    }
}

impl Entry {
    pub(super) fn new(id: &str, addition: &Addition) -> Entry {
        let definition = &addition.definition;
        Entry {
            id: id.to_owned(),
            url: definition.url.to_string(),
            code: definition.code.to_string(),
            kind: definition.kind,
            content: addition.content_id(),
            base: definition.base.iter().map(|name| (*name).to_owned()).collect(),
            components: definition.components.iter().map(|(url, _)| url.to_string()).collect(),
        }
    }

    fn write(&self) -> String {
        let Entry { id, url, code, kind, content, base, components } = self;
        let (base, components) = (base.join(" "), components.join(" "));
        format!("{id}\t{url}\t{code}\t{}\t{content}\t{base}\t{components}\n", letter(*kind))
    }

    fn read(line: &str) -> Option<Entry> {
        let mut fields = line.split('\t');
        let mut next = || fields.next();
        Some(Entry {
            id: next()?.to_owned(),
            url: next()?.to_owned(),
            code: next()?.to_owned(),
            kind: kind(next()?)?,
            content: next()?.to_owned(),
            base: words(next()?),
            components: words(next()?),
        })
    }
}

impl Job {
    fn write(&self) -> String {
        let Job { resource_type, containers, done, total, after, waiting } = self;
        let scope = if *containers { CONTAINERS } else { "" };
        let after: String = after.iter().flat_map(|cursor| &cursor.0).map(|byte| format!("{byte:02x}")).collect();
        format!("{scope}{resource_type}\t{done}\t{total}\t{after}\t{}\n", waiting.join(" "))
    }

    fn read(line: &str) -> Option<Job> {
        let mut fields = line.split('\t');
        let mut next = || fields.next();
        let scope = next()?;
        let contained = scope.strip_prefix(CONTAINERS);
        Some(Job {
            resource_type: contained.unwrap_or(scope).to_owned(),
            containers: contained.is_some(),
            done: next()?.parse().ok()?,
            total: next()?.parse().ok()?,
            after: match next()? {
                "" => None,
                hex => Some(Cursor(bytes(hex)?)),
            },
            waiting: words(next()?),
        })
    }
}

pub(super) fn read_entries(snapshot: &dyn Snapshot) -> Result<Vec<Entry>, Outcome> {
    parse_entries(text(snapshot, PARAMETERS)?)
}

/// The entries of a stored value.
pub(super) fn parse_entries(text: Option<String>) -> Result<Vec<Entry>, Outcome> {
    let entries = text.unwrap_or_default().lines().map(Entry::read).collect::<Option<_>>();
    entries.ok_or_else(|| damaged(PARAMETERS))
}

pub(super) fn write_entries(entries: &[Entry]) -> Vec<u8> {
    entries.iter().map(Entry::write).collect::<String>().into_bytes()
}

pub(super) fn read_jobs(snapshot: &dyn Snapshot) -> Result<Vec<Job>, Outcome> {
    parse_jobs(text(snapshot, JOBS)?)
}

/// Whether some resources are to be indexed anew.
pub(crate) fn is_indexing(snapshot: &dyn Snapshot) -> Result<bool, Outcome> {
    Ok(!read_jobs(snapshot)?.is_empty())
}

/// The jobs of a stored value.
pub(super) fn parse_jobs(text: Option<String>) -> Result<Vec<Job>, Outcome> {
    let jobs = text.unwrap_or_default().lines().map(Job::read).collect::<Option<_>>();
    jobs.ok_or_else(|| damaged(JOBS))
}

pub(super) fn write_jobs(jobs: &[Job]) -> Vec<u8> {
    jobs.iter().map(Job::write).collect::<String>().into_bytes()
}

/// Refuses one more parameter than there may be.
pub(super) fn check_count(entries: &[Entry]) -> Result<(), Outcome> {
    match entries.len() <= PARAMETERS_MAX {
        true => Ok(()),
        false => {
            let text = format!("there are {PARAMETERS_MAX} active search parameters beside R4's own; retire one first");
            Err(Outcome::new(IssueType::TooCostly, text))
        }
    }
}

/// A stored value as text.
pub(super) fn text(snapshot: &dyn Snapshot, name: &[u8]) -> Result<Option<String>, Outcome> {
    let value = snapshot.value(name).map_err(fault::outcome)?;
    value.map(|value| String::from_utf8(value).map_err(|_| damaged(name))).transpose()
}

fn damaged(name: &[u8]) -> Outcome {
    fault::exception(&format!("the stored value {} is damaged", String::from_utf8_lossy(name)))
}

fn words(field: &str) -> Vec<String> {
    field.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let pairs = (0..hex.len()).step_by(2);
    pairs.map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect()
}

const KINDS: [(&str, SearchKind); 8] = [
    ("n", SearchKind::Number),
    ("d", SearchKind::Date),
    ("s", SearchKind::String),
    ("t", SearchKind::Token),
    ("r", SearchKind::Reference),
    ("c", SearchKind::Composite),
    ("q", SearchKind::Quantity),
    ("u", SearchKind::Uri),
];

fn letter(kind: SearchKind) -> &'static str {
    KINDS.iter().find(|(_, of)| *of == kind).map_or("", |(letter, _)| letter)
}

fn kind(letter: &str) -> Option<SearchKind> {
    KINDS.iter().find(|(of, _)| *of == letter).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_wrote() {
        let entry = |id: &str, components: &[&str]| Entry {
            id: id.to_owned(),
            url: "https://a.example/x".to_owned(),
            code: "eye".to_owned(),
            kind: SearchKind::Token,
            content: "0123".to_owned(),
            base: vec!["Patient".to_owned(), "Person".to_owned()],
            components: components.iter().map(|url| (*url).to_owned()).collect(),
        };
        let entries = [entry("a", &[]), entry("b", &["urn:x", "urn:y"])];
        let text = String::from_utf8(write_entries(&entries)).expect("text");
        assert_eq!(parse_entries(Some(text)).expect("entries"), entries);
        let job = |after: Option<&[u8]>, waiting: &[&str]| Job {
            resource_type: "Patient".to_owned(),
            containers: after.is_none(),
            done: 7,
            total: 10,
            after: after.map(|bytes| Cursor(bytes.to_vec())),
            waiting: waiting.iter().map(|id| (*id).to_owned()).collect(),
        };
        let jobs = [job(None, &[]), job(Some(&[0, 255, 9]), &["a", "b"])];
        let text = String::from_utf8(write_jobs(&jobs)).expect("text");
        assert_eq!(parse_jobs(Some(text)).expect("jobs"), jobs);
        assert_eq!(parse_jobs(None), Ok(Vec::new()));
        assert!(parse_jobs(Some("Patient\tx".to_owned())).is_err());
    }
}
