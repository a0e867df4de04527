//! Bookings beside plain creates, the search for free slots in a large practice, and the rush when slots are released.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{self, Duration};

use fhir::Instant;
use fhir::json::Document;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::drive;
use super::search::import;
use crate::connection::{Connection, get, post};
use crate::process::Process;
use crate::report::Measured;

type Failure = Box<dyn std::error::Error>;

/// What to measure with.
pub(crate) struct Options {
    /// The server's binary.
    pub(crate) flint: PathBuf,
    /// How many slots the practice has, over ten years.
    pub(crate) slots: usize,
    /// For each measurement of a rate.
    pub(crate) time: Duration,
    /// Where the store is kept for the next run.
    pub(crate) stores: Option<PathBuf>,
}

const CONNECTIONS: usize = 32;

/// Practitioners, each with a schedule.
const SCHEDULES: usize = 8;

/// Slots of ten minutes on one day of one schedule, from 08:00 UTC on.
const SLOTS_A_DAY: usize = 34;

/// The first day of the practice, in days since 1970: 4 January 2027.
const FIRST_DAY: i64 = 20_822;

/// How many slots are booked ahead, about seven months of them.
const AHEAD: usize = 60_000;

/// What is released in the morning, who wants it, and over how many connections they ask.
const RELEASED: usize = 2_000;
const PEOPLE: usize = 10_000;
const RUSH_CONNECTIONS: usize = 64;

/// How often those who are compared take turns.
const ROUNDS: usize = 3;

/// How many plain creates a booking may cost, and how long the first page of free slots may take, in milliseconds.
const BOOKING_MAX: f64 = 2.5;
const PAGE_MAX: f64 = 5.0;

/// Makes the practice, asks, and prints.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let folder = tempfile::tempdir_in(options.stores.as_deref().unwrap_or(&std::env::temp_dir()))?;
    let kept = options.stores.as_deref().unwrap_or(folder.path());
    let data = kept.join(format!("practice-{}", options.slots));
    if !data.exists() {
        let file = folder.path().join("practice.ndjson.gz");
        write_practice(options.slots, &file)?;
        import(&options.flint, &data, &file)?;
    }
    let copy = folder.path().join("copy");
    std::fs::create_dir(&copy)?;
    copy_by_pages(&data.join("data.mdb"), &copy.join("data.mdb"))?;
    let process = Process::flint(&options.flint, &copy)?;
    println!("a practice of {} slots on {SCHEDULES} schedules, {PEOPLE} patients", options.slots);
    bookings(&process, options)?;
    free_slots(&process, options)?;
    rush(&process, options.slots)
}

/// Copies a store as a server would have written it, a page at a time: some file systems keep a file in memory in the pieces in which it was
/// written, and a write to a large piece costs more.
fn copy_by_pages(from: &Path, to: &Path) -> std::io::Result<()> {
    const PAGE: usize = 4096;
    let (mut from, mut to) = (BufReader::with_capacity(1 << 20, File::open(from)?), File::create(to)?);
    let mut page = [0; PAGE];
    loop {
        match from.read(&mut page)? {
            0 => return to.sync_all(),
            length => to.write_all(&page[..length])?,
        }
    }
}

/// Which slot is booked next: of those of the months to come any, as people with no common wish do.
fn spread(number: usize) -> usize {
    const STEP: usize = 7_919;
    number * STEP % AHEAD
}

/// Turn and turn about: plain creates of Appointments that take no slot, and bookings of the same size.
fn bookings(process: &Process, options: &Options) -> Result<(), Failure> {
    let counters = [AtomicUsize::new(0), AtomicUsize::new(0)];
    let (mut creates, mut bookings) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let kinds = [("proposed", &mut creates), ("booked", &mut bookings)];
        for ((status, measured), next) in kinds.into_iter().zip(&counters) {
            let request = || {
                let number = next.fetch_add(1, Ordering::Relaxed);
                post("/fhir/Appointment", &appointment(spread(number), number % PEOPLE, status))
            };
            let before = process.cpu();
            let (elapsed, latencies) = drive(process.address, CONNECTIONS, options.time, 201, &request)?;
            measured.push(Measured { elapsed, latencies, cpu: process.cpu() - before });
        }
    }
    if counters[1].load(Ordering::Relaxed) > AHEAD || AHEAD + RELEASED > options.slots {
        return Err("the practice has too few slots for so long".into());
    }
    let middle = |mut measured: Vec<Measured>| {
        measured.sort_by(|one, other| one.rate().total_cmp(&other.rate()));
        measured.remove(measured.len() / 2)
    };
    let (mut create, mut booking) = (middle(creates), middle(bookings));
    create.print("create of an Appointment, 32");
    booking.print("booking of a slot, 32");
    verdict("booking / create", create.rate() / booking.rate(), BOOKING_MAX, "times");
    Ok(())
}

