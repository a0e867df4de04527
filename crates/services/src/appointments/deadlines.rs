//! When the next hold ends: what the server looks at before every request, and the sweep that gives the slots back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fhir::json::Document;
use fhir::patch::JsonPatch;
use fhir::{Instant, Outcome};
use repository::{Access, Change, Millis, Patch, Repository, Session, Target, Version};

use super::hold::whole_second;
use super::resource::Entry;
use super::waiting::has_waited;
use crate::Services;

/// How many holds one sweep ends; the next goes on.
const SWEEP_MAX: usize = 500;

/// The times at which holds end, to the second.
///
/// A time is noted when its hold is committed, perhaps after it has passed, and stays until a sweep has looked that began after that. So none
/// is forgotten between the sweep that looks in the store and the commit that the sweep does not see yet.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    /// The first of them; 0, which is always past, until the store was asked.
    next: AtomicI64,
    noted: Mutex<Noted>,
    sweeping: Mutex<()>,
}

#[derive(Debug, Default)]
struct Noted {
    /// With the number of the last note of each.
    times: BTreeMap<Millis, u64>,
    count: u64,
}

impl Deadlines {
    /// Notes when a hold ends.
    pub(super) fn note(&self, until: Millis) {
        let until = whole_second(until);
        let mut noted = self.noted();
        noted.count += 1;
        let number = noted.count;
        noted.times.insert(until, number);
        self.next.fetch_min(until, Ordering::AcqRel);
    }

    fn are_due(&self, now: Millis) -> bool {
        self.next.load(Ordering::Acquire) <= now
    }

    /// How many notes there were: what a sweep that begins now will see in the store.
    fn count(&self) -> u64 {
        self.noted().count
    }

    /// Drops what had passed and was noted when the sweep began.
    fn pass(&self, now: Millis, count: u64) {
        let mut noted = self.noted();
        noted.times.retain(|until, number| *until > now || *number > count);
        let next = noted.times.first_key_value().map_or(Millis::MAX, |(until, _)| *until);
        self.next.store(next, Ordering::Release);
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Services {
    /// Whether holds may have ended that still stand. Costs nothing, and is asked before every request.
    pub fn is_sweep_due(&self, now: Instant) -> bool {
        self.deadlines.are_due(now.as_millis())
    }

    /// Cancels the holds that have ended, so that their slots are free again. When it returns none is left whose time has passed, unless there
    /// are very many; those that somebody else changed first are left to them.
    pub fn sweep(&self, repository: &Repository) -> Result<(), Outcome> {
        let _turn = self.deadlines.sweeping.lock().unwrap_or_else(PoisonError::into_inner);
        let now = repository.now();
        if !self.is_sweep_due(now) {
            return Ok(());
        }
        let count = self.deadlines.count();
        let session = repository.open(Access::full());
        let over = session.lookup("Appointment", &holds("le", now), SWEEP_MAX)?;
        let ended = over.iter().filter(|hold| end(&session, hold).is_ok()).count();
        let next = session.lookup("Appointment", &format!("{}&_sort=held-until", holds("gt", now)), 1)?;
        if let Some(until) = next.first().and_then(until) {
            self.deadlines.note(until);
        }
        self.deadlines.pass(now.as_millis(), count);
        if over.len() == SWEEP_MAX && ended > 0 {
            self.deadlines.note(now.as_millis() - 1000);
        }
        Ok(())
    }
}

fn holds(comparison: &str, now: Instant) -> String {
    format!("status=pending,proposed&held-until={comparison}{now}")
}

fn until(hold: &Version) -> Option<Millis> {
    let document = Document::parse(hold.body.as_deref()?).ok()?;
    super::hold::until(super::resource::Entry::new(&document)).map(Instant::as_millis)
}

/// Cancels a hold as it was found.
fn end(session: &Session<'_>, hold: &Version) -> Result<(), Outcome> {
    const ENDED: &str = r#"[{"op":"replace","path":"/status","value":"cancelled"},{"op":"add","path":"/cancelationReason","value":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/appointment-cancellation-reason","code":"other"}],"text":"not booked before the hold ended"}}]"#;
    /// Whoever waited before waits on: nobody loses a place by not looking for an hour.
    const WAITS: &str = r#"[{"op":"replace","path":"/status","value":"waitlist"}]"#;
    let document = Document::parse(hold.body.as_deref().unwrap_or_default())?;
    let ending = if has_waited(Entry::new(&document)) { WAITS } else { ENDED };
    let patch = Patch::Json(JsonPatch::parse(ending.as_bytes())?);
    let if_match = Some(hold.version.to_string());
    session.transact(vec![Change::Patch { target: Target::Key(hold.key.clone()), patch, if_match }])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_stays_until_it_has_passed() {
        let deadlines = Deadlines::default();
        let pass = |now| deadlines.pass(now, deadlines.count());
        assert!(deadlines.are_due(1), "the store was not asked yet");
        pass(1_000);
        assert!(!deadlines.are_due(Millis::MAX - 1));
        deadlines.note(5_001);
        deadlines.note(9_000);
        assert!(!deadlines.are_due(5_999) && deadlines.are_due(6_000));
        pass(4_000);
        assert!(deadlines.are_due(6_000), "not passed yet");
        pass(6_000);
        assert!(!deadlines.are_due(8_999) && deadlines.are_due(9_000));
    }

    /// Its commit came after the sweep had looked.
    #[test]
    fn what_is_noted_during_a_sweep_is_looked_at_by_the_next() {
        let deadlines = Deadlines::default();
        deadlines.note(5_000);
        let began = deadlines.count();
        deadlines.note(5_000);
        deadlines.note(4_000);
        deadlines.pass(6_000, began);
        assert!(deadlines.are_due(4_000));
        deadlines.pass(6_000, deadlines.count());
        assert!(!deadlines.are_due(Millis::MAX - 1));
    }
}
