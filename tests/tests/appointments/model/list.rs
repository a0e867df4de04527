use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fhir::DateTime;
use serde_json::Value;

use super::clients::Answer;
use super::visit::{Place, Visit, said};
use super::wish::Wish;
use super::world;

/// How long offers stand in the model.
pub(super) const OFFER: Duration = Duration::from_secs(600);

const WAITING_SINCE: &str = "https://flint.example/fhir/StructureDefinition/waiting-since";
const OFFERED: &str = "https://flint.example/fhir/StructureDefinition/offered-slot";

/// The waiting list: who waits longest for a slot that is given back is offered it, in the same commit, until a time, and is told once.
#[derive(Default)]
pub(super) struct List(BTreeMap<String, Waiter>);

/// Who waits, or has an offer.
#[derive(Debug)]
struct Waiter {
    since: String,
    wish: Wish,
    /// The slots that it was offered, in order.
    offered: Vec<String>,
    /// The slot that it is offered now.
    offer: Option<String>,
}

/// One appointment in a commit.
#[derive(Debug)]
pub(super) struct Change<'a> {
    pub(super) key: &'a str,
    pub(super) resource: Option<&'a Value>,
    pub(super) before: Option<Visit>,
    pub(super) asked: Vec<&'a Answer>,
}

/// What else there is in a commit and after it.
pub(super) struct Scene<'a> {
    /// When it was made: not before the first, and not after the second.
    pub(super) times: (&'a str, &'a str),
    pub(super) visits: &'a BTreeMap<String, Visit>,
    /// The slots that were free before, and those that are.
    pub(super) were_free: BTreeSet<String>,
    pub(super) are_free: BTreeSet<String>,
    /// The slots of which a seat was given back, and those that a practice has made free.
    pub(super) given: BTreeSet<String>,
    pub(super) communications: Vec<&'a Value>,
}

/// Who has come to an offer.
struct Offer<'a> {
    slot: String,
    change: &'a Change<'a>,
}

impl List {
    /// What is wrong with a commit.
    pub(super) fn commit(&mut self, changes: &[Change<'_>], scene: &Scene<'_>) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut offers = Vec::new();
        for change in changes {
            offers.extend(self.turn(change, scene, &mut wrong));
        }
        let mut told = scene.communications.clone();
        for offer in &offers {
            self.permit(offer, changes, scene, &mut wrong);
            self.tell(offer, scene, &mut told, &mut wrong);
        }
        wrong.extend(told.into_iter().map(|it| format!("tells of no offer: {it}")));
        let others = self.waiting().filter(|(key, _)| changes.iter().all(|change| change.key != *key));
        let left = others.flat_map(|(key, waiter)| scene.given.iter().map(move |slot| (key, waiter, slot)));
        // Who comes, or wants something else, or wants none of what was offered, looks for what lies free.
        let looking = changes.iter().filter(|change| change.looks(scene.times.1));
        let looking = looking.filter_map(|change| Some((change.key, self.0.get(change.key)?)));
        let looking = looking.filter(|(_, waiter)| waiter.offer.is_none());
        let seen = looking.flat_map(|(key, waiter)| scene.were_free.iter().map(move |slot| (key, waiter, slot)));
        let passed = left.chain(seen).filter(|(key, waiter, slot)| scene.can_be(key, waiter, slot));
        wrong.extend(passed.map(|(key, waiter, slot)| format!("{slot} lies free, and {key} waits for it: {waiter:?}")));
        wrong
    }

    fn waiting(&self) -> impl Iterator<Item = (&str, &Waiter)> {
        let waiting = self.0.iter().filter(|(_, waiter)| waiter.offer.is_none());
        waiting.map(|(key, waiter)| (key.as_str(), waiter))
    }

