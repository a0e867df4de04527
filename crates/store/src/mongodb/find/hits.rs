//! What is shown of the documents on a page.

use std::collections::HashMap;

use mongodb::bson::{Document, RawDocument, doc};

use super::page::{BY_NUMBER, Search, within};
use super::reader::{Query, key, number};
use crate::document::PageRoom;
use crate::find::{Position, Stretch};
use crate::mongodb::layout::{self, DOCUMENTS};
use crate::{Find, Hit, Index, PAGE_BYTES_MAX, StoreError};

/// How many hits are read at once.
const READ: usize = 1_000;

/// Hits by their numbers, and how long their bodies are.
type Read = HashMap<u64, (usize, Hit)>;

/// What is shown of hits, read while they are looked for: no more than one page takes.
pub(super) struct Carried {
    values: Vec<Index>,
    read: Read,
    bytes: usize,
}

impl Carried {
    pub(super) fn new(find: &Find) -> Carried {
        Carried { values: find.values.clone(), read: Read::new(), bytes: 0 }
    }

    /// What must be read for it, and for what a search looks at.
    pub(super) fn projection() -> Document {
        doc! { "w": 0 }
    }

    pub(super) fn add(&mut self, document: &RawDocument) -> Result<(), StoreError> {
        if self.bytes <= PAGE_BYTES_MAX {
            let (length, hit) = hit(document, &self.values, true)?;
            self.bytes += length;
            self.read.insert(number(document)?, (length, hit));
        }
        Ok(())
    }

    /// The hits at these positions, as many as have room on one page; `None` where one was not read.
    fn take(mut self, positions: &[Position]) -> Option<Vec<Hit>> {
        let mut room = PageRoom::default();
        let mut hits = Vec::with_capacity(positions.len());
        for position in positions {
            let (length, hit) = self.read.remove(&position.number)?;
            if !room.takes_length(length) {
                break;
            }
            hits.push(hit);
        }
        Some(hits)
    }
}

impl Search<'_, '_> {
    /// The hits at these positions, as many as have room on one page.
    pub(super) fn hits(&mut self, positions: &[Position], find: &Find) -> Result<Vec<Hit>, StoreError> {
        if let Some(hits) = self.reader.carried.take().and_then(|carried| carried.take(positions)) {
            return Ok(hits);
        }
        let mut positions = positions;
        let mut read = self.read(positions, find, find.bodies)?;
        if read.is_none() {
            let lengths = self.read(positions, find, false)?.ok_or_else(damaged)?;
            let mut room = PageRoom::default();
            let fits = |position: &&Position| {
                lengths.get(&position.number).is_some_and(|(length, _)| room.takes_length(*length))
            };
            positions = &positions[..positions.iter().take_while(fits).count()];
            read = self.read(positions, find, true)?;
        }
        let mut read = read.ok_or_else(damaged)?;
        let hits = positions.iter().map(|position| read.remove(&position.number).map(|(_, hit)| hit));
        hits.collect::<Option<_>>().ok_or_else(damaged)
    }

    /// A page in order of creation where the database checks all: its positions and hits, and whether more follow.
    pub(super) fn hits_by_number(
        &mut self,
        stretch: Stretch<'_>,
        find: &Find,
    ) -> Result<(Vec<Position>, Vec<Hit>, bool), StoreError> {
        let start = self.reader.touched();
        let query = Query {
            by_number: Some(stretch.is_backward()),
            limit: Some(stretch.wanted),
            ..Query::new(within(&stretch, self.sieve.query.clone()), projection(find, find.bodies))
        };
        let mut cursor = self.reader.find(query)?;
        let (mut positions, mut hits) = (Vec::new(), Vec::new());
        let mut room = PageRoom::default();
        let mut more = false;
        while let Some(document) = self.reader.next(&mut cursor)? {
            let (length, hit) = hit(document, &find.values, find.bodies)?;
            more = hits.len() == find.limit || find.bodies && !room.takes_length(length);
            if more {
                break;
            }
            positions.push(Position { values: Vec::new(), number: number(document)? });
            hits.push(hit);
        }
        self.reader.note(BY_NUMBER, None, start, hits.len() as u64);
        Ok((positions, hits, more))
    }

    /// `None` where the bodies are more than one page takes, but for a single one.
    fn read(&mut self, positions: &[Position], find: &Find, bodies: bool) -> Result<Option<Read>, StoreError> {
        let projection = projection(find, bodies);
        let mut read = HashMap::with_capacity(positions.len());
        let mut bytes = 0;
        for chunk in positions.chunks(READ) {
            let numbers: Vec<_> = chunk.iter().map(|position| position.number as i64).collect();
            let query = Query::new(doc! { "n": { "$in": numbers } }, projection.clone());
            let mut cursor = self.reader.find(Query { limit: Some(chunk.len()), ..query })?;
            while let Some(document) = self.reader.next(&mut cursor)? {
                let (length, hit) = hit(document, &find.values, bodies)?;
                bytes += length;
                if bodies && bytes > PAGE_BYTES_MAX && !read.is_empty() {
                    return Ok(None);
                }
                read.insert(number(document)?, (length, hit));
            }
        }
        Ok(Some(read))
    }
}

/// What is read of a hit.
fn projection(find: &Find, bodies: bool) -> Document {
    match (bodies, find.values.is_empty()) {
        (true, true) => doc! { "r": 0, "w": 0 },
        (true, false) => doc! { "w": 0 },
        (false, true) => doc! { "n": 1, "z": 1 },
        (false, false) => doc! { "n": 1, "z": 1, "r": 1 },
    }
}

/// A hit, and how long its body is.
fn hit(document: &RawDocument, values: &[Index], bodies: bool) -> Result<(usize, Hit), StoreError> {
    let length = document.get_i32("z").map_err(|_| damaged())? as usize;
    let version = if bodies { Some(layout::version(document)?) } else { None };
    let rows = layout::rows(document, Some(values))?;
    Ok((length, Hit { key: key(document)?, version, rows }))
}

fn damaged() -> StoreError {
    layout::damaged(DOCUMENTS)
}