/// The first page of the free slots of a schedule in a fortnight, and of a whole practice on a day.
fn free_slots(process: &Process, options: &Options) -> Result<(), Failure> {
    let days = options.slots / SCHEDULES / SLOTS_A_DAY;
    let next = AtomicUsize::new(0);
    let day = |number: usize| FIRST_DAY + (number * 37 % days.saturating_sub(14).max(1)) as i64;
    let window =
        |from: i64, days: i64| format!("start=ge{}T00:00:00Z&start=lt{}T00:00:00Z", date(from), date(from + days));
    let of_schedule = |number: usize| {
        let schedule = number % SCHEDULES;
        format!("schedule=Schedule/sch{schedule}&status=free&{}&_count=50", window(day(number), 14))
    };
    let of_practice = |number: usize| {
        format!("schedule.actor=Location/loc&status=free&{}&_include=Slot:schedule&_count=50", window(day(number), 1))
    };
    let kinds: [(&str, &(dyn Fn(usize) -> String + Sync)); 2] =
        [("free slots of a schedule", &of_schedule), ("free slots of the practice", &of_practice)];
    for (name, query) in kinds {
        let request = || get(&format!("/fhir/Slot?{}", query(next.fetch_add(1, Ordering::Relaxed))));
        let before = process.cpu();
        let (elapsed, latencies) = drive(process.address, 1, options.time, 200, &request)?;
        let mut measured = Measured { elapsed, latencies, cpu: process.cpu() - before };
        measured.print(name);
        verdict("the first page, p99", measured.percentile(99).as_secs_f64() * 1e3, PAGE_MAX, "ms");
    }
    Ok(())
}

/// Many more people than slots, all at once: each slot is booked once, and everybody else is told that it is taken.
fn rush(process: &Process, slots: usize) -> Result<(), Failure> {
    let next = AtomicUsize::new(0);
    let begun = time::Instant::now();
    let ask = || -> Result<[usize; 2], String> {
        let mut connection = Connection::open(process.address).map_err(|error| error.to_string())?;
        let mut ends = [0; 2];
        loop {
            let person = next.fetch_add(1, Ordering::Relaxed);
            if person >= PEOPLE {
                return Ok(ends);
            }
            let slot = slots - 1 - person % RELEASED;
            let request = post("/fhir/Appointment", &appointment(slot, person, "booked"));
            let (status, body) = connection.send(&request).map_err(|error| error.to_string())?;
            match status {
                201 => ends[0] += 1,
                409 => ends[1] += 1,
                _ => return Err(format!("{status}: {}", String::from_utf8_lossy(body))),
            }
        }
    };
    let ends: Vec<_> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..RUSH_CONNECTIONS).map(|_| scope.spawn(ask)).collect();
        callers.into_iter().map(|caller| caller.join().unwrap_or_else(|_| Err("a client panicked".into()))).collect()
    });
    let took = begun.elapsed();
    let mut sum = [0; 2];
    for ends in ends {
        let ends = ends?;
        sum = [sum[0] + ends[0], sum[1] + ends[1]];
    }
    println!(
        "{PEOPLE} people and {RELEASED} slots: {} bookings, {} refusals in {:.2} s",
        sum[0],
        sum[1],
        took.as_secs_f64()
    );
    if sum != [RELEASED, PEOPLE - RELEASED] {
        return Err("not every slot was booked once".into());
    }
    let mut connection = Connection::open(process.address)?;
    let (day, _) = time_of(slots - 1);
    let (first, _) = time_of(slots - RELEASED);
    let window = format!("start=ge{}&start=lt{}&_total=accurate", date(first), date(day + 1));
    let busy = total(&mut connection, &format!("Slot?status=busy&{window}"))?;
    let free = total(&mut connection, &format!("Slot?status=free&{window}"))?;
    let all = whole_days(slots, first, day);
    println!("of {all} slots on these days {busy} are busy and {free} free");
    // The first of these days has slots that were not released then.
    match busy + free == all && (RELEASED..RELEASED + SCHEDULES * SLOTS_A_DAY).contains(&busy) {
        true => Ok(()),
        false => Err("a slot was lost".into()),
    }
}

/// How many slots the practice has on these days.
fn whole_days(slots: usize, first: i64, last: i64) -> usize {
    (0..slots).filter(|number| (first..=last).contains(&time_of(*number).0)).count()
}

