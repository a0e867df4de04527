//! Many changes of one collection with few commands.

use mongodb::bson::{Document, RawArrayBuf, RawDocumentBuf, rawdoc};

use super::view::{Again, View};
use crate::StoreError;

/// How many bytes one command has, about; a single larger document has one of its own.
const COMMAND_BYTES: usize = 8 << 20;

/// Statements of the command `update` that wait for being sent.
pub(super) struct Updates {
    collection: &'static str,
    statements: RawArrayBuf,
    count: i64,
}

impl Updates {
    pub(super) fn new(collection: &'static str) -> Updates {
        Updates { collection, statements: RawArrayBuf::new(), count: 0 }
    }

    /// Adds a statement that changes one document. Where that is not there, and not made by the statement, somebody else was quicker: the
    /// transaction may be tried again.
    pub(super) fn push(&mut self, view: &mut View, statement: RawDocumentBuf) -> Result<(), StoreError> {
        if self.statements.as_bytes().len() + statement.as_bytes().len() > COMMAND_BYTES {
            self.flush(view)?;
        }
        self.statements.push(statement);
        self.count += 1;
        Ok(())
    }

    /// Sends what waits.
    pub(super) fn flush(&mut self, view: &mut View) -> Result<(), StoreError> {
        if self.statements.is_empty() {
            return Ok(());
        }
        let statements = std::mem::take(&mut self.statements);
        let answer = run(view, rawdoc! { "update": self.collection, "updates": statements })?;
        let changed = i64::from(answer.get_i32("n").unwrap_or(0));
        if changed != std::mem::take(&mut self.count) {
            view.again = Again::Contended;
            return Err(StoreError::Engine("a commit found something else than it had read".to_owned()));
        }
        Ok(())
    }
}

/// Runs a command that writes; refused statements are told of in its answer.
pub(super) fn run(view: &mut View, command: RawDocumentBuf) -> Result<Document, StoreError> {
    let answer = view.command(command)?;
    match answer.get_array("writeErrors") {
        Ok(errors) => {
            // Within a transaction this is the sign of another one that was quicker.
            view.again = Again::Contended;
            Err(StoreError::Engine(format!("the database refused a change: {errors:?}")))
        }
        Err(_) => Ok(answer),
    }
}