    /// Takes an appointment as it is now, and says what it is offered since.
    fn turn<'a>(&mut self, change: &'a Change<'a>, scene: &Scene<'_>, wrong: &mut Vec<String>) -> Option<Offer<'a>> {
        let was = self.0.remove(change.key);
        let resource = change.resource.filter(|it| ["waitlist", "proposed"].iter().any(|on| it["status"] == *on))?;
        let offer = (resource["status"] == "proposed").then(|| resource["slot"][0]["reference"].as_str());
        let offer = offer.map(|slot| slot.expect("a slot").to_owned());
        let (earlier, had) = was.map_or((None, None), |was| (Some((was.since, was.offered)), was.offer));
        let is_back = had.is_some() && had != offer;
        let found: Vec<_> = said(resource, WAITING_SINCE).collect();
        let found = (found.join(" "), said(resource, OFFERED).collect::<Vec<_>>());
        // At the end, after all who wait already, is who comes and who comes back.
        let is_now = scene.times.0 <= found.0.as_str() && found.0.as_str() <= scene.times.1;
        let is_last = is_back || earlier.is_none();
        let (since, mut offered) = earlier.unwrap_or_default();
        let since = match (is_last, is_now) {
            (true, true) => found.0.clone(),
            (true, false) => "now".to_owned(),
            (false, _) => since,
        };
        let is_new = offer.is_some() && had != offer;
        offered.extend(offer.clone().filter(|_| is_new));
        if found != (since.clone(), offered.clone()) {
            wrong.push(format!("{} waits {found:?}, not since {since}, {offered:?}: {change:?}", change.key));
        }
        let waiter = Waiter { since, wish: Wish::of(resource), offered, offer: offer.clone() };
        self.0.insert(change.key.to_owned(), waiter);
        offer.filter(|_| is_new).map(|slot| Offer { slot, change })
    }

    /// Nobody is offered what is not wanted, or what was offered before, or before somebody who waits longer.
    fn permit(&self, offer: &Offer<'_>, changes: &[Change<'_>], scene: &Scene<'_>, wrong: &mut Vec<String>) {
        let (slot, key) = (&offer.slot, offer.change.key);
        let waiter = &self.0[key];
        if !waiter.wish.suits(slot) || waiter.offered.iter().filter(|it| *it == slot).count() > 1 {
            wrong.push(format!("{key} is offered {slot} in vain: {waiter:?}"));
        }
        let was_free = |other: &&String| scene.were_free.contains(*other);
        match offer.change.asked.is_empty() {
            true => {
                let others = self.waiting().filter(|(key, _)| changes.iter().all(|change| change.key != *key));
                let ahead = others.filter(|(_, other)| other.since < waiter.since);
                let ahead = ahead.filter(|(key, other)| other.is_for(slot) && scene.can_come(key, other, slot));
                wrong.extend(
                    ahead.map(|(other, it)| format!("{key} is offered {slot} before {other}: {it:?} {waiter:?}")),
                );
                if !scene.given.contains(slot) {
                    wrong.push(format!("{key} is offered {slot}, which nobody has given back"));
                }
            }
            false if !was_free(&slot) => wrong.push(format!("{key} is offered {slot}, which was not free")),
            false => {
                let earlier = scene.were_free.iter().filter(|it| world::of(it).times() < world::of(slot).times());
                let earlier = earlier.filter(|it| waiter.wish.has_one_period() && scene.can_be(key, waiter, it));
                wrong.extend(earlier.map(|it| format!("{key} is offered {slot}, and {it} lies free: {waiter:?}")));
            }
        }
    }

    /// One tells each patient of the offer, which stands as long as is said.
    fn tell(&self, offer: &Offer<'_>, scene: &Scene<'_>, told: &mut Vec<&Value>, wrong: &mut Vec<String>) {
        let (key, visit, slot) = (offer.change.key, &scene.visits[offer.change.key], world::of(&offer.slot));
        let resource = offer.change.resource.expect("what is offered");
        let until = visit.until.as_deref().unwrap_or_default();
        for patient in self.0[key].wish.patients() {
            let is_it = |it: &&Value| it["subject"]["reference"] == **patient && it["about"][0]["reference"] == key;
            let Some(at) = told.iter().position(is_it) else {
                wrong.push(format!("{patient} is not told of {resource}"));
                continue;
            };
            let one = told.remove(at);
            let sent = one["sent"].as_str().unwrap_or_default();
            let text = one["payload"][0]["contentString"].as_str().unwrap_or_default();
            let instant = |text: &str| DateTime::parse(text).map(|time| time.range().0.as_millis());
            let stands = instant(until).zip(instant(sent)).map(|(until, sent)| until - sent);
            let is_right = stands == Some(OFFER.as_millis() as i64)
                && scene.times.0 <= sent
                && sent <= scene.times.1
                && text.contains(&slot.times().0)
                && text.contains(until)
                && one["recipient"][0]["reference"] == **patient;
            if !is_right {
                wrong.push(format!("{key} is told {one}: {resource}"));
            }
        }
        let participants = resource["participant"].as_array().into_iter().flatten();
        let mut patients = participants.filter(|it| it["actor"]["reference"].as_str().is_some_and(is_patient));
        let (start, end) = slot.times();
        if patients.any(|it| it["status"] != "needs-action") || resource["start"] != start || resource["end"] != end {
            wrong.push(format!("{key} is offered {}: {resource}", slot.id));
        }
    }
}

/// Whether an appointment came from the list.
pub(super) fn has_waited(appointment: &Value) -> bool {
    said(appointment, WAITING_SINCE).next().is_some()
}

fn is_patient(reference: &str) -> bool {
    reference.starts_with("Patient/")
}

impl Change<'_> {
    /// Whether somebody asks who waits from now on, and did not leave an offer unanswered until `time`.
    fn looks(&self, time: &str) -> bool {
        !self.asked.is_empty() && !self.before.as_ref().is_some_and(|before| before.is_over(time))
    }
}

impl Waiter {
    /// Whether it waits for this slot, and was not offered it.
    fn is_for(&self, slot: &String) -> bool {
        self.wish.suits(slot) && !self.offered.contains(slot)
    }
}

impl Scene<'_> {
    /// Whether a slot lies free that this one waits for.
    fn can_be(&self, key: &str, waiter: &Waiter, slot: &String) -> bool {
        self.are_free.contains(slot) && waiter.is_for(slot) && self.can_come(key, waiter, slot)
    }

    /// Whether nobody who takes part is elsewhere then, for certain: holds end meanwhile.
    fn can_come(&self, key: &str, waiter: &Waiter, slot: &str) -> bool {
        let at = Place::of(waiter.wish.participants.clone(), [slot.to_owned()].into(), world::of(slot).times());
        let mut others = self.visits.iter().filter(|(other, visit)| *other != key && visit.takes_time(self.times.0));
        others.all(|(_, other)| at.in_both(&other.at).is_none())
    }
}
