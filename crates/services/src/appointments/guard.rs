//! Guards: nobody is booked twice at one time.
//!
//! Invariants:
//! - Slots cannot tell: two bookings of one patient in two slots write nothing in common. So each person and day has a value that lists the
//!   times taken, and whoever books somebody rewrites it: of two at once the second is made anew and sees the first.
//! - A guard is where to look, and the appointment is the truth: an entry whose appointment does not take the time any more refuses nobody.
//! - What patients hide of their appointments refuses nobody who may not know of it: a refusal would tell when they are where, to somebody who
//!   only tries. [`Settings::hidden_overlap`] may decide otherwise.

use fhir::{Instant, Outcome};
use repository::{Key, Transaction};

use super::actor::{self, ACTORS_MAX, Actor, Kind, NAME_MAX};
use super::booking::named;
use super::refusal::Reason;
use super::resource::Entry;
use super::{hold, status};
use crate::{Overlap, Settings};

/// A day, in microseconds.
const DAY: i64 = 86_400_000_000;

/// How many days one appointment may touch: it is in the guards of each.
const DAYS_MAX: i64 = 31;

/// How many times one person's day lists. One more is refused, also when it was booked elsewhere: unlisted it would be guarded by nothing.
const TIMES_MAX: usize = 1_000;

/// The time that an appointment takes of people.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Presence {
    actors: Vec<Actor>,
    time: Time,
}

/// A time taken, with the slots it is taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Time {
    start: Instant,
    end: Instant,
    slots: Vec<Key>,
}

/// An appointment's time in a guard.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Taken {
    owner: Key,
    time: Time,
}

/// Lists the time that `owner` takes as it is to be, instead of what it took. Where `refuses`, somebody who is taken then refuses it; what was
/// accepted once is not looked at again.
pub(super) fn keep(
    transaction: &mut Transaction<'_>,
    settings: &Settings,
    owner: &Key,
    (before, after): (Option<Entry<'_>>, Option<Entry<'_>>),
    refuses: bool,
) -> Result<(), Outcome> {
    let was = before.map(|before| Presence::of(transaction, before)).transpose()?.flatten();
    let is = after.map(|after| Presence::of(transaction, after)).transpose()?.flatten();
    if let Some(was) = &was {
        for (actor, day) in
            was.places().filter(|place| !is.as_ref().is_some_and(|is| is.places().any(|at| at == *place)))
        {
            change(transaction, actor, day, owner, None)?;
        }
    }
    let Some(is) = is else { return Ok(()) };
    let refuses = refuses && !transaction.is_import();
    if refuses {
        is.permit()?;
    }
    let is_over = is.time.end <= Instant::from_millis(transaction.now());
    for actor in is.actors.iter().take(ACTORS_MAX) {
        let stays = was.as_ref().is_some_and(|was| was.time == is.time && was.actors.contains(actor));
        if refuses && !stays && !is_over {
            for (other, time) in elsewhere(transaction, settings, owner, actor, &is.time)? {
                let is_told = actor.kind == Kind::Practitioner || settings.hidden_overlap == Overlap::Refuse;
                if is_told || transaction.is_told(&other)? {
                    return Err(refusal(transaction, actor, &other, &time)?);
                }
            }
        }
        for day in is.time.days() {
            let is_listed = change(transaction, actor, day, owner, Some(&is.time))?;
            if !transaction.is_import() && !is_listed {
                return Err(Reason::FullDay.refuse(&actor.name, "Appointment.participant"));
            }
        }
    }
    Ok(())
}

impl Presence {
    /// `None` for an appointment that takes nobody's time: it is not booked nor held, or does not say when.
    fn of(transaction: &mut Transaction<'_>, appointment: Entry<'_>) -> Result<Option<Presence>, Outcome> {
        let takes_time = status::takes_time(&appointment.status()) || hold::is_hold(appointment);
        let (Some(start), Some(end), true) = (appointment.instant("start"), appointment.instant("end"), takes_time)
        else {
            return Ok(None);
        };
        if start >= end {
            return Ok(None);
        }
        let slots: Vec<_> = named(transaction, appointment).into_iter().map(|(_, slot)| slot).collect();
        let mut actors = actor::all(transaction, appointment)?;
        for slot in &slots {
            for actor in of_schedule(transaction, slot)? {
                if !actors.contains(&actor) {
                    actors.push(actor);
                }
            }
        }
        actors.retain(|actor| name(actor, 0).len() <= NAME_MAX);
        Ok(Some(Presence { actors, time: Time { start, end, slots } }))
    }

