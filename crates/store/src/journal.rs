//! A file of records that are durable at the cost of one small flush: for what must be on disk at once and finds its place in the store a moment
//! later.
//!
//! The file keeps its length, and what is written lies in blocks that it has already: a flush has only the data to bring to the disk. When all
//! records are done with, writing begins again at its start under the next epoch; what is left there of an earlier epoch is not read.
//!
//! A frame: `epoch` 8, `sequence` 8, `length` 4, checksum 16 (BLAKE3 of all but itself, cut), and `length` bytes of records, each behind its length in 4; all
//! numbers little-endian.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use crate::StoreError;

/// The name of the journal in the directory of the process.
pub(crate) const FILE: &str = "journal";

/// The length of the file, and so how many bytes of records wait at most, about.
const FILE_BYTES: u64 = 4 << 20;

/// What stands before the records of a frame.
const HEADER: usize = 8 + 8 + 4 + CHECKSUM;

const CHECKSUM: usize = 16;

/// A journal that one thread writes.
#[derive(Debug)]
pub struct Journal {
    file: File,
    /// Where the next frame goes.
    at: u64,
    next: Mark,
}

/// The place of a frame: of two, the later is the greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    epoch: u64,
    sequence: u64,
}

/// Records that were appended together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields speak for themselves")]
pub struct Frame {
    pub mark: Mark,
    pub records: Vec<Vec<u8>>,
}

impl Journal {
    /// Opens the journal in `path`, or makes one there, and gives the whole frames after `done`. Only one process may have it open.
    pub fn open(path: &Path, done: Mark) -> Result<(Journal, Vec<Frame>), StoreError> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        let file = file.map_err(failed)?;
        if file.metadata().map_err(failed)?.len() < FILE_BYTES {
            // Written, not only lengthened: blocks that a file has but never wrote are brought to the disk with its metadata.
            file.write_all_at(&vec![0; FILE_BYTES as usize], 0).map_err(failed)?;
            file.sync_all().map_err(failed)?;
            path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all()).map_err(failed)?;
        }
        let mut bytes = vec![0; FILE_BYTES as usize];
        file.read_exact_at(&mut bytes, 0).map_err(failed)?;
        let (mut frames, at) = read(&bytes);
        // Whatever stood behind the last whole frame is of an earlier epoch from now on.
        let last = frames.last().map_or(done, |last| last.mark.max(done));
        frames.retain(|frame| frame.mark > done);
        Ok((Journal { file, at, next: last.epoch_after() }, frames))
    }

    /// Appends records, at least one; they are durable when it returns. `None` when there is no room before [`Journal::restart`].
    pub fn append(&mut self, records: &[Vec<u8>]) -> Result<Option<Mark>, StoreError> {
        let frame = encode(self.next, records);
        if self.at + frame.len() as u64 > FILE_BYTES {
            return Ok(None);
        }
        self.file.write_all_at(&frame, self.at).map_err(failed)?;
        self.file.sync_data().map_err(failed)?;
        let mark = self.next;
        self.at += frame.len() as u64;
        self.next = mark.next();
        Ok(Some(mark))
    }

    /// Begins anew, once every record is where it belongs.
    pub fn restart(&mut self) {
        if self.at > 0 {
            self.at = 0;
            self.next = self.next.epoch_after();
        }
    }
}

impl Mark {
    fn next(self) -> Mark {
        Mark { sequence: self.sequence + 1, ..self }
    }

    fn epoch_after(self) -> Mark {
        Mark { epoch: self.epoch + 1, sequence: 0 }
    }

    /// As it is kept.
    pub fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[8..].copy_from_slice(&self.sequence.to_le_bytes());
        bytes
    }

    /// What [`Mark::to_bytes`] made; `None` of anything else.
    pub fn of(bytes: &[u8]) -> Option<Mark> {
        let (epoch, sequence) = bytes.split_at_checked(8)?;
        let number = |bytes: &[u8]| Some(u64::from_le_bytes(bytes.try_into().ok()?));
        Some(Mark { epoch: number(epoch)?, sequence: number(sequence)? })
    }
}

fn encode(mark: Mark, records: &[Vec<u8>]) -> Vec<u8> {
    let length: usize = records.iter().map(|record| 4 + record.len()).sum();
    let mut frame = Vec::with_capacity(HEADER + length);
    frame.extend_from_slice(&mark.to_bytes());
    frame.extend_from_slice(&(length as u32).to_le_bytes());
    frame.extend_from_slice(&[0; CHECKSUM]);
    for record in records {
        frame.extend_from_slice(&(record.len() as u32).to_le_bytes());
        frame.extend_from_slice(record);
    }
    let checksum = checksum(&frame);
    frame[HEADER - CHECKSUM..HEADER].copy_from_slice(&checksum);
    frame
}

/// Over the frame with zeros in the checksum's place.
fn checksum(frame: &[u8]) -> [u8; CHECKSUM] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&frame[..HEADER - CHECKSUM]);
    hasher.update(&frame[HEADER..]);
    let mut cut = [0; CHECKSUM];
    cut.copy_from_slice(&hasher.finalize().as_bytes()[..CHECKSUM]);
    cut
}

/// The frames from the start of the file up to the first that is not whole or is of an earlier epoch, and where they end.
fn read(bytes: &[u8]) -> (Vec<Frame>, u64) {
    let (mut frames, mut at) = (Vec::<Frame>::new(), 0);
    while let Some((frame, end)) = read_frame(bytes, at) {
        let follows = |last: &Frame| {
            last.mark.next() == frame.mark || last.mark.epoch < frame.mark.epoch && frame.mark.sequence == 0
        };
        if !frames.last().is_none_or(follows) {
            break;
        }
        frames.push(frame);
        at = end;
    }
    (frames, at as u64)
}