fn total(connection: &mut Connection, query: &str) -> Result<usize, Failure> {
    let (status, body) = connection.send(&get(&format!("/fhir/{query}&_summary=count")))?;
    let text = String::from_utf8_lossy(body).into_owned();
    let document = Document::parse(body).map_err(|error| error.message)?;
    let total = document.root().get("total").and_then(|total| total.raw().parse().ok());
    total.ok_or_else(|| format!("{status}: {text}").into())
}

fn verdict(name: &str, value: f64, most: f64, unit: &str) {
    let holds = if value <= most { "holds" } else { "MISSED" };
    println!("{name:<34} {value:>9.2} {unit}  at most {most}  {holds}");
}

/// The day and the minute of a slot: those of all schedules at one time stand together.
fn time_of(number: usize) -> (i64, usize) {
    let place = number / SCHEDULES;
    (FIRST_DAY + (place / SLOTS_A_DAY) as i64, 8 * 60 + place % SLOTS_A_DAY * 10)
}

/// Start and end of a slot.
fn times(number: usize) -> [String; 2] {
    let (day, minute) = time_of(number);
    [minute, minute + 10].map(|minute| format!("{}T{:02}:{:02}:00Z", date(day), minute / 60, minute % 60))
}

/// A date by its number of days since 1970.
fn date(days: i64) -> String {
    let mut instant = Instant::from_millis(days * 86_400_000).to_string();
    instant.truncate("2027-01-04".len());
    instant
}

/// An Appointment at the time of a slot, for a patient; one that is booked names the slot.
fn appointment(slot: usize, patient: usize, status: &str) -> String {
    let [start, end] = times(slot);
    // The plain one is as long: it names the slot in a text.
    let named = match status {
        "booked" => format!(r#""slot":[{{"reference":"Slot/s{slot}"}}]"#),
        _ => format!(r#""comment":"near to Slot/s{slot}, if""#),
    };
    format!(
        r#"{{"resourceType":"Appointment","status":"{status}","description":"Breathless for three days","start":"{start}","end":"{end}",{named},"created":"2027-01-01T08:00:00Z","participant":[{{"actor":{{"reference":"Patient/p{patient}"}},"status":"accepted"}},{{"actor":{{"reference":"Location/loc"}},"status":"accepted"}},{{"actor":{{"reference":"Practitioner/dr{}"}},"status":"accepted"}}]}}"#,
        slot % SCHEDULES
    )
}

fn write_practice(slots: usize, file: &Path) -> Result<(), Failure> {
    let mut out = GzEncoder::new(BufWriter::new(File::create(file)?), Compression::fast());
    writeln!(out, r#"{{"resourceType":"Location","id":"loc","status":"active","name":"Practice"}}"#)?;
    for number in 0..SCHEDULES {
        writeln!(out, r#"{{"resourceType":"Practitioner","id":"dr{number}","name":[{{"family":"Doctor{number}"}}]}}"#)?;
        writeln!(
            out,
            r#"{{"resourceType":"Schedule","id":"sch{number}","active":true,"actor":[{{"reference":"Practitioner/dr{number}"}},{{"reference":"Location/loc"}}]}}"#
        )?;
    }
    for number in 0..PEOPLE {
        writeln!(out, r#"{{"resourceType":"Patient","id":"p{number}","name":[{{"family":"Family{number}"}}]}}"#)?;
    }
    let mut line = String::new();
    for number in 0..slots {
        let [start, end] = times(number);
        line.clear();
        writeln!(
            line,
            r#"{{"resourceType":"Slot","id":"s{number}","schedule":{{"reference":"Schedule/sch{}"}},"status":"free","start":"{start}","end":"{end}"}}"#,
            number % SCHEDULES
        )?;
        out.write_all(line.as_bytes())?;
    }
    out.finish()?.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_have_their_times() {
        assert_eq!(times(0), ["2027-01-04T08:00:00Z", "2027-01-04T08:10:00Z"]);
        assert_eq!(times(SCHEDULES * SLOTS_A_DAY - 1), ["2027-01-04T13:30:00Z", "2027-01-04T13:40:00Z"]);
        assert_eq!(times(SCHEDULES * SLOTS_A_DAY * 57)[0], "2027-03-02T08:00:00Z");
    }

    #[test]
    fn no_slot_is_met_twice() {
        let met: std::collections::HashSet<_> = (0..AHEAD).map(spread).collect();
        assert_eq!(met.len(), AHEAD);
    }

    #[test]
    fn both_appointments_are_of_one_size() {
        let lengths = ["proposed", "booked"].map(|status| appointment(123_456, 7, status).len());
        assert!(lengths[0].abs_diff(lengths[1]) <= 4, "{lengths:?}");
    }
}
