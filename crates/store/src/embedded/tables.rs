//! The files: opening the environment and its tables, and what can be wrong with them.

use std::cmp;
use std::fs::File;
use std::path::{Path, PathBuf};

use heed::types::Bytes;
use heed::{
    CommitOrAbort, Comparator, Database, DatabaseOpener, Env, EnvFlags, EnvOpenOptions, MdbError, RoTxn, RwTxn,
    WithoutTls,
};

use super::find::Lists;
use super::latest::Latest;
use super::layout::{self, Collection, Current, Document, FORMAT, State, Stored};
use crate::fields::Fields;
use crate::{Index, StoreError, directory};

/// The address space reserved for the file, which bounds its size: 1 TiB. Only what is used is on disk or in memory, and a larger
/// constant needs no conversion of existing stores.
pub(super) const MAP_BYTES: usize = 1 << 40;

/// How many snapshots may be open at one time.
pub(super) const SNAPSHOTS_MAX: u32 = 1024;

pub(super) const TABLES: u32 = 14;

/// The engine's file in the directory of a store.
pub(super) const DATA: &str = "data.mdb";

pub(super) type Table = Database<'static, Bytes, Bytes>;
pub(super) type RowTable = Database<'static, Bytes, Bytes, RowOrder>;

/// [`layout::compare_rows`] for the engine.
pub(super) enum RowOrder {}

impl Comparator for RowOrder {
    fn compare(a: &[u8], b: &[u8]) -> cmp::Ordering {
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
    pub(super) latest: Latest,
    /// What was found, until the documents change in which it was.
    pub(super) lists: Lists,
}

/// An open directory. The lock, which only who reads beside another process does not have, lives as long as the environment.
pub(super) struct Files {
    pub(super) env: Env<WithoutTls>,
    pub(super) tables: Tables,
    pub(super) directory: PathBuf,
    /// Nobody who only reads has one.
    _lock: Option<File>,
}

impl Files {
    /// `map_bytes` is a multiple of the system's page size.
    pub(super) fn open(directory: &Path, map_bytes: usize) -> Result<Files, StoreError> {
        let lock = directory::take(directory)?;
        let is_new = !directory.join(DATA).exists();
        let env = open_environment(directory, map_bytes)?;
        let tables = open_tables(&env, directory)?;
        if is_new {
            // The engine flushes its file but not the directory entry.
            File::open(directory)
                .and_then(|directory| directory.sync_all())
                .map_err(|error| directory::unusable(directory, &error))?;
        }
        Ok(Files { env, tables, directory: directory.to_owned(), _lock: Some(lock) })
    }

    /// Opens what is there, to be read while another process writes to it or none does.
    pub(super) fn open_beside(directory: &Path) -> Result<Files, StoreError> {
        let env = open_to_read(directory)?;
        let tables = find_tables(&env, directory)?;
        Ok(Files { env, tables, directory: directory.to_owned(), _lock: None })
    }

    /// See [`Store::commits`](crate::Store::commits): the engine counts, also for the processes beside the one that writes.
    pub(super) fn commits(&self) -> u64 {
        self.env.info().last_txn_id as u64
    }
}

/// Opens the environment that is there, which another process may have open.
pub(super) fn open_to_read(directory: &Path) -> Result<Env<WithoutTls>, StoreError> {
    if !directory.join(DATA).exists() {
        return Err(no_store(directory));
    }
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    options.map_size(MAP_BYTES).max_readers(SNAPSHOTS_MAX).max_dbs(TABLES);
    // SAFETY: who reads changes nothing, and what others write at the same time the engine's lock file keeps from under this reader.
    #[expect(unsafe_code, reason = "opening a memory map is unsafe in the engine's interface")]
    let opened = unsafe {
        options.flags(EnvFlags::READ_ONLY);
        options.open(directory)
    };
    Ok(opened?)
}

fn no_store(directory: &Path) -> StoreError {
    StoreError::Unusable(format!("there is no store in `{}`", directory.display()))
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
        let meta = opener.create_database(txn, Some("meta"))?;
        check_format(&meta, txn, directory)?;
        let tables = named(meta, &mut Making { opener, txn })?;
        Ok::<_, StoreError>(CommitOrAbort::<_, std::convert::Infallible>::Commit(tables))
    })?;
    let CommitOrAbort::Commit(named) = opened;
    Ok(Tables::of(named, Latest::since(env.info().last_txn_id)))
}