fn read_frame(bytes: &[u8], at: usize) -> Option<(Frame, usize)> {
    let header = bytes.get(at..at + HEADER)?;
    let mark = Mark::of(&header[..16])?;
    let length = u32::from_le_bytes(header[16..20].try_into().ok()?) as usize;
    let end = (at + HEADER).checked_add(length)?;
    let frame = bytes.get(at..end)?;
    if mark.epoch == 0 || header[20..] != checksum(frame) {
        return None;
    }
    let (mut records, mut rest) = (Vec::new(), &frame[HEADER..]);
    while let Some((length, after)) = rest.split_at_checked(4) {
        let (record, after) = after.split_at_checked(u32::from_le_bytes(length.try_into().ok()?) as usize)?;
        records.push(record.to_vec());
        rest = after;
    }
    Some((Frame { mark, records }, end))
}

fn failed(error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full,
        _ => StoreError::Engine(format!("the journal: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(texts: &[&str]) -> Vec<Vec<u8>> {
        texts.iter().map(|text| text.as_bytes().to_vec()).collect()
    }

    fn append(journal: &mut Journal, texts: &[&str]) -> Option<Mark> {
        journal.append(&records(texts)).expect("written")
    }

    /// The records of each frame that a new process finds.
    fn found(path: &Path) -> Vec<Vec<String>> {
        let (_, frames) = Journal::open(path, Mark::default()).expect("opened");
        let text = |record: &Vec<u8>| String::from_utf8(record.clone()).expect("text");
        frames.iter().map(|frame| frame.records.iter().map(text).collect()).collect()
    }

    #[test]
    fn keeps_what_was_appended() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("journal");
        let (mut journal, frames) = Journal::open(&path, Mark::default()).expect("opened");
        assert!(frames.is_empty());
        let first = append(&mut journal, &["a", ""]);
        let second = append(&mut journal, &["b"]);
        assert!(first < second && first.is_some());
        drop(journal);
        assert_eq!(found(&path), [vec!["a", ""], vec!["b"]]);
        let (mut journal, frames) = Journal::open(&path, Mark::default()).expect("opened");
        assert_eq!(Some(frames[1].mark), second);
        assert!(append(&mut journal, &["c"]) > second);
        drop(journal);
        assert_eq!(found(&path), [vec!["a", ""], vec!["b"], vec!["c"]]);
    }

    #[test]
    fn begins_anew_and_reads_nothing_old() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("journal");
        let (mut journal, _) = Journal::open(&path, Mark::default()).expect("opened");
        let old = (0..3).map(|_| append(&mut journal, &["old"])).max();
        journal.restart();
        let new = append(&mut journal, &["new"]);
        assert!(Some(new) > old);
        drop(journal);
        assert_eq!(found(&path), [["new"]]);
        let (mut journal, _) = Journal::open(&path, Mark::default()).expect("opened");
        journal.restart();
        journal.restart();
        assert!(append(&mut journal, &["newer"]) > new);
        assert!(append(&mut journal, &["newest"]) > new);
        drop(journal);
        assert_eq!(found(&path), [["newer"], ["newest"]]);
    }

    #[test]
    fn a_frame_that_is_not_whole_ends_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("journal");
        let (mut journal, _) = Journal::open(&path, Mark::default()).expect("opened");
        append(&mut journal, &["first"]);
        let begins = journal.at;
        let whole = encode(journal.next, &records(&["second"]));
        append(&mut journal, &["second"]);
        let ends = journal.at;
        append(&mut journal, &["third"]);
        drop(journal);
        for at in begins..ends {
            let file = OpenOptions::new().read(true).write(true).open(&path).expect("a file");
            let mut byte = [0];
            file.read_exact_at(&mut byte, at).expect("read");
            file.write_all_at(&[byte[0] ^ 1], at).expect("written");
            let (mut journal, frames) = Journal::open(&path, Mark::default()).expect("opened");
            assert_eq!(frames.len(), 1, "byte {at}");
            // What comes now takes its place, and the third does not come back.
            append(&mut journal, &["other!"]);
            drop(journal);
            assert_eq!(found(&path), [["first"], ["other!"]], "byte {at}");
            file.write_all_at(&whole, begins).expect("written");
        }
    }

    #[test]
    fn goes_on_after_what_is_done() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("journal");
        let (mut journal, _) = Journal::open(&path, Mark::default()).expect("opened");
        let marks: Vec<_> = ["a", "b", "c"].iter().filter_map(|text| append(&mut journal, &[text])).collect();
        drop(journal);
        let (_, frames) = Journal::open(&path, marks[1]).expect("opened");
        assert_eq!(frames, [Frame { mark: marks[2], records: records(&["c"]) }]);
        // The store knows of more than the file: that was lost, and what comes is still new.
        let later = Mark { epoch: 9, sequence: 4 };
        assert_eq!(Mark::of(&later.to_bytes()), Some(later));
        std::fs::remove_file(&path).expect("removed");
        let (mut journal, frames) = Journal::open(&path, later).expect("opened");
        assert!(frames.is_empty());
        assert!(append(&mut journal, &["d"]) > Some(later));
    }

    #[test]
    fn refuses_what_has_no_room() {
        let directory = tempfile::tempdir().expect("a directory");
        let (mut journal, _) = Journal::open(&directory.path().join("journal"), Mark::default()).expect("opened");
        let half = vec![vec![7; FILE_BYTES as usize / 2 - 64]];
        assert!(journal.append(&half).expect("written").is_some());
        assert!(journal.append(&half).expect("written").is_some());
        assert_eq!(journal.append(&half), Ok(None));
        journal.restart();
        assert!(journal.append(&half).expect("written").is_some());
    }
}
