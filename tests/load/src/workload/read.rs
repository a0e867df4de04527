//! Reads beside a bare handler that returns the same bytes.

use std::path::Path;
use std::time::Duration;

use axum::http::{HeaderValue, header};

use super::{PATIENT, drive};
use crate::connection::{Connection, get, post};
use crate::process::Process;
use crate::report::{Measured, ratio};

const CONNECTIONS: usize = 8;

/// Turn and turn about: three rounds of each, the best of each compared.
pub(crate) fn run(flint: &Path, duration: Duration) -> Result<(), Box<dyn std::error::Error>> {
    let data = tempfile::tempdir()?;
    let server = Process::flint(flint, data.path())?;
    let mut connection = Connection::open(server.address)?;
    let created = post("/fhir/Patient", PATIENT);
    let created = String::from_utf8(created)?.replace("return=minimal", "return=representation");
    let (status, body) = connection.send(created.as_bytes())?;
    if status != 201 {
        return Err(format!("create answered {status}: {}", String::from_utf8_lossy(body)).into());
    }
    let body = body.to_vec();
    let patient: serde_json::Value = serde_json::from_slice(&body)?;
    let path = format!("/fhir/Patient/{}", patient["id"].as_str().ok_or("no id")?);
    let file = data.path().join("bare.json");
    std::fs::write(&file, &body)?;
    let bare = Process::bare(&file)?;

    let mut best: [Option<Measured>; 2] = [None, None];
    for _ in 0..3 {
        for (at, (process, path)) in [(&bare, "/"), (&server, path.as_str())].into_iter().enumerate() {
            let request = get(path);
            let before = process.cpu();
            let (elapsed, latencies) = drive(process.address, CONNECTIONS, duration, 200, &|| request.clone())?;
            let measured = Measured { elapsed, latencies, cpu: process.cpu() - before };
            if best[at].as_ref().is_none_or(|other| measured.rate() > other.rate()) {
                best[at] = Some(measured);
            }
        }
    }
    let [Some(mut limit), Some(mut read)] = best else { return Err("nothing was measured".into()) };
    limit.print("bare handler, 8 connections");
    read.print("read of a Patient, 8 connections");
    ratio("read / bare handler", read.rate() / limit.rate(), 0.6);
    Ok(())
}

/// The limit: a handler that returns the bytes of `file`.
pub(crate) fn serve_bare(file: &Path, port: u16) -> Result<(), Box<dyn std::error::Error>> {
    let body = axum::body::Bytes::from(std::fs::read(file)?);
    let handler = move || {
        let body = body.clone();
        async move { ([(header::CONTENT_TYPE, HeaderValue::from_static("application/fhir+json"))], body) }
    };
    let router = axum::Router::new().fallback(handler);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
        axum::serve(listener, router).await?;
        Ok(())
    })
}
