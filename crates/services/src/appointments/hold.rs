//! Holds: appointments that are not booked and hold their slots until a time.
//!
//! A hold is `pending` or `proposed`, names slots and says until when. `pending` is what a caller asked for while the booking is completed;
//! `proposed` is an offer, which staff make. After its time it holds nothing, whether or not the slots were given back already.

use fhir::json::{Document, Node, quote};
use fhir::{DateTime, Instant, Outcome};
use repository::{Key, Millis, Transaction};

use super::refusal::Reason;
use super::resource::{Entry, with};
use super::{actor, staff, status};

/// The extension that says until when an appointment holds its slots.
pub(super) const HELD_UNTIL: &str = "https://flint.example/fhir/StructureDefinition/held-until";

/// How long a hold lasts that does not say how long, and how long one may last, in milliseconds.
const DURATION: Millis = 300_000;
const DURATION_MAX: Millis = 900_000;

/// Whether an appointment is a hold, over or not.
pub(super) fn is_hold(appointment: Entry<'_>) -> bool {
    ["pending", "proposed"].contains(&&*appointment.status())
        && until(appointment).is_some()
        && !appointment.slots().is_empty()
}

/// Whether an appointment is a hold that is not over.
pub(super) fn is_alive(appointment: Entry<'_>, now: Millis) -> bool {
    is_hold(appointment) && until(appointment).is_some_and(|until| until > Instant::from_millis(now))
}

/// Whether an appointment is a hold that is over and was not ended yet.
pub(super) fn is_over(appointment: Entry<'_>, now: Millis) -> bool {
    is_hold(appointment) && !is_alive(appointment, now)
}

/// Whether a hold that is over ends by this change: it can always, whatever else may follow its state.
pub(super) fn ends(before: Entry<'_>, after: Entry<'_>, now: Millis) -> bool {
    is_over(before, now) && ["cancelled", "waitlist"].contains(&&*after.status())
}

/// Until when an appointment holds its slots, as it says.
pub(super) fn until(appointment: Entry<'_>) -> Option<Instant> {
    let value = appointment.extensions(HELD_UNTIL).next()?.get("valueInstant")?;
    Some(DateTime::parse(&value.as_str()?)?.range().0)
}

/// Until when an appointment that is stored as this holds its slots; `None` for one that is no hold.
pub(super) fn until_stored(body: &[u8]) -> Option<Instant> {
    // Almost none is, and reading costs more than looking.
    if !std::str::from_utf8(body).is_ok_and(|text| text.contains(HELD_UNTIL)) {
        return None;
    }
    let document = Document::parse(body).ok()?;
    Some(Entry::new(&document)).filter(|entry| is_hold(*entry)).and_then(until)
}

/// Gives a hold its time, and takes it from what is none; `None` when nothing is to be changed. Refuses whatever goes on with a hold that is
/// over.
pub(super) fn settle(
    transaction: &Transaction<'_>,
    before: Option<Entry<'_>>,
    after: &Document,
) -> Result<Option<Document>, Outcome> {
    let (entry, now) = (Entry::new(after), transaction.now());
    let may_hold = entry.status() == "pending" && !entry.slots().is_empty() || is_hold(entry);
    if transaction.is_import() {
        return Ok(None);
    }
    if let Some(before) = before.filter(|before| is_over(*before, now))
        && (may_hold || status::holds(&entry.status()))
    {
        let found = until(before).map_or(String::new(), |until| until.to_string());
        return Err(Reason::HoldOver.refuse(found, "Appointment.status"));
    }
    if !may_hold {
        let has_time = entry.extensions(HELD_UNTIL).next().is_some();
        return if has_time { Ok(Some(with_until(after, None)?)) } else { Ok(None) };
    }
    let earlier = before.filter(|before| is_hold(*before)).and_then(until);
    let said = until(entry);
    if said.is_none() && entry.extensions(HELD_UNTIL).next().is_some() {
        return Err(Reason::HoldTime.refuse("", "Appointment.extension"));
    }
    let until = said.or(earlier).unwrap_or_else(|| Instant::from_millis(whole_second(now + DURATION)));
    permit(transaction, entry, earlier, until)?;
    match said {
        Some(_) => Ok(None),
        None => Ok(Some(with_until(after, Some(until))?)),
    }
}

