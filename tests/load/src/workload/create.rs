//! Durable creates beside the engine alone, committing the same bytes and rows.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fhir::Definitions;
use fhir::json::Document;
use search::Rows;
use store::{Batch, Embedded, Key, Put, Store, SystemClock, Write};

use super::{PATIENT, drive};
use crate::connection::post;
use crate::process::Process;
use crate::report::{Measured, ratio};

const CONNECTIONS: usize = 32;

/// Turn and turn about: two rounds of each, the best of each compared.
pub(crate) fn run(flint: &Path, duration: Duration) -> Result<(), Box<dyn std::error::Error>> {
    let registry = search::Registry::new(Definitions::r4(), "http://localhost/fhir");
    let document = Document::parse(PATIENT.as_bytes()).map_err(|error| error.message)?;
    let rows = registry.rows(&document)?;
    let time_index = registry.time_index("Patient");

    let mut engine: Option<Measured> = None;
    let mut server: Option<Measured> = None;
    for _ in 0..2 {
        let measured = commit_alone(document.text(), &rows, time_index, duration)?;
        if engine.as_ref().is_none_or(|other| measured.rate() > other.rate()) {
            engine = Some(measured);
        }
        let data = tempfile::tempdir()?;
        let process = Process::flint(flint, data.path())?;
        let request = post("/fhir/Patient", PATIENT);
        let before = process.cpu();
        let (elapsed, latencies) = drive(process.address, CONNECTIONS, duration, 201, &|| request.clone())?;
        let measured = Measured { elapsed, latencies, cpu: process.cpu() - before };
        if server.as_ref().is_none_or(|other| measured.rate() > other.rate()) {
            server = Some(measured);
        }
    }
    let (Some(mut engine), Some(mut server)) = (engine, server) else { return Err("nothing was measured".into()) };
    println!("one Patient of {} bytes has {} index rows", document.text().len(), rows.rows.len());
    engine.print("engine alone, 32 writers");
    server.print("create of a Patient, 32 connections");
    ratio("create / engine alone", server.rate() / engine.rate(), 0.5);
    Ok(())
}

fn commit_alone(
    body: &str,
    rows: &Rows,
    time_index: store::Index,
    duration: Duration,
) -> Result<Measured, Box<dyn std::error::Error>> {
    let data = tempfile::tempdir()?;
    let store = Embedded::open(data.path(), Arc::new(SystemClock))?;
    let number = AtomicU64::new(0);
    let begun = Instant::now();
    let latencies: Vec<Duration> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                scope.spawn(|| {
                    let mut latencies = Vec::new();
                    while begun.elapsed() < duration {
                        let id = format!("p{}", number.fetch_add(1, Ordering::Relaxed));
                        let put = Put {
                            key: Key::new("Patient", &id).expect("the id is short"),
                            version: 1,
                            body: body.to_owned().into(),
                            stamp_at: None,
                            rows: rows.rows.clone(),
                            words: rows.words.clone(),
                            time_index: Some(time_index),
                            mark: 0,
                        };
                        let sent = Instant::now();
                        store
                            .commit(Batch { preconditions: Vec::new(), writes: vec![Write::Put(put)] })
                            .expect("nothing stands in the way of a new document");
                        latencies.push(sent.elapsed());
                    }
                    latencies
                })
            })
            .collect();
        writers.into_iter().flat_map(|writer| writer.join().unwrap_or_default()).collect()
    });
    Ok(Measured { elapsed: begun.elapsed(), latencies, cpu: Duration::ZERO })
}
