use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::clients::{Answer, Deed};
use super::list::{Change, List, Scene, has_waited};
use super::seating::{Seating, Seats};
use super::timeline::Version;
use super::visit::{Visit, may_follow, until};

/// Of R5, as an extension: the appointment in whose place this one is booked.
pub(super) const REPLACES: &str = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Appointment.replaces";

/// Who told of a version, with the content as they told it.
type Told<'a> = HashMap<(String, u64), Vec<(&'a Answer, &'a Value)>>;

/// Everything as it is in the end, and what went wrong on the way.
#[derive(Default)]
pub(super) struct Replay {
    /// The newest version of each appointment and slot.
    pub(super) newest: BTreeMap<String, (u64, Option<Value>)>,
    pub(super) visits: BTreeMap<String, Visit>,
    pub(super) seatings: BTreeMap<String, Seating>,
    /// The slots and the holds that were over and not ended when others came to their seats.
    passed_on: BTreeSet<(String, String)>,
    list: List,
    pub(super) wrong: Vec<String>,
}

/// Does again what was written, in order.
pub(super) fn replay(commits: &[Vec<Version>], answers: &[Answer]) -> Replay {
    let mut told = Told::new();
    for answer in answers {
        for (key, number, content) in &answer.told {
            told.entry((key.clone(), *number)).or_default().push((answer, content));
        }
    }
    let mut replay = Replay::default();
    for commit in commits {
        replay.commit(commit, &mut told);
    }
    for ((key, number), answers) in told {
        replay.wrong.push(format!("{key} has no version {number}, of which was told: {:?}", answers[0].0));
    }
    replay.wrong.extend(answers.iter().filter_map(outlived));
    replay
}

/// A hold that was told of when it was over.
fn outlived(answer: &Answer) -> Option<String> {
    let content = answer.told.iter().map(|(_, _, content)| content);
    let is_over = |it: &Value| {
        ["pending", "proposed"].iter().any(|held| it["status"] == *held)
            && until(it).is_some_and(|until| until <= answer.sent)
    };
    content.filter(|it| is_over(it)).map(|_| format!("a hold was over and stood: {}: {answer:?}", answer.asked)).next()
}

impl Replay {
    fn commit(&mut self, commit: &[Version], told: &mut Told<'_>) {
        let time = &commit[0].time;
        let were_free = self.free();
        let responses = self.responses(commit, told);
        let replaced = self.replaced(commit);
        let mut touched = BTreeSet::new();
        let (mut given, mut came) = (BTreeSet::new(), BTreeSet::new());
        let mut changes = Vec::new();
        let mut asked = Vec::new();
        for version in commit.iter().filter(|version| version.is("Appointment")) {
            let mut its = self.version(version, told);
            its.extend(responses.get(&version.key).into_iter().flatten());
            let before = self.visits.remove(&version.key);
            self.passed_on.retain(|(_, hold)| *hold != version.key);
            let after = version.resource.as_ref().map(Visit::of);
            match replaced.contains(&version.key) && its.is_empty() {
                true => self.explain_replaced(version, before.as_ref(), after.as_ref()),
                false => self.explain(version, &its, before.as_ref(), after.as_ref()),
            }
            for visit in before.iter().chain(&after) {
                touched.extend(visit.at.slots.iter().cloned());
            }
            let stays = |slot: &&String| after.as_ref().is_some_and(|it| it.is_seated() && it.at.slots.contains(*slot));
            let had = before.iter().filter(|before| before.is_seated()).flat_map(|before| &before.at.slots);
            given.extend(had.filter(|slot| !stays(slot)).cloned());
            let was_there = |slot: &&String| {
                before.as_ref().is_some_and(|before| before.is_seated() && before.at.slots.contains(*slot))
            };
            let has = after.iter().filter(|after| after.is_seated()).flat_map(|after| &after.at.slots);
            came.extend(has.filter(|slot| !was_there(slot)).cloned());
            if let Some(after) = after {
                self.visits.insert(version.key.clone(), after);
            }
            asked.extend(its.iter().copied());
            changes.push(Change { key: &version.key, resource: version.resource.as_ref(), before, asked: its });
        }
        let (mut sent, mut brought) = (BTreeSet::new(), BTreeSet::new());
        for version in commit.iter().filter(|version| version.is("Slot")) {
            let told = self.version(version, told);
            if self.is_sent(version) {
                if self.sent(version, &told, came.contains(&version.key)) {
                    brought.insert(version.key.clone());
                }
                sent.insert(version.key.clone());
            } else {
                self.slot(version, &told, touched.contains(&version.key));
            }
            asked.extend(told);
        }
        for slot in touched.union(&sent) {
            if let Some(capacity) = self.seatings.get(slot).map(|seating| seating.capacity) {
                self.pass_on(time, slot, capacity);
            }
            let seats = self.seats(slot);
            let wrong = match self.seatings.get_mut(slot) {
                Some(seating) if sent.contains(slot) => seating.wrong(),
                Some(seating) => seating.seat(seats).or_else(|| seating.wrong()),
                None => self.stands(time, &seats).then(|| format!("is not there, and has {seats:?}")),
            };
            self.wrong.extend(wrong.map(|text| format!("{time} {slot} {text}")));
        }
        for change in &changes {
            let slots = self.visits.get(change.key).map(|visit| &visit.at.slots);
            // What was booked elsewhere is so, whoever is where.
            if slots.is_none_or(|slots| slots.is_empty() || !slots.is_subset(&brought)) {
                // Whoever asked in time is served, also when time went by meanwhile.
                let since = change.asked.iter().map(|answer| &answer.sent).min().unwrap_or(time);
                self.overlaps((since, time), change.key, change.before.as_ref());
            }
        }
        given.extend(sent.difference(&were_free).cloned());
        let communications = commit.iter().filter(|version| version.is("Communication"));
        let communications: Vec<_> = communications
            .filter_map(|version| {
                self.version(version, told);
                version.resource.as_ref()
            })
            .collect();
        let over = changes.iter().filter_map(|change| change.before.as_ref()).filter(|before| before.is_over(time));
        let ended = over.filter_map(|before| before.until.as_ref());
        let since = asked.iter().map(|answer| &answer.sent).chain(ended).min().unwrap_or(time);
        let are_free = self.free();
        let scene = Scene { times: (since, time), visits: &self.visits, were_free, are_free, given, communications };
        let wrong = self.list.commit(&changes, &scene);
        let written = || commit.iter().map(|it| format!("{}/{}", it.key, it.number)).collect::<Vec<_>>().join(" ");
        self.wrong.extend(wrong.into_iter().map(|text| format!("{time} ({}) {text}", written())));
    }

