//! `flint copy`.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use repository::moving;
use store::{Clock, Millis, Store, SystemClock};

use super::Data;
use crate::copy::{Report, Side};
use crate::progress::{Progress, rate_of};
use crate::{Config, Settings, backend, copy, telemetry};

/// What `flint copy` takes.
#[derive(Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Copy {
    /// The store to be moved: a directory, or mongodb://HOST/DATABASE?replicaSet=NAME
    #[arg(long, env = "FLINT_COPY_FROM", value_name = "STORE", hide_env_values = true)]
    from: String,
    /// Where to: a new directory, or the URL of a new database
    #[arg(long, env = "FLINT_COPY_TO", value_name = "STORE", hide_env_values = true)]
    to: String,
    /// Copy while servers write to the store, and leave the last step to a run without this
    #[arg(long)]
    online: bool,
    /// Directory of what a server keeps beside the database, which is one of the two
    #[arg(long, env = "FLINT_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// A TOML file with the settings of `flint serve`, for its base URL
    #[arg(long, env = "FLINT_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// URL under which clients reach the server [default: http://127.0.0.1:8080/fhir]
    #[arg(long, env = "FLINT_BASE_URL", value_name = "URL")]
    base_url: Option<String>,
}

const AFTER_HELP: &str = "\
Everything goes along: all versions with their times, what was deleted, accounts, keys, and the audit. A run that was ended in any way is run again, and goes on \
where it was; nobody serves the copy before it is finished. First run with --online, as often as you like, while the store is served; then stop all \
its servers, and run without: that copies what has come since, compares both stores, and finishes. Servers are to be stopped by a signal; where one \
crashed, start and stop it once more, for what it had not brought into a database yet is in its own directory. A URL with a password belongs into \
FLINT_COPY_FROM or FLINT_COPY_TO.";

/// The longest that an end of other servers is waited for: where clocks differ, more would be of no use.
const SERVERS_WAIT_MAX: Millis = 30_000;

impl Copy {
    /// Copies as far as may be.
    pub(super) fn run(self) -> Result<(), Box<dyn Error>> {
        telemetry::log_to_stderr(&self.settings()?)?;
        let (from, to) = (Place::parse("--from", &self.from)?, Place::parse("--to", &self.to)?);
        if let (Place::Database(_), Place::Database(_)) = (&from, &to) {
            return Err(
                "databases are moved by their own tools: `mongodump --oplog` and `mongorestore --oplogReplay`".into()
            );
        }
        if from.is(&to) {
            return Err(format!("{} would be copied to itself", from.name("--from")).into());
        }
        let writes_to_database = matches!(to, Place::Database(_)) || !self.online && matches!(from, Place::Database(_));
        if writes_to_database && self.data.is_none() {
            return Err("name with --data the directory of what a server keeps beside the database".into());
        }
        let source = match self.online {
            true => backend::open_beside(&self.place(&from)?),
            false => {
                self.settle(&from)?;
                match &from {
                    // Keeps servers away meanwhile.
                    Place::Directory(_) => backend::open(&self.place(&from)?),
                    Place::Database(_) => backend::open_beside(&self.place(&from)?),
                }
            }
        };
        let source = source.map_err(|error| format!("{}: {error}", from.name("--from")))?;
        let target = self.open_target(&to)?;
        self.copy(Side { store: &*source, name: from.name("--from") }, Side { store: &*target, name: to.name("--to") })
    }

    fn copy(&self, source: Side<'_>, target: Side<'_>) -> Result<(), Box<dyn Error>> {
        let (from, to) = (source.name.clone(), target.name.clone());
        let mut copy = copy::Copy::begin(source, target)?;
        let left = copy.left()?;
        let progress = Progress::of("versions", left);
        let tell = |more| {
            progress.advance(more);
            progress.count(more);
        };
        if self.online {
            let followed = copy.follow(&tell);
            progress.finish();
            followed?;
            println!("{from} is in {to} but for {} versions, and what is written from now on", copy.left()?);
            println!("the last step: stop all servers of {from}, and run the same command without --online");
            return Ok(());
        }
        let finished = copy.finish(&tell);
        progress.finish();
        print(&finished?, left, &progress);
        println!("{from} and {to} are the same; serve {to} from now on, and {from} no more");
        Ok(())
    }

