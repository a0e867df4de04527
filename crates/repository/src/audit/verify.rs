//! Whether the audit is what it was: the whole chain, and every AuditEvent against its record.

use std::fmt;

use fhir::Outcome;
use search::Rows;
use store::{Cursor, Key, Snapshot, Version};

use super::block::{BLOCKS, Block, Head};
use super::chain::PENDING;
use super::make::{MADE, Records};
use super::{Place, event, rule};
use crate::session::parse_stored;
use crate::{Repository, fault};

/// How many blocks or AuditEvents are read at a time.
const PAGE: usize = 64;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The newest whole block: to be noted elsewhere, for a later [`Repository::verify_audit`].
    pub head: Head,
    pub records: u64,
    /// How many have their AuditEvents.
    pub events: u64,
    /// How many accounts wait to be chained.
    pub pending: u64,
    /// The first damage; what is behind it was not looked at.
    pub damage: Option<Damage>,
}

/// What is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// There is no such block, and there are later ones.
    BlockMissing(u64),
    /// It cannot be read, or stands under another number than its own.
    BlockDamaged(u64),
    /// It does not hold the hash of the block before it: one of the two is not what it was.
    ChainBroken(u64),
    /// The head that is kept is not the last block.
    HeadDiffers { kept: Head, found: Head },
    /// The chain does not hold the block that was noted elsewhere.
    NotAsNoted(Head),
    /// The record has no AuditEvent any more.
    EventMissing(Place),
    /// The AuditEvent is not that of its record.
    EventChanged(Place),
    /// An AuditEvent says that it is of the ledger, and there is no such record.
    EventForeign(Key),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::BlockMissing(block) => write!(f, "block {block} is missing"),
            Damage::BlockDamaged(block) => write!(f, "block {block} is damaged"),
            Damage::ChainBroken(block) => {
                write!(f, "block {block} does not follow the one before it: one of the two was changed")
            }
            Damage::HeadDiffers { kept, found } => {
                write!(f, "the chain ends with `{found}` and should with `{kept}`: its end was changed or cut off")
            }
            Damage::NotAsNoted(head) => write!(f, "the chain does not hold `{head}`: it was changed or cut off"),
            Damage::EventMissing(place) => write!(f, "`AuditEvent/{}`, {place}, is missing", place.id()),
            Damage::EventChanged(place) => write!(f, "`AuditEvent/{}`, {place}, was changed", place.id()),
            Damage::EventForeign(key) => write!(f, "`{key}` is not of this audit"),
        }
    }
}

impl Repository {
    /// Goes through the whole audit. `noted` is a head from before, which must stand in the chain. `tell` is told after each page how many
    /// of how many blocks are done.
    ///
    /// While requests come, what they add meanwhile is not looked at.
    pub fn verify_audit(&self, noted: Option<Head>, mut tell: impl FnMut(u64, u64)) -> Result<Report, Outcome> {
        let snapshot = self.store().snapshot().map_err(fault::outcome)?;
        let mut walk = Walk::begin(&*snapshot, noted)?;
        walk.report.pending += self.ledger().journaled()? as u64;
        walk.report.damage = walk.chain(&mut tell)?;
        if walk.report.damage.is_none() {
            walk.report.damage = walk.foreign()?;
        }
        Ok(walk.report)
    }
}

struct Walk<'s> {
    snapshot: &'s dyn Snapshot,
    noted: Option<Head>,
    kept: Head,
    /// The last block whose AuditEvents must all be there.
    made: u64,
    /// How many records each block has.
    lengths: Vec<u32>,
    report: Report,
}

