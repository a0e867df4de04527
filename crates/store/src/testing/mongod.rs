//! MongoDB servers for tests, on this machine, for as long as the process lives: one for all tests, or a replica set of one's own whose members
//! can be killed.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use mongodb::Client;
use mongodb::bson::doc;
use mongodb::error::Result as DriverResult;

/// Names the program `mongod`, 5.0 or later.
const PROGRAM: &str = "FLINT_MONGOD";

const REPLICA_SET: &str = "tests";

/// Of the users of a server that wants one. A URL says it in percent encoding.
pub const PASSWORD: &str = "se$cret";

/// The gigabytes in which a server of tests keeps what it uses.
const CACHE: f64 = 0.25;

/// How often a port is tried: another process may take a free one before the server does.
const TRIES: usize = 5;

/// How long a server is waited for that starts or ends.
const PATIENCE: Duration = Duration::from_secs(120);

/// After how long without its primary a replica set elects another one.
const ELECTION: Duration = Duration::from_secs(4);

/// Runs a server whose data are in a directory. A line kills the server, and the next one starts it again. However the process of the tests
/// ends, its end of the pipe is closed; then the server is killed, and the directory goes.
const KEEPER: &str = r#"
trap '' PIPE
directory=$1; shift
while
  "$@" --dbpath "$directory" </dev/null &
  server=$!
  read -r order; goes_on=$?
  kill -9 $server
  wait $server
  echo ended
  [ $goes_on = 0 ] && read -r order
do :; done
rm -rf "$directory"
"#;

/// What a server does, as its keeper and its log say.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Listens,
    /// It cannot do what it is to do.
    Fails,
    /// It was killed.
    Ended,
}

/// A running server.
pub struct Mongod {
    port: u16,
    databases: AtomicU64,
    keeper: Mutex<Keeper>,
}

/// The process that runs the server.
struct Keeper {
    orders: ChildStdin,
    said: Receiver<Said>,
    _child: Child,
}

impl Keeper {
    /// Kills the server, or starts it again; waits until it is so.
    fn order(&mut self, expected: &Said) {
        self.orders.write_all(b"\n").expect("a keeper that runs");
        let said = self.said.recv_timeout(PATIENCE);
        assert_eq!(said.as_ref(), Ok(expected));
    }
}

impl Mongod {
    /// The server that all tests of this process share, a replica set of one; `None`, and a line about it, where there is no program for it.
    pub fn shared() -> Option<&'static Mongod> {
        static SHARED: OnceLock<Option<ReplicaSet>> = OnceLock::new();
        SHARED.get_or_init(|| ReplicaSet::start(1)).as_ref().map(|set| set.member(0))
    }

    /// A server that is no replica set; `None` like [`Mongod::shared`].
    pub fn stand_alone() -> Option<Mongod> {
        Some(Mongod::start(Path::new(&std::env::var_os(PROGRAM)?), CACHE, &[], false))
    }

    /// `is_guarded` says that it lets nobody in without a name and a password.
    fn start(program: &Path, cache: f64, arguments: &[&str], is_guarded: bool) -> Mongod {
        let start =
            |_| Mongod::try_start(program, cache, arguments, is_guarded).expect("a program and a directory for it");
        (0..TRIES).find_map(start).expect("a server that does not end as soon as it is started")
    }

    fn try_start(program: &Path, cache: f64, arguments: &[&str], is_guarded: bool) -> io::Result<Option<Mongod>> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let directory = std::env::temp_dir().join(format!("flint-mongod-{}-{port}", std::process::id()));
        std::fs::create_dir(&directory)?;
        let mut command = Command::new("sh");
        command.args(["-c", KEEPER, "keeper"]).arg(&directory).arg(program);
        command.args(["--bind_ip", "127.0.0.1", "--port", &port.to_string()]).args(arguments);
        command.args(["--wiredTigerCacheSizeGB", &cache.to_string(), "--oplogSize", "64", "--nounixsocket"]);
        command.args(["--setParameter", "enableTestCommands=1"]);
        command.args(["--setParameter", "diagnosticDataCollectionEnabled=false"]);
        if is_guarded {
            let key = directory.join("key");
            File::options().write(true).create_new(true).mode(0o600).open(&key)?.write_all(b"onlyForTests")?;
            command.arg("--keyFile").arg(key);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let (Some(orders), Some(log)) = (child.stdin.take(), child.stdout.take()) else { return Ok(None) };
        let (say, said) = channel();
        // Also after it listens: a server whose log nobody reads would wait for that.
        thread::spawn(move || {
            for said in BufReader::new(log).lines().map_while(Result::ok).filter_map(|line| said_by(&line)) {
                // Nobody may listen any more.
                drop(say.send(said));
            }
        });
        if said.recv_timeout(PATIENCE) != Ok(Said::Listens) {
            return Ok(None);
        }
        let keeper = Mutex::new(Keeper { orders, said, _child: child });
        Ok(Some(Mongod { port, databases: AtomicU64::new(0), keeper }))
    }

    /// Kills it with SIGKILL, and waits until it is gone.
    pub fn kill(&self) {
        self.keeper().order(&Said::Ended);
    }

    /// Starts it again over what it has on disk, and waits until it listens.
    pub fn restart(&self) {
        self.keeper().order(&Said::Listens);
    }

    fn keeper(&self) -> MutexGuard<'_, Keeper> {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The URL of a database that nobody has used.
    pub fn new_database(&self) -> String {
        self.database(&format!("store-{}", self.databases.fetch_add(1, Ordering::Relaxed)))
    }

    /// The URL of the database of this name.
    pub fn database(&self, name: &str) -> String {
        format!("mongodb://{}/{name}?replicaSet={REPLICA_SET}", self.host())
    }

    /// Its port on this machine.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Forgets a database.
    pub fn drop_database(&self, url: &str) {
        let url = url.to_owned();
        let dropped = on_driver(async move {
            let client = Client::with_uri_str(url).await?;
            client.default_database().expect("a database").drop().await
        });
        dropped.expect("a server that works");
    }

    /// Makes the server refuse, delay or cut off commands:
    /// <https://github.com/mongodb/mongo/wiki/The-%22failCommand%22-fail-point>.
    pub fn fail_commands(&self, mode: mongodb::bson::Bson, data: mongodb::bson::Document) {
        let url = format!("mongodb://{}/?directConnection=true", self.host());
        let set = on_driver(async move {
            let client = Client::with_uri_str(url).await?;
            let command = doc! { "configureFailPoint": "failCommand", "mode": mode, "data": data };
            client.database("admin").run_command(command).await
        });
        set.expect("a server that works");
    }
}