/// Refuses a time that a hold cannot have. Nobody is kept waiting by a hold that is put off again and again.
fn permit(
    transaction: &Transaction<'_>,
    hold: Entry<'_>,
    earlier: Option<Instant>,
    until: Instant,
) -> Result<(), Outcome> {
    let now = transaction.now();
    let refuse = |reason: Reason| Err(reason.refuse(until, "Appointment.extension"));
    let is_offer = hold.status() == "proposed";
    if is_offer && earlier.is_none() && !staff::asks(transaction) {
        return refuse(Reason::Offer);
    }
    if until <= Instant::from_millis(now) {
        return refuse(Reason::HoldTime);
    }
    match earlier {
        Some(earlier) if until > earlier => refuse(Reason::HoldLonger),
        None if !is_offer && until > Instant::from_millis(whole_second(now + DURATION_MAX)) => {
            refuse(Reason::HoldTooLong)
        }
        _ => Ok(()),
    }
}

/// The first whole second that is not before this.
pub(super) fn whole_second(time: Millis) -> Millis {
    time.saturating_add(999).div_euclid(1000) * 1000
}

/// Whether an appointment is a hold that a caller asked for, over or not.
pub(super) fn is_asked(appointment: Entry<'_>) -> bool {
    is_hold(appointment) && appointment.status() == "pending"
}

/// Lets a client have one hold at a time for each patient: `owner` instead of one that is none any more. `before` is the hold that it was, if it
/// was one: for its patients nothing is new.
pub(super) fn alone(
    transaction: &mut Transaction<'_>,
    owner: &Key,
    before: Option<Entry<'_>>,
    hold: Entry<'_>,
) -> Result<(), Outcome> {
    let client = transaction.requester().map_or(String::new(), |requester| requester.client.clone());
    let had = before.map(|before| actor::patients(transaction, before)).transpose()?.unwrap_or_default();
    for patient in actor::patients(transaction, hold)?.into_iter().filter(|patient| !had.contains(patient)) {
        let name = format!("hold/{patient}/{client}").into_bytes();
        if name.len() > actor::NAME_MAX {
            return Err(Reason::Name.refuse(name.len(), "Appointment.participant"));
        }
        let held = transaction.claimed(&name)?;
        let held = held.and_then(|value| Key::parse(std::str::from_utf8(&value).ok()?)).filter(|held| held != owner);
        if let Some(held) = held
            && let Some(other) = transaction.read(&held)?
            && is_asked(Entry::new(&other))
            && is_alive(Entry::new(&other), transaction.now())
            && actor::patients(transaction, Entry::new(&other))?.contains(&patient)
        {
            let found = if transaction.may_read(&held)? { held.as_str() } else { "another appointment" };
            return Err(Reason::SecondHold.refuse(found, "Appointment.participant"));
        }
        transaction.exchange(name, Some(owner.as_str().as_bytes().to_vec()))?;
    }
    Ok(())
}

/// The appointment with this time until which it is held, or without one.
fn with_until(appointment: &Document, until: Option<Instant>) -> Result<Document, Outcome> {
    let extensions = appointment.root().get("extension").into_iter().flat_map(Node::each);
    let others = extensions.filter(|it| !it.get("url").is_some_and(|url| url.is_str(HELD_UNTIL)));
    let mut extensions: Vec<_> = others.map(|it| it.raw().to_owned()).collect();
    if let Some(until) = until {
        extensions.push(format!(r#"{{"url":{},"valueInstant":"{until}"}}"#, quote(HELD_UNTIL)));
    }
    let extensions = (!extensions.is_empty()).then(|| format!("[{}]", extensions.join(",")));
    with(appointment, &[("extension", extensions)])
}