    fn settings(&self) -> Result<Settings, Box<dyn Error>> {
        let settings = Settings::of_store(None, None, self.base_url.clone());
        Ok(match &self.config {
            Some(path) => settings.or(Settings::read(path)?),
            None => settings,
        })
    }

    /// The configuration of one side.
    fn place(&self, place: &Place) -> Result<Config, Box<dyn Error>> {
        let mut config = self.settings()?.resolve()?;
        (config.data, config.store) = match place {
            Place::Directory(directory) => (directory.clone(), None),
            Place::Database(url) => (self.data.clone().unwrap_or_default(), Some(url.clone())),
        };
        Ok(config)
    }

    /// Has the store that is to be moved bring in what its last server has left: accounts in the journal, and resources to be indexed.
    fn settle(&self, from: &Place) -> Result<(), Box<dyn Error>> {
        let name = from.name("--from");
        let beside = backend::open_beside(&self.place(from)?).map_err(|error| format!("{name}: {error}"))?;
        if let Place::Database(_) = from {
            wait_for_servers(&*beside, &name)?;
        }
        drop(beside);
        let state = Data::open_at(self.place(from)?)?;
        state.index_rest()?;
        state.repository().ledger().flush()?;
        Ok(())
    }

    fn open_target(&self, to: &Place) -> Result<Arc<dyn Store>, Box<dyn Error>> {
        if let Place::Directory(directory) = to
            && fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some())
            && !directory.join("data.mdb").exists()
        {
            return Err(format!("{} is not empty: name a new or empty directory", to.name("--to")).into());
        }
        Ok(backend::open(&self.place(to)?).map_err(|error| format!("{}: {error}", to.name("--to")))?)
    }
}

/// Where a store is.
enum Place {
    Directory(PathBuf),
    /// Its URL.
    Database(String),
}

impl Place {
    /// Refused without the text, which may have a password.
    fn parse(flag: &str, text: &str) -> Result<Place, String> {
        match text.contains("://") {
            false => Ok(Place::Directory(text.into())),
            true if text.starts_with("mongodb://") => Ok(Place::Database(text.to_owned())),
            true => {
                Err(format!("{flag}: this is neither a directory nor like `mongodb://HOST/DATABASE?replicaSet=NAME`"))
            }
        }
    }

    fn is(&self, other: &Place) -> bool {
        let real = |path: &Path| fs::canonicalize(path).ok();
        match (self, other) {
            (Place::Directory(one), Place::Directory(other)) => real(one).is_some_and(|one| real(other) == Some(one)),
            _ => false,
        }
    }

    /// For people; never with the password that a URL may have.
    fn name(&self, flag: &str) -> String {
        match self {
            Place::Directory(directory) => format!("`{}`", directory.display()),
            Place::Database(_) => format!("the database of {flag}"),
        }
    }
}

/// Refuses a store that a server still has, as far as its jobs tell. Who was just stopped has left jobs that are not over yet.
fn wait_for_servers(store: &dyn Store, name: &str) -> Result<(), Box<dyn Error>> {
    let leased = || -> Result<Option<Millis>, Box<dyn Error>> { Ok(moving::leased_until(&*store.snapshot()?)?) };
    let Some(until) = leased()? else { return Ok(()) };
    let wait = (until + moving::TAKEN_OVER - SystemClock.now()).min(SERVERS_WAIT_MAX);
    if wait > 0 {
        eprintln!("looking for {} s whether a server still has {name}", wait / 1000 + 1);
        std::thread::sleep(Duration::from_millis(wait as u64));
    }
    match leased()? {
        Some(later) if later > until => {
            Err(format!("a server still has {name}: stop all of them, or copy with --online meanwhile").into())
        }
        _ => Ok(()),
    }
}

fn print(report: &Report, copied: u64, progress: &Progress) {
    for (name, count) in &report.documents {
        println!("{count:>10} {name}");
    }
    println!("copied {}", rate_of("versions", copied, progress.elapsed()));
    println!("versions {:>10} {}", report.versions, report.versions_hash);
    println!("values   {:>10} {}", report.values, report.values_hash);
    if report.indexes_anew {
        println!(
            "search parameters have changed meanwhile: the first start makes the whole index anew before it serves"
        );
    }
}
