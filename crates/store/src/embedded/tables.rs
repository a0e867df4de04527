//! The files: opening the environment and its tables, and what can be wrong with them.

use std::cmp::Ordering;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

use heed::types::Bytes;
use heed::{
    CommitOrAbort, Comparator, Database, DatabaseOpener, Env, EnvOpenOptions, MdbError, RoTxn, RwTxn, WithoutTls,
};

use super::find::Lists;
use super::layout::{self, Collection, Current, Document, FORMAT, State, Stored};
use crate::fields::Fields;
use crate::{Index, StoreError, directory};

/// The address space reserved for the file, which bounds its size: 1 TiB. Only what is used is on disk or in memory, and a larger
/// constant needs no conversion of existing stores.
pub(super) const MAP_BYTES: usize = 1 << 40;

/// How many snapshots may be open at one time.
pub(super) const SNAPSHOTS_MAX: u32 = 1024;

pub(super) const TABLES: u32 = 14;

pub(super) type Table = Database<'static, Bytes, Bytes>;
pub(super) type RowTable = Database<'static, Bytes, Bytes, RowOrder>;

/// [`layout::compare_rows`] for the engine.
pub(super) enum RowOrder {}

impl Comparator for RowOrder {
    fn compare(a: &[u8], b: &[u8]) -> Ordering {
        layout::compare_rows(a, b)
    }
}

/// The tables of [`layout`].
pub(super) struct Tables {
    pub(super) meta: Table,
    pub(super) collections: Table,
    pub(super) documents: Table,
    pub(super) versions: Table,
    pub(super) current: Table,
    pub(super) rows: RowTable,
    pub(super) samples: RowTable,
    pub(super) words: Table,
    pub(super) postings: Table,
    pub(super) fresh: Table,
    pub(super) homes: Table,
    pub(super) counts: Table,
    pub(super) log: Table,
    pub(super) values: Table,
    /// What was found of these, until the next commit.
    pub(super) lists: Lists,
}

/// An open directory. The lock lives as long as the environment.
pub(super) struct Files {
    pub(super) env: Env<WithoutTls>,
    pub(super) tables: Tables,
    pub(super) directory: PathBuf,
    /// The number of the engine's last transaction that committed something.
    pub(super) commits: AtomicU64,
    _lock: File,
}

impl Files {
    /// `map_bytes` is a multiple of the system's page size.
    pub(super) fn open(directory: &Path, map_bytes: usize) -> Result<Files, StoreError> {
        let lock = directory::take(directory)?;
        let is_new = !directory.join("data.mdb").exists();
        let env = open_environment(directory, map_bytes)?;
        let tables = open_tables(&env, directory)?;
        if is_new {
            // The engine flushes its file but not the directory entry.
            File::open(directory)
                .and_then(|directory| directory.sync_all())
                .map_err(|error| directory::unusable(directory, &error))?;
        }
        let commits = AtomicU64::new(env.info().last_txn_id as u64);
        Ok(Files { env, tables, directory: directory.to_owned(), commits, _lock: lock })
    }
}

fn open_environment(directory: &Path, map_bytes: usize) -> Result<Env<WithoutTls>, StoreError> {
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(map_bytes).max_readers(SNAPSHOTS_MAX).max_dbs(TABLES);
    // SAFETY: the map is sound as long as nobody else changes or truncates the file: the exclusive lock keeps other processes of
    // ours away, and no engine flag that weakens durability or locking is set.
    #[expect(unsafe_code, reason = "opening a memory map is unsafe in the engine's interface")]
    let opened = unsafe { options.open(directory) };
    opened.map_err(|error| {
        let directory = directory.display();
        match error {
            heed::Error::Mdb(MdbError::Invalid | MdbError::VersionMismatch | MdbError::Corrupted) => {
                StoreError::Unusable(format!(
                    "the file `data.mdb` in `{directory}` is no store or is damaged: restore a copy"
                ))
            }
            error => StoreError::Unusable(format!("the store in `{directory}` cannot be opened: {error}")),
        }
    })
}

fn open_tables(env: &Env<WithoutTls>, directory: &Path) -> Result<Tables, StoreError> {
    let opened = env.create_databases_and_commit(env.write_txn()?, |opener, txn| {
        let meta = table(opener, txn, "meta")?;
        check_format(&meta, txn, directory)?;
        let rows = row_table(opener, txn, "rows")?;
        let samples = row_table(opener, txn, "samples")?;
        let tables = (
            meta,
            table(opener, txn, "collections")?,
            table(opener, txn, "documents")?,
            table(opener, txn, "versions")?,
            table(opener, txn, "current")?,
            rows,
            samples,
            (table(opener, txn, "words")?, table(opener, txn, "postings")?, table(opener, txn, "fresh")?),
            table(opener, txn, "homes")?,
            table(opener, txn, "counts")?,
            table(opener, txn, "log")?,
            table(opener, txn, "values")?,
        );
        Ok::<_, StoreError>(CommitOrAbort::<_, std::convert::Infallible>::Commit(tables))
    })?;
    let CommitOrAbort::Commit((
        meta,
        collections,
        documents,
        versions,
        current,
        rows,
        samples,
        (words, postings, fresh),
        homes,
        counts,
        log,
        values,
    )) = opened;
    Ok(Tables {
        meta,
        collections,
        documents,
        versions,
        current,
        rows,
        samples,
        words,
        postings,
        fresh,
        homes,
        counts,
        log,
        values,
        lists: Lists::default(),
    })
}