impl<'s> Walk<'s> {
    fn begin(snapshot: &'s dyn Snapshot, noted: Option<Head>) -> Result<Walk<'s>, Outcome> {
        let made = snapshot.value(MADE).map_err(fault::outcome)?.unwrap_or_default();
        let report = Report { head: Head::default(), records: 0, events: 0, pending: pending(snapshot)?, damage: None };
        let made = made.try_into().map_or(0, u64::from_be_bytes);
        Ok(Walk { snapshot, noted, kept: Head::read(snapshot)?.0, made, lengths: Vec::new(), report })
    }

    /// From the first block to the last.
    fn chain(&mut self, tell: &mut dyn FnMut(u64, u64)) -> Result<Option<Damage>, Outcome> {
        let mut after = BLOCKS.to_vec();
        loop {
            let blocks = self.snapshot.values(BLOCKS, Some(&after), PAGE).map_err(fault::outcome)?;
            let Some((last, _)) = blocks.last() else { break };
            after.clone_from(last);
            for (name, bytes) in blocks {
                if let Some(damage) = self.block(&name, &bytes)? {
                    return Ok(Some(damage));
                }
            }
            tell(self.report.head.sequence, self.kept.sequence);
        }
        let found = self.report.head;
        match self.noted.filter(|noted| noted.sequence > found.sequence) {
            _ if found != self.kept => Ok(Some(Damage::HeadDiffers { kept: self.kept, found })),
            Some(noted) => Ok(Some(Damage::NotAsNoted(noted))),
            None => Ok(None),
        }
    }

    fn block(&mut self, name: &[u8], bytes: &[u8]) -> Result<Option<Damage>, Outcome> {
        let sequence = self.report.head.sequence + 1;
        if name != Block::name(sequence) {
            return Ok(Some(Damage::BlockMissing(sequence)));
        }
        let Some(block) = Block::decode(bytes).filter(|block| block.sequence == sequence) else {
            return Ok(Some(Damage::BlockDamaged(sequence)));
        };
        if block.previous != self.report.head.hash {
            return Ok(Some(Damage::ChainBroken(sequence)));
        }
        let head = Head { sequence, hash: Block::hash(bytes) };
        if let Some(noted) = self.noted.filter(|noted| noted.sequence == sequence && *noted != head) {
            return Ok(Some(Damage::NotAsNoted(noted)));
        }
        // The last block has no successor that holds its hash: the head does.
        if sequence == self.kept.sequence && head != self.kept {
            return Ok(Some(Damage::HeadDiffers { kept: self.kept, found: head }));
        }
        let damage = self.records(Records::of(block))?;
        self.report.head = head;
        Ok(damage)
    }

    fn records(&mut self, mut records: Records) -> Result<Option<Damage>, Outcome> {
        let block = records.block.sequence;
        for position in 0..records.len() {
            let Some((record, hash)) = records.get(position) else { return Ok(Some(Damage::BlockDamaged(block))) };
            let place = Place { block, position };
            let key = event::key(place);
            let text = event::text(place, &record, &records.block.server, &hash);
            match self.snapshot.read(&key).map_err(fault::outcome)? {
                Some(version) if is(&version, &text)? => self.report.events += 1,
                Some(version) if version.body.is_some() => return Ok(Some(Damage::EventChanged(place))),
                None if block > self.made => {}
                _ => return Ok(Some(Damage::EventMissing(place))),
            }
            self.report.records += 1;
        }
        self.lengths.push(records.len());
        Ok(None)
    }

    /// AuditEvents that say they are the ledger's, and are of no record.
    fn foreign(&self) -> Result<Option<Damage>, Outcome> {
        let mut after: Option<Cursor> = None;
        loop {
            let page = self.snapshot.documents("AuditEvent", after.as_ref(), PAGE).map_err(fault::outcome)?;
            for version in page.versions {
                if self.is_foreign(&version)? {
                    return Ok(Some(Damage::EventForeign(version.key)));
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(None),
            }
        }
    }

    fn is_foreign(&self, version: &Version) -> Result<bool, Outcome> {
        if let Some(place) = Place::of_id(version.key.id()) {
            let at = usize::try_from(place.block.saturating_sub(1)).unwrap_or(usize::MAX);
            let is_there = place.block > 0 && self.lengths.get(at).is_some_and(|length| place.position < *length);
            return Ok(!is_there);
        }
        match &version.body {
            Some(body) => parse_stored(&version.key, body).map(|event| rule::is_ours(&event)),
            None => Ok(false),
        }
    }
}

/// Whether the version is what the ledger wrote.
fn is(version: &Version, text: &str) -> Result<bool, Outcome> {
    let content = event::content(text, |_| Ok(Rows::default()))?;
    let same = |body: &bytes::Bytes| content.is(&version.key, 1, body);
    Ok(version.version == 1 && version.body.as_ref().is_some_and(same))
}

fn pending(snapshot: &dyn Snapshot) -> Result<u64, Outcome> {
    let (mut pending, mut after) = (0, PENDING.to_vec());
    loop {
        let accounts = snapshot.values(PENDING, Some(&after), PAGE).map_err(fault::outcome)?;
        let Some((last, _)) = accounts.last() else { return Ok(pending) };
        after.clone_from(last);
        pending += accounts.len() as u64;
    }
}
