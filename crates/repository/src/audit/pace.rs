//! How many refusals of strangers are kept: whoever knocks without end must neither fill the disk nor hide by it what else is refused.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

use store::Millis;

use super::{Account, Act};
use crate::Requester;

/// How many of each kind are kept in a minute that name nobody who is known here.
pub const STRANGERS_MAX: u32 = 60;

/// How many of each kind are kept in a minute that name one account or client.
const NAMED_MAX: u32 = 20;

/// How many accounts and clients are told from one another in a minute; those that come after count as one.
const NAMES_MAX: usize = 500;

const MINUTE: Millis = 60_000;

/// How many came in this minute.
#[derive(Debug)]
pub(super) struct Pace {
    minute: Mutex<Minute>,
    /// When it is to be told how many were not kept; never while all were.
    due: AtomicI64,
}

#[derive(Debug, Default)]
struct Minute {
    begun: Millis,
    kept: HashMap<(u8, Named), u32>,
    /// How many were not kept in this minute.
    missed: u64,
    /// How many were not kept in those before, and nobody was told.
    untold: u64,
}

/// Whom a refusal names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Named {
    Nobody,
    Others,
    One(String),
}

impl Default for Pace {
    fn default() -> Pace {
        Pace { minute: Mutex::default(), due: AtomicI64::new(Millis::MAX) }
    }
}

impl Pace {
    /// Whether one more is kept.
    pub(super) fn admits(&self, account: &Account<'_>, now: Millis) -> bool {
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        minute.turn(now);
        let mut key = (account.act as u8, Named::of(account.requester));
        if key.1 != Named::Nobody && minute.kept.len() >= NAMES_MAX && !minute.kept.contains_key(&key) {
            key.1 = Named::Others;
        }
        let max = if key.1 == Named::Nobody { STRANGERS_MAX } else { NAMED_MAX };
        let kept = minute.kept.entry(key).or_default();
        if *kept < max {
            *kept += 1;
            return true;
        }
        minute.missed += 1;
        if minute.missed == 1 {
            tracing::warn!(
                "more is refused in a minute than the audit keeps; how many of them were not kept it tells after it"
            );
            self.due.fetch_min(minute.begun + MINUTE, Ordering::Relaxed);
        }
        false
    }

    /// How many were not kept in a minute that is over, once.
    pub(super) fn missed(&self, now: Millis) -> Option<u64> {
        if now < self.due.load(Ordering::Relaxed) {
            return None;
        }
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        minute.turn(now);
        let due = if minute.missed > 0 { minute.begun + MINUTE } else { Millis::MAX };
        self.due.store(due, Ordering::Relaxed);
        Some(std::mem::take(&mut minute.untold)).filter(|count| *count > 0)
    }
}

impl Minute {
    fn turn(&mut self, now: Millis) {
        if now >= self.begun + MINUTE {
            self.untold += std::mem::take(&mut self.missed);
            self.kept.clear();
            self.begun = now;
        }
    }
}

impl Named {
    /// Names that nobody knows here are anybody's to invent.
    fn of(requester: &Requester) -> Named {
        match &requester.user {
            Some(user) => Named::One(user.to_string()),
            None if requester.client_name.is_empty() => Named::Nobody,
            None => Named::One(requester.client.clone()),
        }
    }
}

/// What says that so many were not kept.
pub(super) fn telling<'a>(note: &'a str, nobody: &'a Requester) -> Account<'a> {
    Account {
        act: Act::Authenticate,
        ending: super::Ending::Refused,
        requester: nobody,
        peer: None,
        request: "",
        operation: "",
        note,
        query: "",
        subjects: &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::key;

    fn kept(pace: &Pace, requester: &Requester, act: Act, now: Millis) -> usize {
        (0..100).filter(|_| pace.admits(&Account { act, ..telling("", requester) }, now)).count()
    }

    #[test]
    fn keeps_so_many_in_a_minute_and_tells_of_the_others() {
        let pace = Pace::default();
        let nobody = Requester::default();
        let kept = |now| kept(&pace, &nobody, Act::Authenticate, now);
        assert_eq!((kept(60_000), pace.missed(119_999)), (60, None));
        assert_eq!((kept(119_999), pace.missed(119_999)), (0, None));
        assert_eq!((pace.missed(120_000), pace.missed(120_000)), (Some(140), None));
        assert_eq!((kept(120_000), kept(180_000)), (60, 60));
        assert_eq!((pace.missed(180_000), pace.missed(239_999), pace.missed(240_000)), (Some(40), None, Some(40)));
        assert_eq!(pace.missed(999_999), None);
    }

    #[test]
    fn junk_hides_nothing_of_what_names_somebody() {
        let pace = Pace::default();
        let client = |id: &str, name: &str| Requester {
            client: id.to_owned(),
            client_name: name.to_owned(),
            ..Requester::default()
        };
        let ann = Requester { user: Some(key("Patient/ann")), ..Requester::default() };
        let kept = |requester: &Requester, act| kept(&pace, requester, act, 60_000);
        assert_eq!(kept(&Requester::default(), Act::Authenticate), 60);
        assert_eq!(kept(&client("invented", ""), Act::Authenticate), 0);
        assert_eq!(kept(&client("app", "App"), Act::Authenticate), 20);
        assert_eq!(kept(&client("other", "App"), Act::Authenticate), 20);
        assert_eq!(kept(&ann, Act::SignIn), 20);
        assert_eq!(kept(&Requester::default(), Act::SignIn), 60);
        let many: usize = (0..2_000).map(|id| kept(&client(&format!("c{id}"), "C"), Act::Authenticate)).sum();
        assert!(many <= 20 * (NAMES_MAX + 1), "{many}");
        assert_eq!(kept(&ann, Act::SignIn), 0);
    }
}
