//! A MongoDB server for tests: a replica set of one, on this machine, for as long as the process lives.

use std::io::{self, BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use mongodb::Client;
use mongodb::bson::doc;
use mongodb::error::Result as DriverResult;

/// Names the program `mongod`, 5.0 or later.
const PROGRAM: &str = "FLINT_MONGOD";

const REPLICA_SET: &str = "tests";

/// How often a port is tried: another process may take a free one before the server does.
const TRIES: usize = 5;

/// Runs a server whose data are in a directory. However the process of the tests ends, its end of the pipe is closed; then the server is
/// killed, and the directory goes.
const KEEPER: &str = r#"
directory=$1; shift
exec 3<&0
"$@" --dbpath "$directory" </dev/null &
server=$!
(cat; kill -9 $server) <&3 >/dev/null 2>&1 &
watcher=$!
wait $server
kill $watcher
rm -rf "$directory"
"#;

/// A running server.
pub struct Mongod {
    port: u16,
    databases: AtomicU64,
    /// Holds the pipe.
    _keeper: Child,
}

impl Mongod {
    /// The server that all tests of this process share; `None`, and a line about it, where there is no program for it.
    pub fn shared() -> Option<&'static Mongod> {
        static SHARED: OnceLock<Option<Mongod>> = OnceLock::new();
        let start = || {
            let Some(program) = std::env::var_os(PROGRAM) else {
                println!("{PROGRAM} is not set: skipped");
                return None;
            };
            let mongod = Mongod::start(Path::new(&program), &["--replSet", REPLICA_SET]);
            make_replica_set(mongod.port).expect("a server that works");
            Some(mongod)
        };
        SHARED.get_or_init(start).as_ref()
    }

    /// A server that is no replica set; `None` like [`Mongod::shared`].
    pub fn stand_alone() -> Option<Mongod> {
        Some(Mongod::start(Path::new(&std::env::var_os(PROGRAM)?), &[]))
    }

    fn start(program: &Path, arguments: &[&str]) -> Mongod {
        let start = |_| Mongod::try_start(program, arguments).expect("a program and a directory for it");
        (0..TRIES).find_map(start).expect("a server that does not end as soon as it is started")
    }

    fn try_start(program: &Path, arguments: &[&str]) -> io::Result<Option<Mongod>> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let directory = std::env::temp_dir().join(format!("flint-mongod-{}-{port}", std::process::id()));
        std::fs::create_dir(&directory)?;
        let mut command = Command::new("sh");
        command.args(["-c", KEEPER, "keeper"]).arg(&directory).arg(program);
        command.args(["--bind_ip", "127.0.0.1", "--port", &port.to_string()]).args(arguments);
        command.args(["--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "64", "--nounixsocket"]);
        command.args(["--setParameter", "enableTestCommands=1"]);
        command.args(["--setParameter", "diagnosticDataCollectionEnabled=false"]);
        let mut keeper = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let Some(said) = keeper.stdout.take() else { return Ok(None) };
        let mut lines = BufReader::new(said).lines();
        let listens = |line: io::Result<String>| line.is_ok_and(|line| line.contains("Waiting for connections"));
        if !lines.any(listens) {
            return Ok(None);
        }
        // A server that nobody listens to would wait for that.
        thread::spawn(move || lines.for_each(drop));
        Ok(Some(Mongod { port, databases: AtomicU64::new(0), _keeper: keeper }))
    }

    /// The URL of a database that nobody has used.
    pub fn new_database(&self) -> String {
        self.database(&format!("store-{}", self.databases.fetch_add(1, Ordering::Relaxed)))
    }

    /// The URL of the database of this name.
    pub fn database(&self, name: &str) -> String {
        format!("mongodb://127.0.0.1:{}/{name}?replicaSet={REPLICA_SET}", self.port)
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
        let url = format!("mongodb://127.0.0.1:{}/?directConnection=true", self.port);
        let set = on_driver(async move {
            let client = Client::with_uri_str(url).await?;
            let command = doc! { "configureFailPoint": "failCommand", "mode": mode, "data": data };
            client.database("admin").run_command(command).await
        });
        set.expect("a server that works");
    }
}

/// Begins the replica set, and waits until the server has been elected.
fn make_replica_set(port: u16) -> DriverResult<()> {
    let host = format!("127.0.0.1:{port}");
    on_driver(async move {
        let client = Client::with_uri_str(format!("mongodb://{host}/?directConnection=true")).await?;
        let members = vec![doc! { "_id": 0, "host": &host }];
        let config = doc! { "_id": REPLICA_SET, "version": 1, "members": members };
        client.database("admin").run_command(doc! { "replSetInitiate": config }).await?;
        let client = Client::with_uri_str(format!("mongodb://{host}/?replicaSet={REPLICA_SET}")).await?;
        client.database("admin").run_command(doc! { "ping": 1 }).await.map(drop)
    })
}

/// On a thread of its own: the caller's may be that of a runtime.
fn on_driver<T: Send + 'static>(work: impl Future<Output = DriverResult<T>> + Send + 'static) -> DriverResult<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::spawn(move || runtime.block_on(work)).join().expect("no panic")
}