    /// Refuses what is too much to be guarded.
    fn permit(&self) -> Result<(), Outcome> {
        let days = self.time.last_day() - self.time.first_day() + 1;
        if days > DAYS_MAX {
            return Err(Reason::TooLong.refuse(days, "Appointment.end"));
        }
        match self.actors.len() > ACTORS_MAX {
            true => Err(Reason::TooManyActors.refuse(self.actors.len(), "Appointment.participant")),
            false => Ok(()),
        }
    }

    /// The guards it is listed in.
    fn places(&self) -> impl Iterator<Item = (&Actor, i64)> {
        self.actors.iter().take(ACTORS_MAX).flat_map(|actor| self.time.days().map(move |day| (actor, day)))
    }
}

impl Time {
    fn first_day(&self) -> i64 {
        self.start.0.div_euclid(DAY)
    }

    fn last_day(&self) -> i64 {
        (self.end.0 - 1).div_euclid(DAY)
    }

    /// The days that it touches, as far as they are guarded.
    fn days(&self) -> impl Iterator<Item = i64> + use<> {
        self.first_day()..=self.last_day().min(self.first_day() + DAYS_MAX - 1)
    }

    fn overlaps(&self, other: &Time) -> bool {
        self.start < other.end && other.start < self.end
    }

    fn shares_slot(&self, other: &Time) -> bool {
        self.slots.iter().any(|slot| other.slots.contains(slot))
    }
}

/// Whether nobody whose time an appointment takes is elsewhere then.
pub(super) fn is_free(
    transaction: &mut Transaction<'_>,
    settings: &Settings,
    owner: &Key,
    appointment: Entry<'_>,
) -> Result<bool, Outcome> {
    let Some(presence) = Presence::of(transaction, appointment)? else { return Ok(true) };
    if presence.permit().is_err() {
        return Ok(false);
    }
    for actor in &presence.actors {
        if !elsewhere(transaction, settings, owner, actor, &presence.time)?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The practitioners whose schedule a slot is in.
pub(super) fn of_schedule(transaction: &mut Transaction<'_>, slot: &Key) -> Result<Vec<Actor>, Outcome> {
    let Some(document) = transaction.read(slot)? else { return Ok(Vec::new()) };
    let Some(key) = transaction.local(&Entry::new(&document).schedule()) else { return Ok(Vec::new()) };
    let Some(schedule) = transaction.read(&key)? else { return Ok(Vec::new()) };
    let mut actors = actor::all(transaction, Entry::new(&schedule))?;
    actors.retain(|actor| actor.kind == Kind::Practitioner);
    Ok(actors)
}

/// The other appointments that keep the person from being there at a time, and their times. Several may see one practitioner in one slot, and nobody
/// has two seats in it.
fn elsewhere(
    transaction: &mut Transaction<'_>,
    settings: &Settings,
    owner: &Key,
    actor: &Actor,
    time: &Time,
) -> Result<Vec<(Key, Time)>, Outcome> {
    let mut others = Vec::new();
    let mut seen: Vec<Key> = Vec::new();
    for day in time.days() {
        for taken in read(transaction, actor, day)? {
            let shares = taken.time.shares_slot(time);
            let is_wrong = match actor.kind {
                Kind::Patient => shares || settings.patient_overlap == Overlap::Refuse,
                Kind::Practitioner => !shares && settings.practitioner_overlap == Overlap::Refuse,
            };
            if taken.owner == *owner || !is_wrong || !taken.time.overlaps(time) || seen.contains(&taken.owner) {
                continue;
            }
            if let Some(other) = standing(transaction, &taken.owner, actor)?.filter(|other| other.overlaps(time)) {
                others.push((taken.owner.clone(), other));
            }
            seen.push(taken.owner);
        }
    }
    Ok(others)
}

/// The time of the person that an appointment takes, if it still does.
fn standing(transaction: &mut Transaction<'_>, owner: &Key, actor: &Actor) -> Result<Option<Time>, Outcome> {
    let Some(document) = transaction.read(owner)? else { return Ok(None) };
    let entry = Entry::new(&document);
    if hold::is_hold(entry) && !hold::is_alive(entry, transaction.now()) {
        return Ok(None);
    }
    let presence = Presence::of(transaction, entry)?;
    Ok(presence.filter(|presence| presence.actors.contains(actor)).map(|presence| presence.time))
}

/// Tells when the person is elsewhere to who may know it.
fn refusal(transaction: &Transaction<'_>, actor: &Actor, other: &Key, time: &Time) -> Result<Outcome, Outcome> {
    let mut outcome = Reason::Busy.refuse(&actor.name, "Appointment.participant");
    if transaction.may_read(other)? {
        for issue in &mut outcome.issues {
            issue.diagnostics += &format!(", from {} to {}", time.start, time.end);
        }
    }
    Ok(outcome)
}

/// Lists a time under this owner, in place of an earlier one; false where the list is full.
fn change(
    transaction: &mut Transaction<'_>,
    actor: &Actor,
    day: i64,
    owner: &Key,
    time: Option<&Time>,
) -> Result<bool, Outcome> {
    let mut taken = read(transaction, actor, day)?;
    let own = taken.iter().position(|taken| taken.owner == *owner);
    match (own, time) {
        (Some(at), Some(time)) if taken[at].time == *time => return Ok(true),
        (Some(at), Some(time)) => taken[at].time = time.clone(),
        (Some(at), None) => drop(taken.remove(at)),
        (None, Some(_)) if taken.len() >= TIMES_MAX => return Ok(false),
        (None, Some(time)) => taken.push(Taken { owner: owner.clone(), time: time.clone() }),
        (None, None) => return Ok(true),
    }
    let text: String = taken.iter().map(Taken::line).collect();
    transaction.exchange(name(actor, day), (!text.is_empty()).then(|| text.into_bytes()))?;
    Ok(true)
}

fn read(transaction: &mut Transaction<'_>, actor: &Actor, day: i64) -> Result<Vec<Taken>, Outcome> {
    let value = transaction.claimed(&name(actor, day))?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&value).lines().filter_map(Taken::parse).collect())
}