/// What a line of the log, or of the keeper, says.
fn said_by(line: &str) -> Option<Said> {
    match line {
        "ended" => Some(Said::Ended),
        _ if line.contains("Waiting for connections") => Some(Said::Listens),
        _ if line.contains("\"exitCode\"") => Some(Said::Fails),
        _ => None,
    }
}

/// Servers that have the same data.
pub struct ReplicaSet {
    members: Vec<Mongod>,
}

impl ReplicaSet {
    /// A replica set of so many servers, which has elected a primary; `None`, and a line about it, where there is no program for it.
    pub fn start(members: usize) -> Option<ReplicaSet> {
        let Some(program) = std::env::var_os(PROGRAM) else {
            println!("{PROGRAM} is not set: skipped");
            return None;
        };
        Some(ReplicaSet::of(Path::new(&program), CACHE, members))
    }

    /// The same with this program, each server with so many gigabytes to keep what it uses.
    pub fn of(program: &Path, cache: f64, members: usize) -> ReplicaSet {
        let start = |_| Mongod::start(program, cache, &["--replSet", REPLICA_SET], false);
        let set = ReplicaSet { members: (0..members).map(start).collect() };
        set.initiate().expect("servers that work");
        set
    }

    /// One server that lets in whoever has a name and a password, and the URL of a database by which a user comes in who has the role `readWrite`
    /// there and no other; `None` like [`ReplicaSet::start`].
    pub fn guarded() -> Option<(ReplicaSet, String)> {
        let program = std::env::var_os(PROGRAM)?;
        let member = Mongod::start(Path::new(&program), CACHE, &["--replSet", REPLICA_SET], true);
        let set = ReplicaSet { members: vec![member] };
        set.initiate().expect("servers that work");
        let host = set.members[0].host();
        let user = |name: &str, role: &str, database: &str| {
            doc! { "createUser": name, "pwd": PASSWORD, "roles": [{ "role": role, "db": database }] }
        };
        let url = move |name: &str, database: &str| {
            let password = PASSWORD.replace('$', "%24");
            format!("mongodb://{name}:{password}@{host}/{database}?replicaSet={REPLICA_SET}&authSource=admin")
        };
        let (anybody, administrator) = (set.database("admin"), url("administrator", "admin"));
        let made = on_driver(async move {
            // Until there is a user, whoever is on this machine may make one.
            for (url, user) in [
                (anybody, user("administrator", "root", "admin")),
                (administrator, user("flint", "readWrite", "store")),
            ] {
                Client::with_uri_str(url).await?.database("admin").run_command(user).await?;
            }
            Ok(())
        });
        made.expect("servers that work");
        Some((set, url("flint", "store")))
    }

    /// One of them.
    pub fn member(&self, at: usize) -> &Mongod {
        &self.members[at]
    }

    /// The URL of the database of this name.
    pub fn database(&self, name: &str) -> String {
        let hosts: Vec<_> = self.members.iter().map(Mongod::host).collect();
        format!("mongodb://{}/{name}?replicaSet={REPLICA_SET}", hosts.join(","))
    }

    /// Which of them is the primary. Waits for an election.
    pub fn primary(&self) -> usize {
        let url = self.database("admin");
        let hello = on_driver(async move {
            let client = Client::with_uri_str(url).await?;
            client.database("admin").run_command(doc! { "hello": 1 }).await
        });
        let hello = hello.expect("servers that work");
        let host = hello.get_str("me").expect("a member of a replica set");
        self.members.iter().position(|member| member.host() == host).expect("a member of this one")
    }

    fn initiate(&self) -> DriverResult<()> {
        let hosts = self.members.iter().map(Mongod::host);
        let members: Vec<_> = hosts.zip(0..).map(|(host, id)| doc! { "_id": id, "host": host }).collect();
        let settings = doc! { "electionTimeoutMillis": ELECTION.as_millis() as i32 };
        let config = doc! { "_id": REPLICA_SET, "version": 1, "members": members, "settings": settings };
        let (first, all) = (self.members[0].host(), self.database("admin"));
        on_driver(async move {
            let client = Client::with_uri_str(format!("mongodb://{first}/?directConnection=true")).await?;
            client.database("admin").run_command(doc! { "replSetInitiate": config }).await?;
            let client = Client::with_uri_str(all).await?;
            client.database("admin").run_command(doc! { "ping": 1 }).await.map(drop)
        })
    }
}

/// On a thread of its own: the caller's may be that of a runtime.
fn on_driver<T: Send + 'static>(work: impl Future<Output = DriverResult<T>> + Send + 'static) -> DriverResult<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::spawn(move || runtime.block_on(work)).join().expect("no panic")
}
