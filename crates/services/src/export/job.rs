//! What is kept of an export: one value, which ends after a day.

use std::collections::VecDeque;

use fhir::outcome::quoted;
use fhir::{Instant, IssueType, Outcome};
use repository::{Edit, Requester, Session, new_id, parse_query_string, query_string};

use super::asked::{Asked, Level};

/// Before the names of jobs, which are in order of time.
const PREFIX: &str = "export/";

/// How long one is kept, in microseconds.
const DURATION: i64 = 24 * 60 * 60 * 1_000_000;

/// How many old ones are taken away when one begins. It adds one, so they become fewer.
const CLEARED_MAX: usize = 8;

/// How many files one has at most.
const FILES_MAX: usize = 10_000;

/// An export that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Job {
    id: String,
    /// What stands in the store.
    stored: Vec<u8>,
    /// When it was asked for.
    pub(super) begun: Instant,
    pub(super) asked: Asked,
    /// Whose it is: [`Requester::line`].
    holder: String,
    pub(super) files: Vec<Span>,
    /// What was not looked at yet: types, of the first those with ids after this one.
    pub(super) left: VecDeque<String>,
    pub(super) after: Option<String>,
}

/// The resources of a type from one id on up to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) resource_type: String,
    /// The last id before it; `None` from the first on.
    pub(super) after: Option<String>,
    /// The last id in it; `None` for all that come.
    pub(super) last: Option<String>,
}

impl Job {
    /// Takes a job on; gives its id.
    pub(super) fn begin(session: &Session<'_>, asked: Asked) -> Result<String, Outcome> {
        let left = asked.types().map(str::to_owned).collect();
        let id = new_id();
        let (begun, files) = (session.now(), Vec::new());
        let job = Job { id, stored: Vec::new(), begun, asked, holder: holder(session), files, left, after: None };
        let oldest = session.vault().list(PREFIX, None, CLEARED_MAX)?;
        let is_over = |text: &[u8]| begun_in(text).is_none_or(|begun| begun.0 + DURATION <= job.begun.0);
        let over = oldest.into_iter().filter(|(_, text)| is_over(text)).map(|(name, _)| Edit::remove(name));
        let add = Edit::add(job.name(), job.text());
        match session.vault().edit(over.chain([add]).collect())? {
            true => Ok(job.id),
            false => Err(Outcome::new(IssueType::Exception, "another export has the id of a new one")),
        }
    }

    /// The caller's job of this id; of another's there is none.
    pub(super) fn find(session: &Session<'_>, id: &str) -> Result<Job, Outcome> {
        let found = match fhir::reference::is_id(id) {
            true => session.vault().get(&[PREFIX, id].concat())?,
            false => None,
        };
        let job = found.and_then(|stored| Job::parse(id, stored));
        let is_own = |job: &Job| job.holder == holder(session) && session.now().0 < job.begun.0 + DURATION;
        job.filter(is_own)
            .ok_or_else(|| Outcome::new(IssueType::NotFound, format!("the caller has no export {}", quoted(id))))
    }

    /// Keeps how far it is, unless it has gone on meanwhile or is no more.
    pub(super) fn keep(&self, session: &Session<'_>) -> Result<(), Outcome> {
        if self.files.len() > FILES_MAX {
            let text =
                format!("the export would have more than {FILES_MAX} files: ask for fewer types, or by `_since`");
            return Err(Outcome::new(IssueType::TooCostly, text));
        }
        session.vault().edit(vec![Edit::replace(self.name(), self.stored.clone(), self.text())]).map(drop)
    }

    pub(super) fn end(&self, session: &Session<'_>) -> Result<(), Outcome> {
        session.vault().edit(vec![Edit::remove(self.name())]).map(drop)
    }

    fn name(&self) -> String {
        [PREFIX, &self.id].concat()
    }

    /// A line each: when it began, whose it is, its level, its parameters, the types that are left, the id after which the first of them goes on, and
    /// the files.
    fn text(&self) -> String {
        let parameters = self.asked.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let left = self.left.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
        let head = [
            self.begun.0.to_string(),
            self.holder.clone(),
            self.asked.level.path(),
            query_string(parameters),
            left,
            self.after.clone().unwrap_or_default(),
        ];
        let files = self.files.iter().map(|Span { resource_type, after, last }| {
            format!("{resource_type} {} {}", after.as_deref().unwrap_or_default(), last.as_deref().unwrap_or_default())
        });
        head.into_iter().chain(files).collect::<Vec<_>>().join("\n")
    }

    /// `None` of what no job is.
    fn parse(id: &str, stored: Vec<u8>) -> Option<Job> {
        let begun = begun_in(&stored)?;
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let text = std::str::from_utf8(&stored).ok()?;
        let mut lines = text.split('\n').skip(1);
        let holder = lines.next()?.to_owned();
        let level = Level::parse(lines.next()?)?;
        let parameters = parse_query_string(lines.next()?).ok()?;
        let left = lines.next()?.split(' ').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let after = some(lines.next()?);
        let file = |line: &str| {
            let mut parts = line.split(' ');
            Some(Span { resource_type: some(parts.next()?)?, after: some(parts.next()?), last: some(parts.next()?) })
        };
        let files = lines.map(file).collect::<Option<_>>()?;
        let asked = Asked { level, parameters };
        Some(Job { id: id.to_owned(), begun, asked, holder, files, left, after, stored })
    }
}

fn begun_in(stored: &[u8]) -> Option<Instant> {
    let line = stored.split(|byte| *byte == b'\n').next()?;
    std::str::from_utf8(line).ok()?.parse().ok().map(Instant)
}

fn holder(session: &Session<'_>) -> String {
    session.requester().map_or(String::new(), |requester| Requester::line(requester).trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_what_is_found() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let asked = Asked {
            level: Level::parse("Group/g1").expect("a level"),
            parameters: vec![pair("_type", "Patient"), pair("_typeFilter", "Patient?name=a b\nc&x=\u{e9}")],
        };
        let span = |after: Option<&str>, last: Option<&str>| Span {
            resource_type: "Patient".to_owned(),
            after: after.map(str::to_owned),
            last: last.map(str::to_owned),
        };
        let job = Job {
            id: "1".to_owned(),
            stored: Vec::new(),
            begun: Instant(7),
            asked,
            holder: "app Practitioner/dr1 -".to_owned(),
            files: vec![span(None, Some("a")), span(Some("a"), None)],
            left: ["Observation", "Task"].map(str::to_owned).into(),
            after: Some("o1".to_owned()),
        };
        for job in [job.clone(), Job { left: VecDeque::new(), after: None, files: Vec::new(), ..job }] {
            let stored = job.text().into_bytes();
            assert_eq!(Job::parse("1", stored.clone()), Some(Job { stored, ..job }));
        }
        for damaged in ["", "x", "7\na", "7\na\n\n\n\n\nPatient"] {
            assert_eq!(Job::parse("1", damaged.into()), None, "{damaged}");
        }
    }
}
