//! `_contained`, <https://hl7.org/fhir/R4/search.html#contained>: what is found inside other resources.
//!
//! The store finds containers of which all that they contain together may satisfy the search; what each of them contains is then asked
//! alone. What is contained belongs to its container: who may not see that does not see it either. The order is that of the containers,
//! and all are not counted, as that would take reading each of them.

use bytes::Bytes;
use fhir::{IssueType, Outcome};
use search::{Contained, Query};
use store::{Count, Cursor, Filter, Find, Hit, Key, PAGE_BYTES_MAX, Page};

use super::{Runner, SearchPage, SearchRequest, keys_only};
use crate::session::parse_stored;

/// How many containers one page may look at; one that is not full by then ends, and the next goes on.
const CONTAINERS_MAX: usize = 1_000;

/// How many containers are read at once, at least, where the first as many as the page has room for did not fill it.
const AT_ONCE: usize = 100;

/// A contained resource that was found.
#[derive(Clone, Debug)]
pub struct ContainedMatch {
    pub container: Key,
    /// Within its container.
    pub id: String,
    pub body: Bytes,
}

/// Where a page starts.
#[derive(Debug, PartialEq, Eq)]
enum Start {
    /// Among the resources of their own, which come first.
    Own(Page),
    Within(Place),
}

/// A position among what is contained.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Place {
    /// After this container; `None` before the first.
    after: Option<Cursor>,
    /// The next container, where pages before this one hold so many of its resources.
    begun: Option<(Key, u32)>,
}

impl Runner<'_> {
    /// One page of a search for what is contained.
    pub(super) fn search_contained(&self, request: &SearchRequest<'_>) -> Result<SearchPage, Outcome> {
        let (query, limit) = (request.query, request.limit);
        let (mut page, place) = match Start::parse(query.contained, &request.page)? {
            Start::Within(place) => (SearchPage::default(), place),
            Start::Own(page) => {
                let mut page = self.search_own(query, page, limit, Count::None)?;
                page.previous = page.previous.as_ref().map(own_cursor);
                if let Some(next) = &page.next {
                    page.next = Some(own_cursor(next));
                    return Ok(page);
                }
                (page, Place::default())
            }
        };
        self.stage.set("contained");
        let next = match limit.saturating_sub(page.matches.len()) {
            0 => Some(place),
            room => self.fill(query, place, room, &mut page)?,
        };
        page.next = next.map(|place| place.cursor());
        Ok(page)
    }

    /// Adds up to `room` matches from `place` on; returns where the next page starts.
    fn fill(
        &self,
        query: &Query,
        mut place: Place,
        mut room: usize,
        page: &mut SearchPage,
    ) -> Result<Option<Place>, Outcome> {
        let (asked, containers) = self.asked(query)?;
        let (mut looked_at, mut bytes, mut at_once) = (0, 0, room);
        while looked_at < CONTAINERS_MAX && bytes < PAGE_BYTES_MAX {
            let limit = at_once.min(CONTAINERS_MAX - looked_at);
            let shown = self.with_patients(Vec::new(), self.session.setup().definitions.resource_types());
            let find = Find { page: place.page(), bodies: true, ..keys_only(containers.clone(), limit, shown) };
            let found = self.find(find)?;
            for (at, hit) in found.hits.iter().enumerate() {
                let Some(version) = &hit.version else { continue };
                let given = place.given(&hit.key);
                let mut matches = self.matches_in(&asked, hit, !query.contained_alone)?;
                matches.drain(..given.min(matches.len()));
                let taken = room.min(matches.len());
                if taken > 0 {
                    self.show(std::slice::from_ref(hit));
                }
                if query.contained_alone {
                    page.contained.extend(matches.drain(..taken));
                } else {
                    page.matches.extend(matches.drain(..taken).map(|_| version.clone()));
                }
                room -= taken;
                if !matches.is_empty() {
                    let after = self.before(&containers, &place, at)?;
                    let begun = (given + taken > 0).then(|| (hit.key.clone(), (given + taken) as u32));
                    return Ok(Some(Place { after, begun }));
                }
                bytes += version.body.as_ref().map_or(0, |body| body.len());
            }
            looked_at += found.hits.len();
            at_once = room.max(AT_ONCE);
            match found.next {
                Some(next) => place = Place { after: Some(next), begun: None },
                None => return Ok(None),
            }
            if room == 0 {
                break;
            }
        }
        Ok(Some(place))
    }

    /// What is asked of what is contained, and the containers to look into.
    fn asked(&self, query: &Query) -> Result<(Filter, Filter), Outcome> {
        let registry = self.session.registry();
        let asked = self.filter(&registry.contained_criterion(&query.criterion))?;
        let mut containers = self.visible_of_any_type(registry.containers_of(&asked));
        if query.contained == Contained::Both && !query.contained_alone {
            // Those that match themselves have come already.
            containers = containers.and(self.filter(&query.criterion)?.not());
        }
        Ok((asked, containers))
    }

    /// What a container holds that satisfies the search; at most the first of that where `one` is enough.
    fn matches_in(&self, asked: &Filter, hit: &Hit, one: bool) -> Result<Vec<ContainedMatch>, Outcome> {
        let mut matches = Vec::new();
        let Some(body) = hit.version.as_ref().and_then(|version| version.body.as_ref()) else { return Ok(matches) };
        let document = parse_stored(&hit.key, body)?;
        for resource in self.session.registry().contained(&document) {
            if self.satisfies(asked, &hit.key, &resource.rows, &mut Vec::new())? {
                let body = Bytes::copy_from_slice(resource.text.as_bytes());
                matches.push(ContainedMatch { container: hit.key.clone(), id: resource.id, body });
                if one {
                    break;
                }
            }
        }
        Ok(matches)
    }

    /// The position before the container that is the `at`th from `place` on.
    fn before(&self, containers: &Filter, place: &Place, at: usize) -> Result<Option<Cursor>, Outcome> {
        match at {
            0 => Ok(place.after.clone()),
            _ => Ok(self.find(Find { page: place.page(), ..keys_only(containers.clone(), at, Vec::new()) })?.next),
        }
    }
}