fn name(actor: &Actor, day: i64) -> Vec<u8> {
    format!("guard/{}/{day}", actor.name).into_bytes()
}

impl Taken {
    /// Start and end in microseconds, the appointment, its slots.
    fn line(&self) -> String {
        let Time { start, end, slots } = &self.time;
        let slots: String = slots.iter().map(|slot| format!(" {slot}")).collect();
        format!("{} {} {}{slots}\n", start.0, end.0, self.owner)
    }

    fn parse(line: &str) -> Option<Taken> {
        let mut words = line.split(' ');
        let mut instant = || Some(Instant(words.next()?.parse().ok()?));
        let (start, end) = (instant()?, instant()?);
        let owner = Key::parse(words.next()?)?;
        Some(Taken { owner, time: Time { start, end, slots: words.filter_map(Key::parse).collect() } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(start: i64, end: i64, slots: &[&str]) -> Taken {
        let slots = slots.iter().map(|slot| Key::new("Slot", slot).expect("a key")).collect();
        let owner = Key::new("Appointment", "a").expect("a key");
        Taken { owner, time: Time { start: Instant(start), end: Instant(end), slots } }
    }

    #[test]
    fn lines_read_back() {
        for taken in [taken(1, 2, &[]), taken(-5, 7, &["s"]), taken(0, DAY, &["s", "t"])] {
            assert_eq!(Taken::parse(taken.line().trim_end()), Some(taken));
        }
        assert_eq!(Taken::parse("1 x Appointment/a"), None);
    }

    #[test]
    fn days_are_those_touched() {
        let days = |start, end| taken(start, end, &[]).time.days().collect::<Vec<_>>();
        assert_eq!(days(0, DAY), [0]);
        assert_eq!(days(DAY - 1, DAY + 1), [0, 1]);
        assert_eq!(days(-1, 1), [-1, 0]);
        assert_eq!(days(0, 99 * DAY).len(), 31);
    }

    #[test]
    fn times_that_meet_do_not_overlap() {
        let time = |start, end| taken(start, end, &[]).time;
        assert!(!time(0, 5).overlaps(&time(5, 9)) && !time(5, 9).overlaps(&time(0, 5)));
        assert!(
            time(0, 6).overlaps(&time(5, 9)) && time(6, 7).overlaps(&time(5, 9)) && time(5, 9).overlaps(&time(6, 7))
        );
    }
}