    /// The appointments in whose place others are booked; none of them stands beside the other.
    fn replaced(&mut self, commit: &[Version]) -> BTreeSet<String> {
        let mut all = BTreeSet::new();
        for version in commit.iter().filter(|version| version.is("Appointment")) {
            let before = self.newest.get(&version.key).and_then(|(_, before)| before.as_ref());
            let Some(booked) = version.resource.as_ref().filter(|it| it["status"] == "booked") else { continue };
            let mut extensions = booked["extension"].as_array().into_iter().flatten();
            let Some(replaces) = extensions.find(|it| it["url"] == REPLACES) else { continue };
            if before.is_some_and(|before| before["status"] == "booked") {
                continue;
            }
            let key = replaces["valueReference"]["reference"].as_str().expect("a reference");
            let after = commit.iter().find(|version| version.key == key).and_then(|version| version.resource.as_ref());
            let stood = self.newest.get(key).and_then(|(_, resource)| resource.as_ref());
            let is_same = stood.is_some_and(|stood| Visit::of(stood).at.patients == Visit::of(booked).at.patients);
            let stands = ["waitlist", "proposed", "pending", "booked"];
            let ends = after.or(stood).is_some_and(|it| stands.iter().all(|status| it["status"] != *status));
            if !is_same || !ends {
                self.wrong.push(format!("{} {booked} is booked instead of {stood:?}: {after:?}", version.time));
            }
            all.insert(key.to_owned());
        }
        all
    }

    /// What is replaced is cancelled by the patient.
    fn explain_replaced(&mut self, version: &Version, before: Option<&Visit>, after: Option<&Visit>) {
        let codes = version.resource.as_ref().map(|it| &it["cancelationReason"]["coding"][0]["code"]);
        let could = before.is_some_and(|before| may_follow(&before.status, "cancelled"));
        if !could || after.is_none_or(|after| after.status != "cancelled") || codes.is_none_or(|code| code != "pat") {
            self.wrong.push(format!("{} is replaced: {before:?} {:?}", version.time, version.resource));
        }
    }

    /// The slots that are free.
    fn free(&self) -> BTreeSet<String> {
        let free = self.seatings.iter().filter(|(_, seating)| seating.version["status"] == "free");
        free.map(|(slot, _)| slot.clone()).collect()
    }

