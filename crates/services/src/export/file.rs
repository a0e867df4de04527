//! Files: where one ends and the next begins, and the lines of each.

use std::time::{Duration, Instant};

use fhir::{IssueType, Outcome};
use repository::{Count, Page, SearchRequest, Session, Version};
use search::{Criterion, Query};

use super::job::{Job, Span};

/// How many lines a file has; fewer where they come to more than a page of a search may have.
const LINES_MAX: usize = 10_000;

/// How many of them are looked for at a time.
const PAGE: usize = 1_000;

/// How large a file is at most: only one whose resources have grown since it was cut comes to it.
const BYTES_MAX: usize = 256 << 20;

/// For how long one request looks where files end.
const LOOK_TIME: Duration = Duration::from_secs(2);

impl Job {
    /// Looks on where files end, for a while.
    pub(super) fn look_on(&mut self, session: &Session<'_>) -> Result<(), Outcome> {
        let begun = Instant::now();
        // Nothing of it is shown.
        let session = session.unaccounted();
        while let Some(name) = self.left.front().cloned() {
            let span = Span { resource_type: name, after: self.after.clone(), last: None };
            let query = self.query(&session, &span)?;
            let found = page(&session, &query, Page::First, LINES_MAX)?;
            let last = found.0.last().map(|version| version.key.id().to_owned());
            match (last, found.1) {
                (Some(last), Some(_)) => {
                    self.files.push(Span { last: Some(last.clone()), ..span });
                    self.after = Some(last);
                }
                (last, _) => {
                    self.files.extend(last.map(|_| span));
                    self.left.pop_front();
                    self.after = None;
                }
            }
            if begun.elapsed() >= LOOK_TIME {
                break;
            }
        }
        Ok(())
    }

    /// The lines of a file: what the caller may see now.
    pub(super) fn file(&self, session: &Session<'_>, span: &Span) -> Result<Vec<u8>, Outcome> {
        let query = self.query(session, span)?;
        let (mut lines, mut next) = (Vec::new(), Some(Page::First));
        while let Some(at) = next {
            let found = page(session, &query, at, PAGE)?;
            for body in found.0.iter().filter_map(|version| version.body.as_ref()) {
                if lines.len() + body.len() > BYTES_MAX {
                    let text = format!("the file would have more than {BYTES_MAX} bytes: begin another export");
                    return Err(Outcome::new(IssueType::TooCostly, text));
                }
                lines.extend_from_slice(body);
                lines.push(b'\n');
            }
            next = found.1;
        }
        Ok(lines)
    }

    fn query(&self, session: &Session<'_>, span: &Span) -> Result<Query, Outcome> {
        let Span { resource_type, after, last } = span;
        let query = self.asked.query(session, resource_type, self.begun)?;
        let ids = session.registry().ids_between(resource_type, after.as_deref(), last.as_deref());
        Ok(Query { criterion: Criterion::All(vec![Criterion::Filter(ids), query.criterion]), ..query })
    }
}

/// What a page has, and where the next one begins.
fn page(
    session: &Session<'_>,
    query: &Query,
    page: Page,
    limit: usize,
) -> Result<(Vec<Version>, Option<Page>), Outcome> {
    let request = SearchRequest { query, page, limit, total: Count::None, explain: false };
    let found = session.search(&request)?;
    Ok((found.matches, found.next.map(Page::After)))
}
