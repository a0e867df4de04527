use std::collections::BTreeSet;

use serde_json::Value;

use super::super::HELD_UNTIL;
use super::world::{self, BOTH, ROLE};

/// From each state, those that may follow. Each may also stay, and may have been an error.
const FOLLOWING: [(&str, &str); 6] = [
    ("waitlist", "proposed booked cancelled"),
    ("proposed", "pending booked waitlist cancelled"),
    ("pending", "booked cancelled"),
    ("booked", "checked-in arrived fulfilled noshow cancelled"),
    ("checked-in", "arrived fulfilled noshow cancelled"),
    ("arrived", "fulfilled cancelled"),
];

pub(super) fn may_follow(before: &str, after: &str) -> bool {
    let following = FOLLOWING.iter().find(|(from, _)| *from == before).map_or("", |(_, following)| following);
    before == after || after == "entered-in-error" || following.split(' ').any(|state| state == after)
}

/// An appointment, as far as it matters who is where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Visit {
    pub(super) status: String,
    pub(super) until: Option<String>,
    pub(super) at: Place,
}

/// Who is where when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) patients: BTreeSet<String>,
    pub(super) practitioners: BTreeSet<String>,
    pub(super) slots: BTreeSet<String>,
    start: String,
    end: String,
}

/// Until when an appointment is held.
pub(super) fn until(appointment: &Value) -> Option<String> {
    said(appointment, HELD_UNTIL).next()
}

/// What the extensions with this url say, in order.
pub(super) fn said<'a>(resource: &'a Value, url: &'a str) -> impl Iterator<Item = String> + 'a {
    let extensions = resource["extension"].as_array().into_iter().flatten().filter(move |it| it["url"] == url);
    extensions.filter_map(|it| Some(it.get("valueInstant").or(it.get("valueString"))?.as_str()?.to_owned()))
}

/// The references at this path in each of a resource's members of this name.
pub(super) fn references(resource: &Value, name: &str, path: &str) -> BTreeSet<String> {
    let all = resource[name].as_array().into_iter().flatten();
    all.filter_map(|it| Some(it.pointer(path)?.as_str()?.to_owned())).collect()
}

impl Visit {
    pub(super) fn of(appointment: &Value) -> Visit {
        let text = |name: &str| appointment[name].as_str().unwrap_or_default().to_owned();
        let slots = references(appointment, "slot", "/reference");
        // Whoever has declined is somewhere else.
        let participants = appointment["participant"].as_array().into_iter().flatten();
        let coming = participants.filter(|it| it["status"] != "declined");
        let actors = coming.filter_map(|it| Some(it["actor"]["reference"].as_str()?.to_owned())).collect();
        let at = Place::of(actors, slots, (text("start"), text("end")));
        Visit { status: text("status"), until: until(appointment), at }
    }

    pub(super) fn is_hold(&self) -> bool {
        ["pending", "proposed"].contains(&self.status.as_str()) && self.until.is_some()
    }

    /// Whether it has a seat in its slots.
    pub(super) fn is_seated(&self) -> bool {
        self.is_hold() || ["booked", "checked-in", "arrived", "fulfilled", "noshow"].contains(&self.status.as_str())
    }

    /// Whether it is a hold whose time has passed.
    pub(super) fn is_over(&self, time: &str) -> bool {
        self.is_hold() && self.until.as_deref().is_some_and(|until| until <= time)
    }

    /// Whether somebody is there and nowhere else.
    pub(super) fn takes_time(&self, time: &str) -> bool {
        self.is_seated() && self.status != "noshow" && !self.is_over(time)
    }
}

impl Place {
    /// Of these people and those whom the slots' schedules name.
    pub(super) fn of(actors: BTreeSet<String>, slots: BTreeSet<String>, (start, end): (String, String)) -> Place {
        let (patients, practitioners): (BTreeSet<_>, BTreeSet<_>) =
            actors.into_iter().partition(|actor| actor.starts_with("Patient/"));
        let scheduled = slots.iter().map(|slot| world::of(slot).practitioner().to_owned());
        let in_person = |actor: String| if actor == ROLE { BOTH.to_owned() } else { actor };
        let practitioners = practitioners.into_iter().map(in_person).chain(scheduled).collect();
        Place { patients, practitioners, slots, start, end }
    }

    /// Whether somebody is there, at the time and in the slots of another.
    pub(super) fn has(&self, who: &String, other: &Place) -> bool {
        let is_same = self.start == other.start && self.end == other.end && self.slots == other.slots;
        is_same && (self.patients.contains(who) || self.practitioners.contains(who))
    }

    /// Whoever would have to be in two places at once.
    pub(super) fn in_both(&self, other: &Place) -> Option<String> {
        if self.start >= other.end || other.start >= self.end {
            return None;
        }
        let patient = self.patients.intersection(&other.patients).next();
        let practitioner = self.practitioners.intersection(&other.practitioners).next();
        patient.or(practitioner.filter(|_| self.slots.is_disjoint(&other.slots))).cloned()
    }
}
