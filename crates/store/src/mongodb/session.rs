//! The writer's session, by which the server knows its transactions.
//!
//! A process that is killed within a transaction leaves it open, and what that has changed cannot be changed by others for a minute. So the
//! session's id is noted in the directory, and whoever takes the directory next ends what is left of it.

use std::fs::File;
use std::io::{ErrorKind, Read, Write as _};
use std::path::Path;

use mongodb::ClientSession;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, doc};

use super::connection::Connection;
use crate::{StoreError, directory};

/// The name of the file.
pub(super) const FILE: &str = "session";

/// The length of an id in bytes.
const ID: usize = 16;

/// A session for the process that has taken the directory; ends the one that was noted there.
pub(super) fn open(connection: &Connection, directory: &Path) -> Result<ClientSession, StoreError> {
    let path = directory.join(FILE);
    if let Some(id) = noted(&path).map_err(|error| directory::unusable(directory, &error))? {
        let id = Binary { subtype: BinarySubtype::Uuid, bytes: id };
        // Where this is not permitted, or nothing is left of it, the server ends it by itself.
        drop(connection.command(doc! { "killSessions": [{ "id": id }] }));
    }
    let session = connection.writer_session()?;
    let id = match session.id().get("id") {
        Some(Bson::Binary(id)) => id.bytes.as_slice(),
        _ => &[],
    };
    note(&path, id).map_err(|error| directory::unusable(directory, &error))?;
    Ok(session)
}

fn noted(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    let mut id = Vec::new();
    match File::open(path) {
        Ok(mut file) => file.read_to_end(&mut id)?,
        Err(error) if error.kind() == ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    // A crash may have left less.
    Ok(Some(id).filter(|id| id.len() == ID))
}

fn note(path: &Path, id: &[u8]) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(id)?;
    file.sync_all()
}