/// The same of what is there, and makes nothing.
fn find_tables(env: &Env<WithoutTls>, directory: &Path) -> Result<Tables, StoreError> {
    let opened = env.open_databases_and_commit(env.read_txn()?, |opener, txn| {
        let mut finding = Finding { opener, txn, directory };
        let meta = finding.table("meta")?;
        is_format(&meta, txn, directory)?;
        let tables = named(meta, &mut finding)?;
        Ok::<_, StoreError>(CommitOrAbort::<_, std::convert::Infallible>::Commit(tables))
    })?;
    let CommitOrAbort::Commit(named) = opened;
    Ok(Tables::of(named, Latest::unknown()))
}

type Opened<'e> = Database<'e, Bytes, Bytes>;
type OpenedRows<'e> = Database<'e, Bytes, Bytes, RowOrder>;

/// All tables, in the form in which the engine takes them through the end of the transaction that opens them.
type Named<T, R> = (T, T, T, T, T, R, R, (T, T, T), T, T, T, T);

/// How tables are opened by name.
trait Open<'e> {
    fn table(&mut self, name: &str) -> Result<Opened<'e>, StoreError>;
    fn row_table(&mut self, name: &str) -> Result<OpenedRows<'e>, StoreError>;
}

/// Makes those that are missing.
struct Making<'a, 'e> {
    opener: &'a DatabaseOpener<'e, WithoutTls>,
    txn: &'a mut RwTxn<'e>,
}

impl<'e> Open<'e> for Making<'_, 'e> {
    fn table(&mut self, name: &str) -> Result<Opened<'e>, StoreError> {
        Ok(self.opener.create_database(self.txn, Some(name))?)
    }

    fn row_table(&mut self, name: &str) -> Result<OpenedRows<'e>, StoreError> {
        let mut options = self.opener.database_options().types::<Bytes, Bytes>().key_comparator::<RowOrder>();
        Ok(options.name(name).create(self.txn)?)
    }
}

/// Refuses a store in which one is missing.
struct Finding<'a, 'e> {
    opener: &'a DatabaseOpener<'e, WithoutTls>,
    txn: &'a RoTxn<'e, WithoutTls>,
    directory: &'a Path,
}

impl<'e> Open<'e> for Finding<'_, 'e> {
    fn table(&mut self, name: &str) -> Result<Opened<'e>, StoreError> {
        self.opener.open_database(self.txn, Some(name))?.ok_or_else(|| no_store(self.directory))
    }

    fn row_table(&mut self, name: &str) -> Result<OpenedRows<'e>, StoreError> {
        let mut options = self.opener.database_options().types::<Bytes, Bytes>().key_comparator::<RowOrder>();
        options.name(name).open(self.txn)?.ok_or_else(|| no_store(self.directory))
    }
}

fn named<'e>(meta: Opened<'e>, open: &mut impl Open<'e>) -> Result<Named<Opened<'e>, OpenedRows<'e>>, StoreError> {
    Ok((
        meta,
        open.table("collections")?,
        open.table("documents")?,
        open.table("versions")?,
        open.table("current")?,
        open.row_table("rows")?,
        open.row_table("samples")?,
        (open.table("words")?, open.table("postings")?, open.table("fresh")?),
        open.table("homes")?,
        open.table("counts")?,
        open.table("log")?,
        open.table("values")?,
    ))
}

impl Tables {
    fn of(named: Named<Table, RowTable>, latest: Latest) -> Tables {
        let (meta, collections, documents, versions, current, rows, samples, of_words, homes, counts, log, values) =
            named;
        let (words, postings, fresh) = of_words;
        Tables {
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
            latest,
            lists: Lists::default(),
        }
    }
}

const FORMAT_NAME: &[u8] = b"format";

/// Writes the format down where none is yet.
fn check_format(meta: &Opened<'_>, txn: &mut RwTxn<'_>, directory: &Path) -> Result<(), StoreError> {
    match meta.get(txn, FORMAT_NAME)? {
        None => Ok(meta.put(txn, FORMAT_NAME, &FORMAT.to_be_bytes())?),
        Some(_) => is_format(meta, txn, directory),
    }
}

fn is_format(meta: &Opened<'_>, txn: &RoTxn<'_>, directory: &Path) -> Result<(), StoreError> {
    match meta.get(txn, FORMAT_NAME)? {
        None => Err(no_store(directory)),
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

    /// A commit since which the documents of a collection are as they are here.
    pub(super) fn commit_of(self, collection: &[u8]) -> usize {
        self.tables.latest.of(collection, self.txn.id())
    }

    /// How many rows have exactly this value, when that is kept.
    pub(super) fn kept_count(self, index: Index, value: &[u8]) -> Result<Option<u64>, StoreError> {
        let key = [&index.0.to_be_bytes(), value].concat();
        let record = self.tables.counts.get(self.txn, &key)?;
        record.map(|record| Fields(record).u64().ok_or_else(|| damaged("counts"))).transpose()
    }
}
