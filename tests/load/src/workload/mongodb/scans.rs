//! What the database does for a search.

use std::collections::BTreeSet;

use mongodb::bson::{RawBsonRef, RawDocument};

use super::Failure;
use super::database::Database;
use crate::connection::Connection;
use crate::process::Process;

/// What was done for some requests.
#[derive(Default)]
pub(super) struct Done {
    /// Commands for each request.
    pub(super) commands: f64,
    /// Documents looked at, for each.
    pub(super) documents: f64,
    /// Keys of indexes that were read, for each.
    pub(super) keys: f64,
    /// The collections that were gone through, with what it was done for.
    pub(super) scans: BTreeSet<String>,
}

/// Sends each request once and sees what the database does meanwhile.
pub(super) fn watch(database: &Database, process: &Process, requests: &[Vec<u8>]) -> Result<Done, Failure> {
    let mut connection = Connection::open(process.address)?;
    let operations = database.profiled(|| {
        for request in requests {
            let (status, _) = connection.send(request)?;
            if status != 200 {
                return Err(format!("{status} instead of 200").into());
            }
        }
        Ok(())
    })?;
    let mut done = Done::default();
    let each = 1.0 / requests.len().max(1) as f64;
    for operation in &operations {
        // The profile is not the server's.
        if operation.get_str("ns").is_ok_and(|collection| collection.ends_with(".system.profile")) {
            continue;
        }
        done.commands += each;
        done.documents += number(operation, "docsExamined") * each;
        done.keys += number(operation, "keysExamined") * each;
        if operation.get_str("planSummary").is_ok_and(|plan| plan.contains("COLLSCAN")) {
            let text = |name| operation.get_str(name).unwrap_or_default();
            done.scans.insert(format!("{} of {}", text("op"), text("ns")));
        }
    }
    Ok(done)
}

fn number(operation: &RawDocument, name: &str) -> f64 {
    match operation.get(name) {
        Ok(Some(RawBsonRef::Int32(number))) => f64::from(number),
        Ok(Some(RawBsonRef::Int64(number))) => number as f64,
        _ => 0.0,
    }
}
