//! How many appointments one organisation holds on a schedule.

use std::collections::BTreeMap;

use fhir::Outcome;
use fhir::json::Node;
use repository::{Key, Millis, Planned, Rule, Transaction};

use super::booker::{Books, UNNAMED};
use super::refusal::Reason;
use super::resource::Entry;
use super::{booking, status};

/// How many each organisation may hold, on a Schedule.
const BOOKING_LIMIT: &str = "https://flint.example/fhir/StructureDefinition/booking-limit";

/// A higher limit is kept as this one: what an organisation holds on a schedule is one stored value.
const LIMIT_MAX: usize = 1000;

/// An organisation holds no more appointments that have not ended on a schedule than the schedule says. The organisation is the client's, and
/// all clients that are nobody's are as one. What the practice books is counted for whom it says, and not when it names nobody.
/// <https://developer.nhs.uk/apis/gpconnect-1-2-7/appointments_slotavailabilitymanagement.html>
///
/// Each schedule has a list for each organisation under one name, so that bookings at the same time see one another; each appointment has the
/// lists on which it stands.
#[derive(Debug)]
pub(crate) struct BookingLimit;

impl Rule for BookingLimit {
    fn name(&self) -> &'static str {
        "booking-limit"
    }

    fn resource_types(&self) -> &'static [&'static str] {
        &["Appointment"]
    }

    fn apply(&self, transaction: &mut Transaction<'_>, planned: &Planned) -> Result<(), Outcome> {
        let takes = |entry: &Entry<'_>| status::takes(&entry.status());
        let before = planned.before.as_deref().map(Entry::new).filter(takes);
        let after = planned.after.as_deref().map(Entry::new).filter(takes);
        if let (Some(before), Some(after)) = (before, after)
            && before.slots() == after.slots()
        {
            return Ok(());
        }
        let place = place(&planned.key);
        let stood = match before {
            Some(_) => read(transaction, &place)?,
            None => None,
        };
        let stands = match after {
            Some(after) => lists(transaction, after, stood.as_deref())?,
            None => BTreeMap::new(),
        };
        let stood: Vec<_> = stood.iter().flat_map(|stood| stood.lines()).collect();
        for list in stood.iter().filter(|list| !stands.contains_key(**list)) {
            change(transaction, list, |held| held.retain(|line| !is_of(line, &planned.key)))?;
        }
        let end = after.and_then(|after| after.instant("end")).map_or(Millis::MAX, |end| end.as_millis());
        for (list, limit) in stands.iter().filter(|(list, _)| !stood.contains(&list.as_str())) {
            let count = change(transaction, list, |held| held.push(format!("{end} {}", planned.key)))?;
            if count > *limit && !transaction.is_import() {
                return Err(Reason::Limit.refuse(limit, "Appointment.slot"));
            }
        }
        if stood.is_empty() && stands.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = stands.into_keys().collect();
        transaction.exchange(place, (!names.is_empty()).then(|| names.join("\n").into_bytes()))
    }
}

/// The lists on which an appointment is to stand, each with its limit.
fn lists(
    transaction: &mut Transaction<'_>,
    appointment: Entry<'_>,
    stood: Option<&str>,
) -> Result<BTreeMap<String, usize>, Outcome> {
    let mut limits = BTreeMap::new();
    for (_, slot) in booking::named(transaction, appointment) {
        let Some(slot) = transaction.read(&slot)? else { continue };
        let Some(schedule) = transaction.local(&Entry::new(&slot).schedule()) else { continue };
        let limit = transaction.read(&schedule)?.and_then(|schedule| limit(Entry::new(&schedule)));
        limits.extend(limit.map(|limit| (schedule, limit)));
    }
    if limits.is_empty() {
        return Ok(BTreeMap::new());
    }
    let booked = stood.and_then(|stood| stood.lines().next()?.split_once('\t')).map(|(_, name)| name.to_owned());
    let organization = match (Books::of(transaction, appointment)?, booked) {
        // Whoever moves it, it stays with the organisation that booked it, unless the practice says another.
        (Books::Practice(None) | Books::Client(_) | Books::Anybody, Some(booked)) => booked,
        (Books::Practice(None), None) => return Ok(BTreeMap::new()),
        (Books::Practice(Some(booker)) | Books::Client(booker), _) => booker.name(),
        // For whom it says that it books, nobody vouches.
        (Books::Anybody, None) => UNNAMED.to_owned(),
    };
    let list = |(schedule, limit): (Key, usize)| (format!("{}\t{organization}", schedule.id()), limit);
    Ok(limits.into_iter().map(list).collect())
}

fn limit(schedule: Entry<'_>) -> Option<usize> {
    let value = schedule.extensions(BOOKING_LIMIT).next()?.get("valuePositiveInt").map(Node::raw)?;
    Some(value.parse().unwrap_or(LIMIT_MAX).min(LIMIT_MAX))
}

/// Changes a list, from which all that has ended goes; how many stand on it then.
fn change(
    transaction: &mut Transaction<'_>,
    list: &str,
    edit: impl FnOnce(&mut Vec<String>),
) -> Result<usize, Outcome> {
    let name = format!("limit/list/{list}").into_bytes();
    let text = read(transaction, &name)?.unwrap_or_default();
    let now = transaction.now();
    let ends = |line: &str| line.split(' ').next().and_then(|end| end.parse::<Millis>().ok());
    let mut held: Vec<_> = text.lines().filter(|line| ends(line) > Some(now)).map(str::to_owned).collect();
    edit(&mut held);
    let count = held.len();
    transaction.exchange(name, (count > 0).then(|| held.join("\n").into_bytes()))?;
    Ok(count)
}

fn read(transaction: &mut Transaction<'_>, name: &[u8]) -> Result<Option<String>, Outcome> {
    Ok(transaction.claimed(name)?.and_then(|value| String::from_utf8(value).ok()))
}

fn is_of(line: &str, appointment: &Key) -> bool {
    line.split_once(' ').is_some_and(|(_, key)| key == appointment.as_str())
}

/// The name of the lists on which an appointment stands.
fn place(appointment: &Key) -> Vec<u8> {
    format!("limit/of/{}", appointment.id()).into_bytes()
}
