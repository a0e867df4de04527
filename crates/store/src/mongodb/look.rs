//! Looks at the state of the database, with which every snapshot begins. Those who want a snapshot at the same time share one: a look that
//! began after somebody asked sees all that was committed before.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use mongodb::ClientSession;
use mongodb::bson::Timestamp;
use tokio::sync::Mutex;

use super::connection::Connection;
use super::layout::State;
use crate::StoreError;

/// How often a look is taken anew that sees less than this process knows of, and how long it waits before: after an election, a server that does not
/// know of it yet may answer.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Default)]
pub(super) struct Looks {
    /// Counts what happens here: who asks, and when looks begin and end.
    clock: AtomicU64,
    /// The last look. Locked for as long as the next one takes.
    last: Mutex<Option<Look>>,
}

struct Look {
    began: u64,
    ended: u64,
    seen: Result<(State, Option<Timestamp>), StoreError>,
}

impl Looks {
    /// A session that sees the database as it is at this moment or later, and the state there.
    pub(super) fn take(&self, connection: &Connection) -> Result<(ClientSession, State), StoreError> {
        let asked = self.tick();
        let mut last = connection.wait(self.last.lock());
        match last.as_ref() {
            Some(Look { began, seen: Ok((state, Some(time))), .. }) if *began > asked => {
                return Ok((connection.snapshot_session(*time)?, *state));
            }
            // All who wait are told at once: each of them would wait for as long again.
            Some(Look { ended, seen: Err(error @ StoreError::Unreachable(_)), .. }) if *ended > asked => {
                return Err(error.clone());
            }
            _ => {}
        }
        let began = self.tick();
        let looked = look(connection);
        let seen = match &looked {
            Ok((session, state)) => Ok((*state, session.snapshot_time())),
            Err(error) => Err(error.clone()),
        };
        *last = Some(Look { began, ended: self.tick(), seen });
        looked
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::AcqRel)
    }
}

fn look(connection: &Connection) -> Result<(ClientSession, State), StoreError> {
    // What is heard of meanwhile may have been committed after the look.
    let heard = connection.heard().commits;
    for _ in 0..TRIES {
        let (session, state) = connection.look()?;
        if state.commits >= heard {
            connection.hear(&state);
            return Ok((session, state));
        }
        thread::sleep(PAUSE);
    }
    Err(StoreError::Unreachable("the database does not have all that it has committed".to_owned()))
}