fn table<'e>(
    opener: &DatabaseOpener<'e, WithoutTls>,
    txn: &mut RwTxn<'e>,
    name: &str,
) -> Result<Database<'e, Bytes, Bytes>, StoreError> {
    Ok(opener.create_database(txn, Some(name))?)
}

fn row_table<'e>(
    opener: &DatabaseOpener<'e, WithoutTls>,
    txn: &mut RwTxn<'e>,
    name: &str,
) -> Result<Database<'e, Bytes, Bytes, RowOrder>, StoreError> {
    let mut options = opener.database_options().types::<Bytes, Bytes>().key_comparator::<RowOrder>();
    Ok(options.name(name).create(txn)?)
}

fn check_format(meta: &Database<'_, Bytes, Bytes>, txn: &mut RwTxn<'_>, directory: &Path) -> Result<(), StoreError> {
    const NAME: &[u8] = b"format";
    match meta.get(txn, NAME)? {
        None => Ok(meta.put(txn, NAME, &FORMAT.to_be_bytes())?),
        Some(found) if found == FORMAT.to_be_bytes() => Ok(()),
        Some(found) => {
            let found = found.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
            Err(StoreError::Unusable(format!(
                "the store in `{}` has format `{found}`, this program reads format `{FORMAT}`: export with the program that wrote it, \
                 and import into an empty directory",
                directory.display()
            )))
        }
    }
}

impl From<heed::Error> for StoreError {
    fn from(error: heed::Error) -> StoreError {
        use std::io::ErrorKind;
        match error {
            heed::Error::Mdb(MdbError::MapFull) => StoreError::Full,
            heed::Error::Io(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
                StoreError::Full
            }
            error => StoreError::Engine(format!("the engine failed: {error}")),
        }
    }
}

/// That a record cannot be read as what it should be.
pub(super) fn damaged(table: &str) -> StoreError {
    StoreError::Engine(format!("a record of table `{table}` is damaged"))
}

/// The tables as one transaction sees them: a snapshot, or the writer's with what it has written so far.
#[derive(Clone, Copy)]
pub(super) struct View<'t> {
    pub(super) txn: &'t RoTxn<'t>,
    pub(super) tables: &'t Tables,
}

impl<'t> View<'t> {
    pub(super) fn state(self) -> Result<State, StoreError> {
        match self.tables.meta.get(self.txn, b"state")? {
            Some(record) => State::decode(record).ok_or_else(|| damaged("meta")),
            None => Ok(State::FIRST),
        }
    }

    pub(super) fn document(self, key: &str) -> Result<Option<Document>, StoreError> {
        let record = self.tables.documents.get(self.txn, key.as_bytes())?;
        record.map(|record| Document::decode(record).ok_or_else(|| damaged("documents"))).transpose()
    }

    /// The version with this sequence, which must be there.
    pub(super) fn version(self, sequence: u64) -> Result<Stored<'t>, StoreError> {
        let record = self.tables.versions.get(self.txn, &sequence.to_be_bytes())?;
        record.and_then(Stored::decode).ok_or_else(|| damaged("versions"))
    }

    pub(super) fn current(self, number: u64) -> Result<Option<Current<'t>>, StoreError> {
        let record = self.tables.current.get(self.txn, &number.to_be_bytes())?;
        record.map(|record| Current::decode(record).ok_or_else(|| damaged("current"))).transpose()
    }

    pub(super) fn collection(self, name: &str) -> Result<Option<Collection>, StoreError> {
        let record = self.tables.collections.get(self.txn, name.as_bytes())?;
        record.map(|record| Collection::decode(record).ok_or_else(|| damaged("collections"))).transpose()
    }

    pub(super) fn collections(self) -> Result<Vec<(String, Collection)>, StoreError> {
        let entries = self.tables.collections.iter(self.txn)?;
        let decode = |(name, record)| {
            let name = std::str::from_utf8(name).ok()?;
            Some((name.to_owned(), Collection::decode(record)?))
        };
        entries.map(|entry| decode(entry?).ok_or_else(|| damaged("collections"))).collect()
    }

    /// How many rows have exactly this value, when that is kept.
    pub(super) fn kept_count(self, index: Index, value: &[u8]) -> Result<Option<u64>, StoreError> {
        let key = [&index.0.to_be_bytes(), value].concat();
        let record = self.tables.counts.get(self.txn, &key)?;
        record.map(|record| Fields(record).u64().ok_or_else(|| damaged("counts"))).transpose()
    }
}
