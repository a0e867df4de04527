//! When the next hold ends: what the server looks at before every request, and the sweep that gives the slots back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fhir::json::Document;
use fhir::patch::JsonPatch;
use fhir::{Instant, IssueType, Outcome};
use repository::{Access, Change, Key, Millis, Patch, References, Repository, Session, Target, Version};

use super::hold::whole_second;
use super::resource::Entry;
use super::waiting::has_waited;
use crate::Services;

/// How many holds one sweep ends, in a commit each: no request waits for more.
const SWEEP_MAX: usize = 50;

/// How many holds that could not be ended each have a time of their own to be tried again; those beyond are tried by every sweep.
const FAILED_MAX: usize = 1_000;

/// After how long a hold that could not be ended is tried again, in milliseconds: twice as long every time, up to the second.
const AGAIN: Millis = 1_000;
const AGAIN_MAX: Millis = 64_000;

/// The times at which holds end, to the second.
///
/// A time is noted when its hold is committed, perhaps after it has passed, and stays until a sweep has looked that began after that. So none
/// is forgotten between the sweep that looks in the store and the commit that the sweep does not see yet.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    /// The first of them; 0, which is always past, until the store was asked.
    next: AtomicI64,
    noted: Mutex<Noted>,
    /// How many sweeps there were.
    sweeps: AtomicU64,
    /// Held by who sweeps.
    last: Mutex<Last>,
}

/// What a sweep left to the next.
#[derive(Debug, Default)]
struct Last {
    /// The holds that could not be ended.
    failed: BTreeMap<Key, Failed>,
    has_more: bool,
}

#[derive(Debug, Default)]
struct Failed {
    times: u32,
    /// When it is tried again.
    again: Millis,
}

/// What a sweep came to.
#[derive(Debug, Default)]
pub struct Swept {
    /// Whether there are more holds to be ended at once.
    pub has_more: bool,
    /// Those that could not be ended, and why. They are tried again; until then whoever books their slots finds them over.
    pub failed: Vec<(Key, IssueType)>,
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

    /// Has the next sweep look in the store: others may have noted what is not noted here.
    pub(super) fn doubt(&self) {
        self.next.store(0, Ordering::Release);
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

impl Last {
    /// Whether it is time to end a hold: at once, or again.
    fn is_due(&self, hold: &Key, now: Millis) -> bool {
        self.failed.get(hold).is_none_or(|failed| failed.again <= now)
    }

    fn fail(&mut self, hold: &Key, now: Millis) {
        if !self.failed.contains_key(hold) && self.failed.len() >= FAILED_MAX {
            return;
        }
        let failed = self.failed.entry(hold.clone()).or_default();
        failed.again = now.saturating_add(AGAIN.saturating_mul(1 << failed.times.min(10)).min(AGAIN_MAX));
        failed.times += 1;
    }

    /// When the first of those that failed is tried again.
    fn again(&self) -> Option<Millis> {
        self.failed.values().map(|failed| failed.again).min()
    }
}

impl Services {
    /// Whether holds may have ended that still stand. Costs nothing, and is asked before every request.
    pub fn is_sweep_due(&self, now: Instant) -> bool {
        self.deadlines.are_due(now.as_millis())
    }

    /// Says that holds may have come that were not made here: the next sweep looks for them.
    pub fn doubt_deadlines(&self) {
        self.deadlines.doubt();
    }

    /// Cancels the holds that have ended, so that their slots are free again, those first that ended first. When it returns none is left whose
    /// time has passed, unless there are very many, or one could not be ended: those stay due. Who waited here while others swept
    /// goes on when they left some: what books a slot looks at the time itself.
    pub fn sweep(&self, repository: &Repository) -> Result<Swept, Outcome> {
        let deadlines = &self.deadlines;
        let sweeps = deadlines.sweeps.load(Ordering::Acquire);
        let mut last = deadlines.last.lock().unwrap_or_else(PoisonError::into_inner);
        let others_swept = deadlines.sweeps.load(Ordering::Acquire) != sweeps;
        let now = repository.now();
        if !self.is_sweep_due(now) || others_swept && last.has_more {
            return Ok(Swept::default());
        }
        deadlines.sweeps.fetch_add(1, Ordering::AcqRel);
        let count = deadlines.count();
        // Ending changes no reference, and what one led to may be gone.
        let session = repository.open(Access::full()).with_references(References::Accept);
        let (time, most) = (now.as_millis(), SWEEP_MAX + 1 + last.failed.len());
        let over = session.lookup("Appointment", &in_order("le", now), most)?;
        last.failed.retain(|failed, _| over.iter().any(|hold| hold.key == *failed));
        let mut due: Vec<_> = over.iter().filter(|hold| last.is_due(&hold.key, time)).collect();
        let has_more = due.len() > SWEEP_MAX;
        due.truncate(SWEEP_MAX);
        let mut failed = Vec::new();
        for hold in due {
            match end(&session, hold) {
                Ok(()) => drop(last.failed.remove(&hold.key)),
                // Whoever changed it after the sweep had looked has noted it again, where it is a hold yet.
                Err(outcome) if is(&outcome, IssueType::Precondition) => {}
                Err(outcome) => {
                    last.fail(&hold.key, time);
                    failed.extend(reason(&outcome).map(|reason| (hold.key.clone(), reason)));
                }
            }
        }
        let next = session.lookup("Appointment", &in_order("gt", now), 1)?;
        if let Some(until) = next.first().and_then(until) {
            deadlines.note(until);
        }
        deadlines.pass(time, count);
        if let Some(again) = last.again() {
            deadlines.note(again);
        }
        if has_more {
            deadlines.note(time - 1000);
        }
        last.has_more = has_more;
        Ok(Swept { has_more, failed })
    }
}

/// Why a hold could not be ended; `None` when somebody else changed it at that moment, who may have ended it.
fn reason(outcome: &Outcome) -> Option<IssueType> {
    use IssueType::{Conflict, Deleted, NotFound};
    let worst = outcome.worst()?.code;
    (![Conflict, Deleted, NotFound].contains(&worst)).then_some(worst)
}

fn is(outcome: &Outcome, code: IssueType) -> bool {
    outcome.worst().is_some_and(|issue| issue.code == code)
}

/// The holds before or after a time, as a query, the first to end first.
fn in_order(comparison: &str, now: Instant) -> String {
    format!("status=pending,proposed&held-until={comparison}{now}&_sort=held-until")
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

    #[test]
    fn what_failed_is_tried_later_and_later() {
        let mut last = Last::default();
        let hold = Key::new("Appointment", "a").expect("a key");
        assert!(last.is_due(&hold, 0) && last.again().is_none());
        for wait in [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 64_000] {
            last.fail(&hold, 5);
            assert!(!last.is_due(&hold, 4 + wait) && last.is_due(&hold, 5 + wait), "{wait}");
            assert_eq!(last.again(), Some(5 + wait));
        }
    }
}
