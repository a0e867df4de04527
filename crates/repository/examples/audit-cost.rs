//! What the audit costs: `cargo run --release -p repository --example audit-cost [DIRECTORY [READERS...]]`.
//!
//! Prints CPU and time for each audited read at several numbers of waiting readers, how many share a flush, and what making the AuditEvents
//! takes, in time and on disk.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fhir::Definitions;
use fhir::json::Document;
use repository::audit::{Account, Act, Datum, Ending, Subject};
use repository::{EarlierVersions, Implicit, Key, References, Repository, Requester, Setup, Validation, new_id};
use search::Registry;
use store::{Clock, Embedded, SystemClock};

const PATIENTS: usize = 1000;

/// Short enough that no AuditEvent is made meanwhile.
const MEASURED: Duration = Duration::from_millis(900);

fn main() {
    let place = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    println!("{:>8} {:>9} {:>10} {:>10} {:>12}", "readers", "reads/s", "CPU us", "wait us", "reads/flush");
    let asked: Vec<usize> =
        std::env::args().skip(2).map(|number| number.parse().expect("a number of readers")).collect();
    for readers in if asked.is_empty() { vec![64, 8, 1] } else { asked } {
        let directory = tempfile::tempdir_in(&place).expect("a directory");
        let repository = open(directory.path());
        let head = repository.ledger().head().expect("a head");
        let (begun, cpu) = (Instant::now(), cpu_time());
        let reads = read(&repository, readers, begun + MEASURED);
        let (took, cpu) = (begun.elapsed(), cpu_time() - cpu);
        let flushes = repository.ledger().head().expect("a head").sequence - head.sequence;
        let each = |time: Duration| time.as_secs_f64() * 1e6 / reads as f64;
        let wait = each(took) * readers as f64;
        let rate = reads as f64 / took.as_secs_f64();
        let shared = reads as f64 / flushes as f64;
        println!("{readers:>8} {rate:>9.0} {:>10.1} {wait:>10.0} {shared:>12.1}", each(cpu));
        if readers == 64 {
            make(&repository, reads);
        }
    }
}

/// Makes all AuditEvents, and tells what that takes.
fn make(repository: &Repository, reads: usize) {
    let blocks = disk(repository);
    let (begun, cpu) = (Instant::now(), cpu_time());
    repository.ledger().settle(None).expect("settled");
    let (took, cpu) = (begun.elapsed(), cpu_time() - cpu);
    let events = disk(repository) - blocks;
    let each = |time: Duration| time.as_secs_f64() * 1e6 / reads as f64;
    println!("AuditEvents: {:.1} us CPU and {:.1} us each; {reads} of them", each(cpu), each(took));
    println!("on disk, each: {} bytes in blocks, {} as an AuditEvent", blocks / reads as u64, events / reads as u64);
    let key = Key::parse("AuditEvent/audit-000000000001-00000").expect("a key");
    let event = repository.open(repository::Access::full()).read(&key).expect("there");
    let body = event.body.expect("a body");
    let rows = repository.registry().rows(&Document::parse(&body).expect("JSON")).expect("rows");
    println!("one AuditEvent: {} bytes, {} rows, {} words", body.len(), rows.rows.len(), rows.words.len());
    let begun = Instant::now();
    for _ in 0..1000 {
        std::hint::black_box(repository.registry().rows(&Document::parse(&body).expect("JSON")).expect("rows"));
    }
    println!("its rows: {} ns", begun.elapsed().as_nanos() / 1000);
    let begun = Instant::now();
    let report = repository.verify_audit(None, |_, _| {}).expect("a report");
    assert_eq!(report.damage, None);
    println!("verified {} records in {:?}", report.records, begun.elapsed());
}

/// Reads on so many threads until then.
fn read(repository: &Repository, readers: usize, until: Instant) -> usize {
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..readers).map(|reader| scope.spawn(move || read_on(repository, reader, until))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    })
}

fn read_on(repository: &Repository, reader: usize, until: Instant) -> usize {
    let requester = Requester {
        client: "3f0c7c1e-75f5-4b5e-9f3f-5f6f6f6c2f10".to_owned(),
        client_name: "My Health".to_owned(),
        organization: Key::parse("Organization/0190c7a2-0000-7000-8000-000000000001"),
        purposes: vec!["PATRQT".to_owned()],
        ..Requester::default()
    };
    let mut reads = 0;
    while Instant::now() < until {
        let patient =
            Key::parse(&format!("Patient/0190c7a2-0000-7000-8000-{:012}", (reads * 31 + reader * 7919) % PATIENTS));
        let key = Key::parse(&format!("Observation/{}", new_id())).expect("a key");
        let requester = Requester { user: patient.clone(), patient: patient.clone(), ..requester.clone() };
        let request = new_id();
        let subjects = [Subject { patient, data: vec![Datum { key, version: 1 }] }];
        let account = Account {
            act: Act::Read,
            ending: Ending::Success,
            requester: &requester,
            peer: Some([192, 0, 2, 7].into()),
            request: &request,
            operation: "",
            note: "",
            query: "",
            subjects: &subjects,
        };
        repository.ledger().append(&[account]).wait().expect("kept");
        reads += 1;
    }
    reads
}

fn open(directory: &std::path::Path) -> Repository {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let definitions = Definitions::r4();
    Repository::new(Setup {
        store: Arc::new(Embedded::open(directory, clock.clone()).expect("a store")),
        definitions,
        registry: Registry::new(definitions, "http://localhost/fhir"),
        rules: Vec::new(),
        clock,
        ids: Arc::new(new_id),
        base_url: "https://records.example.org/fhir".to_owned(),
        references: References::Accept,
        validation: Validation::default(),
        consent: Implicit::default(),
        earlier_versions: EarlierVersions::default(),
        terminology: None,
        search_time: Duration::from_secs(10),
    })
    .expect("an empty store")
}

fn disk(repository: &Repository) -> u64 {
    repository.store().statistics().expect("figures").disk_bytes
}

/// User and system time of this process.
fn cpu_time() -> Duration {
    const TICK: Duration = Duration::from_millis(10);
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields = stat.rsplit(')').next().expect("a name in parentheses").split_whitespace();
    let ticks: u32 = fields.skip(11).take(2).map(|field| field.parse::<u32>().expect("ticks")).sum();
    TICK * ticks
}