/// Layout of a cursor: a byte for the part; then, among what is contained, 4 bytes for how many of the next container's resources have
/// been given, and 2 for the length of its key, which follows; then the store's cursor, if there is one.
const OWN: u8 = 0;
const WITHIN: u8 = 1;

fn own_cursor(cursor: &Cursor) -> Cursor {
    Cursor([&[OWN], cursor.0.as_slice()].concat())
}

impl Start {
    fn parse(contained: Contained, page: &Page) -> Result<Start, Outcome> {
        let (cursor, is_before) = match page {
            Page::First if contained == Contained::Both => return Ok(Start::Own(Page::First)),
            Page::First => return Ok(Start::Within(Place::default())),
            Page::After(cursor) => (cursor, false),
            Page::Before(cursor) => (cursor, true),
        };
        let start = match (cursor.0.split_first(), is_before) {
            (Some((&OWN, rest)), false) => Some(Start::Own(Page::After(Cursor(rest.to_vec())))),
            (Some((&OWN, rest)), true) => Some(Start::Own(Page::Before(Cursor(rest.to_vec())))),
            (Some((&WITHIN, rest)), false) => Place::parse(rest).map(Start::Within),
            _ => None,
        };
        start.ok_or_else(|| Outcome::new(IssueType::BadRequest, "the page is none of a search for contained resources"))
    }
}

impl Place {
    fn page(&self) -> Page {
        self.after.clone().map_or(Page::First, Page::After)
    }

    fn given(&self, container: &Key) -> usize {
        self.begun.as_ref().filter(|(begun, _)| begun == container).map_or(0, |(_, given)| *given as usize)
    }

    fn cursor(&self) -> Cursor {
        let (key, given) = self.begun.as_ref().map_or(("", 0), |(key, given)| (key.as_str(), *given));
        let after = self.after.as_ref().map_or(&[][..], |after| &after.0);
        let length = (key.len() as u16).to_be_bytes();
        Cursor([&[WITHIN], given.to_be_bytes().as_slice(), &length, key.as_bytes(), after].concat())
    }

    fn parse(bytes: &[u8]) -> Option<Place> {
        let (given, rest) = bytes.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (key, after) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        let begun = match key {
            [] => None,
            key => Some((Key::parse(std::str::from_utf8(key).ok()?)?, u32::from_be_bytes(*given))),
        };
        Some(Place { after: (!after.is_empty()).then(|| Cursor(after.to_vec())), begun })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::key;

    #[test]
    fn positions_survive_the_way_to_the_client() {
        let places = [
            Place::default(),
            Place { after: Some(Cursor(vec![1, 2, 3])), begun: None },
            Place { after: None, begun: Some((key("Patient/ann"), 70_000)) },
            Place { after: Some(Cursor(vec![0])), begun: Some((key("Patient/ann"), 1)) },
        ];
        for place in places {
            let start = Start::parse(Contained::True, &Page::After(place.cursor()));
            assert_eq!(start.expect("a position"), Start::Within(place));
        }
        let own = own_cursor(&Cursor(vec![7]));
        let start = |page| Start::parse(Contained::Both, &page).ok();
        assert_eq!(start(Page::Before(own.clone())), Some(Start::Own(Page::Before(Cursor(vec![7])))));
        assert_eq!(start(Page::After(own)), Some(Start::Own(Page::After(Cursor(vec![7])))));
        for wrong in [&[][..], &[2], &[WITHIN], &[WITHIN, 0, 0, 0, 0, 0, 9, b'x'], &[WITHIN, 0, 0, 0, 0, 0, 1, b'x']] {
            assert_eq!(start(Page::After(Cursor(wrong.to_vec()))), None, "{wrong:?}");
        }
    }
}