    /// Who responds to which appointment. Each response of a patient to an offer has done what it says.
    fn responses<'a>(&mut self, commit: &[Version], told: &mut Told<'a>) -> BTreeMap<String, Vec<&'a Answer>> {
        let mut responses = BTreeMap::new();
        for version in commit.iter().filter(|version| version.is("AppointmentResponse")) {
            let asked = self.version(version, told);
            let Some(response) = &version.resource else { continue };
            let text = |pointer: &str| response.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            let key = text("/appointment/reference");
            let Some(stood) = self.newest.get(key).and_then(|(_, resource)| resource.as_ref()) else {
                self.wrong.push(format!("{} nobody can respond to what is not there: {response}", version.time));
                continue;
            };
            let after = commit.iter().find(|version| version.key == key).and_then(|it| it.resource.as_ref());
            let status = after.map_or("", |it| it["status"].as_str().unwrap_or_default());
            let expected = if text("/participantStatus") == "accepted" { "booked" } else { "waitlist proposed" };
            let is_done = stood["status"] == "proposed" && expected.split(' ').any(|it| it == status);
            // Whoever it is given to meanwhile, or who made another of it, was not asked: nothing becomes of that.
            let is_asked = has_waited(stood) && self.visits[key].at.patients.contains(text("/actor/reference"));
            if asked.is_empty() || is_done != is_asked || after.is_some() != is_asked {
                self.wrong.push(format!("{} {response} was sent by {asked:?}: {stood} {after:?}", version.time));
            }
            responses.insert(key.to_owned(), asked);
        }
        responses
    }

    /// Numbers follow each other, and what was told of a version is what it is. Takes what was told.
    fn version<'a>(&mut self, version: &Version, told: &mut Told<'a>) -> Vec<&'a Answer> {
        let Version { key, number, resource, time } = version;
        let before = self.newest.insert(key.clone(), (*number, resource.clone())).map_or(0, |(before, _)| before);
        if *number != before + 1 {
            self.wrong.push(format!("{time} {key}: version {number} follows {before}"));
        }
        let told = told.remove(&(key.clone(), *number)).unwrap_or_default();
        for (answer, content) in &told {
            if resource.as_ref().unwrap_or(&Value::Null) != *content {
                self.wrong.push(format!("{time} {key}: version {number} is {resource:?}, told was {answer:?}"));
            }
        }
        told.into_iter().map(|(answer, _)| answer).filter(|answer| answer.deed != Deed::Look).collect()
    }

    /// Each state comes after one that it may follow, and somebody asked for it, or a hold was over.
    fn explain(&mut self, version: &Version, asked: &[&Answer], before: Option<&Visit>, after: Option<&Visit>) {
        let (place, time) = (format!("{} {}/{}", version.time, version.key, version.number), &version.time);
        if let (Some(before), Some(after)) = (before, after)
            && !may_follow(&before.status, &after.status)
        {
            self.wrong.push(format!("{place}: from {} to {}", before.status, after.status));
        }
        let has_ended = before.is_some_and(|before| before.is_over(time))
            && version.resource.as_ref().is_some_and(|it| match &*before.expect("what was over").status {
                "proposed" => it["status"] == "waitlist",
                _ => {
                    it["status"] == "cancelled" && it["cancelationReason"]["text"] == "not booked before the hold ended"
                }
            });
        // Whether it may be is said by the waiting list.
        let is_offered =
            before.is_some_and(|it| it.status == "waitlist") && after.is_some_and(|it| it.status == "proposed");
        if asked.is_empty() && !has_ended && !is_offered {
            self.wrong.push(format!("{place}: nobody asked for {:?}", version.resource));
        }
        let goes_on = after.is_some_and(Visit::is_seated);
        if goes_on
            && let Some(before) = before
            && !asked.is_empty()
            && asked.iter().all(|answer| before.is_over(&answer.sent))
        {
            self.wrong.push(format!("{place}: held until {:?} and went on: {asked:?}", before.until));
        }
    }

    /// Whether a practice sent this version of a slot.
    fn is_sent(&self, version: &Version) -> bool {
        let seating = self.seatings.get(&version.key);
        version.resource.as_ref().is_some_and(|resource| seating.is_none_or(|seating| seating.is_sent(resource)))
    }

    /// Takes a version of a slot that the server made of the one before, or that it is deleted.
    fn slot(&mut self, version: &Version, asked: &[&Answer], is_touched: bool) {
        let Version { key, resource, time, .. } = version;
        let seats = self.seats(key);
        let Some(resource) = resource else {
            if asked.is_empty() || self.stands(time, &seats) {
                self.wrong.push(format!("{time} {key} was deleted by {asked:?}, and has {seats:?}"));
            }
            self.seatings.remove(key);
            return;
        };
        let Some(seating) = self.seatings.get_mut(key) else { return };
        if !is_touched || bare(resource) != bare(&seating.version) {
            self.wrong.push(format!("{time} {key} was changed for nobody: {resource} was {}", seating.version));
        }
        seating.version = resource.clone();
    }

    /// Takes a slot as a practice sends it; whether it is busy by what was booked elsewhere and comes with it.
    fn sent(&mut self, version: &Version, asked: &[&Answer], comes: bool) -> bool {
        let Version { key, time, number, resource } = version;
        let resource = resource.as_ref().expect("what was sent");
        if asked.is_empty() && *number > 1 {
            self.wrong.push(format!("{time} {key} was sent by nobody: {resource}"));
        }
        let was_free = self.seatings.get(key).is_none_or(|before| before.version["status"] == "free");
        let is_free = Seating::said(resource) == "free";
        let (all, capacity) = (self.seats(key), Seating::capacity(resource));
        if comes {
            self.pass_on(time, key, capacity);
        }
        let seats = self.seats(key);
        // Holds that are over give their seats.
        let has_passed = seats.len() < all.len();
        if comes && (seats.len() > capacity || !(is_free || was_free || has_passed)) {
            self.wrong.push(format!("{time} {key} was not free, and somebody came: {seats:?} {resource}"));
        }
        let seating = Seating::sent(resource.clone(), seats);
        self.seatings.insert(key.clone(), if comes && has_passed { seating.taken_over() } else { seating });
        comes && was_free && !is_free
    }

    fn seats(&self, slot: &str) -> Seats {
        let seated = self.visits.iter().filter(|(_, visit)| visit.is_seated() && visit.at.slots.contains(slot));
        let seated = seated.filter(|(key, _)| !self.passed_on.contains(&(slot.to_owned(), (*key).clone())));
        seated.map(|(key, visit)| (key.clone(), visit.is_hold())).collect()
    }

    /// Whether somebody has a seat whose time has not passed.
    fn stands(&self, time: &str, seats: &Seats) -> bool {
        seats.keys().any(|owner| !self.visits[owner].is_over(time))
    }

    /// Whoever comes to a full slot has the seats of the holds that are over, of the one first that was over first.
    fn pass_on(&mut self, time: &str, slot: &str, capacity: usize) {
        let seats = self.seats(slot);
        let had = self.seatings.get(slot).map(|seating| &seating.seats);
        if seats.keys().all(|owner| had.is_some_and(|had| had.contains_key(owner))) {
            return;
        }
        let over = seats.keys().filter(|owner| self.visits[*owner].is_over(time));
        let mut over: Vec<_> = over.map(|owner| (self.visits[owner].until.clone(), owner.clone())).collect();
        over.sort();
        let needed = seats.len().saturating_sub(capacity);
        self.passed_on.extend(over.into_iter().take(needed).map(|(_, owner)| (slot.to_owned(), owner)));
    }

    /// Whoever came to a time is nowhere else, and has no other hold. Asked was it at the first of the times, and done at the second.
    fn overlaps(&mut self, (since, time): (&str, &str), key: &str, before: Option<&Visit>) {
        let Some(visit) = self.visits.get(key).filter(|visit| visit.takes_time(time)) else { return };
        let was_there = before.is_some_and(|before| before.takes_time(since) && before.at == visit.at);
        let is_asked = |visit: &Visit| visit.status == "pending" && visit.takes_time(time);
        let had_hold = before.is_some_and(|it| is_asked(it) && it.at.patients == visit.at.patients);
        for (other_key, other) in self.visits.iter().filter(|(other, visit)| *other != key && visit.takes_time(time)) {
            // Whoever stays where they were is not asked again.
            let stays = |who: &String| before.is_some_and(|it| it.takes_time(since) && it.at.has(who, &visit.at));
            if !was_there && let Some(who) = visit.at.in_both(&other.at).filter(|who| !stays(who)) {
                self.wrong.push(format!("{time} {who} is in {key} and {other_key}: {visit:?} {other:?}"));
            }
            if is_asked(visit) && is_asked(other) && !had_hold && !visit.at.patients.is_disjoint(&other.at.patients) {
                self.wrong.push(format!("{time} {key} and {other_key} are two holds of one patient"));
            }
        }
    }
}

/// A slot without what the server changes.
fn bare(slot: &Value) -> Value {
    let mut slot = slot.clone();
    for name in ["status", "overbooked", "meta"] {
        slot.as_object_mut().expect("an object").remove(name);
    }
    slot
}
