//! The writer's session, by which the server knows its transactions.
//!
//! A process that is killed within a transaction leaves it open, and what that has changed cannot be changed by others for a minute. So the
//! session's id is noted in the database, under the place of the process: whoever takes the place next ends what is left of it, and so does
//! whoever finds it in the way and standing still.

use std::time::{Duration, Instant};

use mongodb::ClientSession;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, Document, RawDocument, doc};

use super::connection::Connection;
use super::layout::{SESSIONS, STATE};
use crate::StoreError;

/// In which time nothing goes on in a transaction of a process that is gone. One that goes on nevertheless is tried again.
const STILL: Duration = Duration::from_secs(3);

/// A session for the process at this place; ends the one that was noted there.
pub(super) fn open(connection: &Connection, place: &str) -> Result<ClientSession, StoreError> {
    let session = connection.writer_session()?;
    let note = doc! { "$set": { "id": id(&session) } };
    let state = connection.collection(STATE);
    let noted = state.find_one_and_update(doc! { "_id": format!("{SESSIONS}{place}") }, note).upsert(true);
    let former = connection.answer(async { noted.await })?;
    if let Some(id) = former.as_deref().and_then(noted_id) {
        end(connection, id);
    }
    Ok(session)
}

fn id(session: &ClientSession) -> Bson {
    session.id().get("id").cloned().unwrap_or(Bson::Null)
}

fn noted_id(note: &RawDocument) -> Option<Vec<u8>> {
    note.get_binary("id").ok().map(|id| id.bytes.to_vec())
}

/// Where this is not permitted, or nothing is left of it, the server ends it by itself.
fn end(connection: &Connection, id: Vec<u8>) {
    let id = Binary { subtype: BinarySubtype::Uuid, bytes: id };
    drop(connection.command(doc! { "killSessions": [{ "id": id }] }));
}

/// Ends transactions that processes have left which were killed.
#[derive(Default)]
pub(super) struct Watch {
    /// What stood still at the last look, and when that was.
    last: Option<(Instant, Vec<Standing>)>,
}

/// A transaction in which nothing goes on.
#[derive(PartialEq)]
struct Standing {
    session: Vec<u8>,
    number: i64,
    /// How long something went on in it.
    active_micros: i64,
}

impl Watch {
    /// Looks for transactions of other processes, unless it has just looked, and ends those that still are where they were at the last look.
    pub(super) fn look(&mut self, connection: &Connection) {
        if self.last.as_ref().is_some_and(|(when, _)| when.elapsed() < STILL) {
            return;
        }
        // Where it is not permitted to look, the server ends them by itself.
        let now = standing(connection).unwrap_or_default();
        let before = self.last.take().map(|(_, before)| before).unwrap_or_default();
        for left in now.iter().filter(|one| before.contains(one)) {
            end(connection, left.session.clone());
        }
        self.last = Some((Instant::now(), now));
    }
}

/// The open transactions of this store's processes in which nothing goes on at this moment.
fn standing(connection: &Connection) -> Result<Vec<Standing>, StoreError> {
    let noted = connection.answer(async {
        let filter = doc! { "_id": { "$gte": SESSIONS, "$lt": format!("{SESSIONS}~") } };
        let mut cursor = connection.collection(STATE).find(filter).await?;
        let mut noted = Vec::new();
        while cursor.advance().await? {
            noted.extend(noted_id(cursor.current()));
        }
        Ok(noted)
    })?;
    let is_open = doc! { "active": false, "transaction.parameters.txnNumber": { "$exists": true } };
    let pipeline = vec![doc! { "$currentOp": { "idleSessions": true } }, doc! { "$match": is_open }];
    let open = connection.server_facts(pipeline)?;
    Ok(open.iter().filter_map(Standing::of).filter(|one| noted.contains(&one.session)).collect())
}

impl Standing {
    fn of(operation: &Document) -> Option<Standing> {
        let Bson::Binary(session) = operation.get_document("lsid").ok()?.get("id")? else { return None };
        let transaction = operation.get_document("transaction").ok()?;
        let number = transaction.get_document("parameters").ok()?.get_i64("txnNumber").ok()?;
        Some(Standing {
            session: session.bytes.clone(),
            number,
            active_micros: transaction.get_i64("timeActiveMicros").ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mongodb::connection::PATIENCE;
    use crate::testing::{Mongod, ReplicaSet};

    /// Writes one more document in the session's transaction.
    fn go_on(connection: &Connection, session: &mut ClientSession) {
        let documents = connection.database().collection::<Document>("others");
        connection.wait(async { documents.insert_one(doc! {}).session(session).await }).unwrap();
    }

    #[test]
    fn ends_what_stands_still_and_nothing_else() {
        let Some(mongod) = Mongod::shared() else { return };
        let url = mongod.new_database();
        ends_what_stands_still(&url);
        mongod.drop_database(&url);
        // All that a user needs for it is the role `readWrite` on the database.
        let Some((_guarded, url)) = ReplicaSet::guarded() else { return };
        ends_what_stands_still(&url);
    }

    fn ends_what_stands_still(url: &str) {
        let connection = Connection::open(url, PATIENCE).unwrap();
        connection.wait(async { connection.database().create_collection("others").await }).unwrap();
        let begin = |mut session: ClientSession| {
            connection.wait(async { session.start_transaction().await }).unwrap();
            go_on(&connection, &mut session);
            session
        };
        let mut still = begin(open(&connection, "still").unwrap());
        let mut going = begin(open(&connection, "going").unwrap());
        // Not one of this store's processes.
        let mut other = begin(connection.writer_session().unwrap());
        let mut watch = Watch::default();
        watch.look(&connection);
        let seen = watch.last.as_ref().map(|(_, seen)| seen.len());
        assert_eq!(seen, Some(2));
        go_on(&connection, &mut going);
        // Too early: the former look holds.
        watch.look(&connection);
        let later = |watch: &mut Watch| watch.last.as_mut().map(|(when, _)| *when -= STILL);
        later(&mut watch);
        watch.look(&connection);
        let commit = |session: &mut ClientSession| connection.wait(async { session.commit_transaction().await });
        assert!(commit(&mut still).is_err());
        commit(&mut going).unwrap();
        commit(&mut other).unwrap();
    }
}
