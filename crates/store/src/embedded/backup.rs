//! A copy of a store, made while a server writes to it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use heed::CompactionOption;

use super::tables::{DATA, open_to_read};
use crate::StoreError;
use crate::journal::FILE as JOURNAL;

/// With the lengths and hashes of the others: it is written last.
const MANIFEST: &str = "manifest";

/// The first line of a manifest.
const HEADER: &str = "flint backup 1";

/// How many bytes are copied at a time.
const PIECE: usize = 1 << 20;

/// Copies the store in a directory, which another process may have open, into an empty one: all that was committed, and all that was kept in
/// the journal, before it began is in it. Gives the number of bytes. While it is copied the store keeps what is overwritten, and grows by that.
pub fn backup(directory: &Path, to: &Path) -> Result<u64, StoreError> {
    let env = open_to_read(directory)?;
    let mut hashes = Vec::new();
    // The journal first: what is taken out of it meanwhile is in the store that is copied after it, and is not taken in twice.
    if directory.join(JOURNAL).exists() {
        hashes.push(copy(&directory.join(JOURNAL), &to.join(JOURNAL), &mut |_| ())?);
    }
    let mut data = create(&to.join(DATA))?;
    env.copy_to_file(&mut data, CompactionOption::Enabled)?;
    data.sync_all().map_err(|error| failed(to, &error))?;
    hashes.push(hash(&to.join(DATA))?);
    let lines: String = hashes.iter().map(Piece::line).collect();
    let mut manifest = File::create(to.join(MANIFEST)).map_err(|error| failed(to, &error))?;
    let text = format!("{HEADER}\n{lines}");
    manifest.write_all(text.as_bytes()).and_then(|()| manifest.sync_all()).map_err(|error| failed(to, &error))?;
    sync(to)?;
    Ok(hashes.iter().map(|piece| piece.length).sum())
}

/// How many bytes the store in a backup has; `Unusable` where it is none, or not whole.
pub fn backup_length(backup: &Path) -> Result<u64, StoreError> {
    Ok(manifest(backup)?.iter().map(|piece| piece.length).sum())
}

/// Makes an empty directory the store of a backup, whose files are compared with what was written down of them; `tell` is told how many more
/// bytes are copied.
pub fn restore(backup: &Path, directory: &Path, tell: &mut dyn FnMut(u64)) -> Result<(), StoreError> {
    for expected in manifest(backup)? {
        // The engine's file comes last: without it the directory is no store.
        let copied = copy(&backup.join(&expected.name), &directory.join(&expected.name), tell)?;
        if copied != expected {
            let path = directory.join(&expected.name);
            fs::remove_file(&path).map_err(|error| failed(&path, &error))?;
            return Err(StoreError::Unusable(format!(
                "`{}` is not as it was when the backup was made: it is damaged",
                backup.join(&expected.name).display()
            )));
        }
    }
    sync(directory)
}

/// A file of a backup.
#[derive(Debug, PartialEq, Eq)]
struct Piece {
    name: String,
    length: u64,
    hash: blake3::Hash,
}

impl Piece {
    fn line(&self) -> String {
        format!("{} {} {}\n", self.name, self.length, self.hash)
    }

    fn parse(line: &str) -> Option<Piece> {
        let mut words = line.split(' ');
        let (name, length, hash) = (words.next()?, words.next()?, words.next()?);
        let is_known = name == DATA || name == JOURNAL;
        let hash = blake3::Hash::from_hex(hash).ok()?;
        is_known.then_some(Piece { name: name.to_owned(), length: length.parse().ok()?, hash })
    }
}

fn manifest(backup: &Path) -> Result<Vec<Piece>, StoreError> {
    let none = || StoreError::Unusable(format!("`{}` is no backup that was made to its end", backup.display()));
    let text = fs::read_to_string(backup.join(MANIFEST)).map_err(|_| none())?;
    let mut lines = text.lines();
    if lines.next() != Some(HEADER) {
        return Err(none());
    }
    let pieces: Option<Vec<_>> = lines.map(Piece::parse).collect();
    pieces.filter(|pieces| pieces.last().is_some_and(|last| last.name == DATA)).ok_or_else(none)
}

/// A new file, which nobody else may read.
fn create(path: &Path) -> Result<File, StoreError> {
    let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(path);
    file.map_err(|error| failed(path, &error))
}

/// Copies a file and flushes it.
fn copy(from: &Path, to: &Path, tell: &mut dyn FnMut(u64)) -> Result<Piece, StoreError> {
    let mut output = create(to)?;
    let piece = read(from, &mut |piece| {
        tell(piece.len() as u64);
        output.write_all(piece).map_err(|error| failed(to, &error))
    })?;
    output.sync_all().map_err(|error| failed(to, &error))?;
    Ok(piece)
}

fn hash(path: &Path) -> Result<Piece, StoreError> {
    read(path, &mut |_| Ok(()))
}

fn read(path: &Path, take: &mut dyn FnMut(&[u8]) -> Result<(), StoreError>) -> Result<Piece, StoreError> {
    let mut file = File::open(path).map_err(|error| failed(path, &error))?;
    let (mut hasher, mut length, mut buffer) = (blake3::Hasher::new(), 0, vec![0; PIECE]);
    loop {
        match io::Read::read(&mut file, &mut buffer).map_err(|error| failed(path, &error))? {
            0 => break,
            read => {
                hasher.update(&buffer[..read]);
                take(&buffer[..read])?;
                length += read as u64;
            }
        }
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Piece { name, length, hash: hasher.finalize() })
}

/// Flushes the entries of a directory.
fn sync(directory: &Path) -> Result<(), StoreError> {
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(|error| failed(directory, &error))
}

fn failed(path: &Path, error: &io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full,
        _ => StoreError::Unusable(format!("`{}` cannot be used: {error}", path.display())),
    }
}
