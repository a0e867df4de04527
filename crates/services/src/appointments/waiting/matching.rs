//! Who waits for a slot like this one.

use std::collections::BTreeSet;

use fhir::json::{Document, Node};
use fhir::{DateTime, Instant, Outcome};
use repository::{Key, Transaction, query_string};

use super::entry::{WAITING_SINCE, was_offered};
use crate::appointments::resource::{Entry, is_patient};

/// How many of those who wait for the practitioner, place or service, and of those who wait for the kind of service, are looked at.
const CANDIDATES_MAX: usize = 200;

/// How many free slots are looked at for who comes to the list: in each period, of the practitioner, place or service, else of the kind of service.
const FREE_MAX: usize = 20;

/// In how many of the periods that somebody asks for.
const PERIODS_MAX: usize = 5;

/// A slot that is free, as those who wait would have it.
pub(super) struct Vacancy<'a> {
    pub(super) key: &'a Key,
    pub(super) start: Instant,
    end: Instant,
    /// The actors of its schedule.
    actors: BTreeSet<String>,
    kinds: BTreeSet<String>,
    channel: BTreeSet<String>,
}

impl<'a> Vacancy<'a> {
    /// `None` for a slot that is not free or not to come, or of no schedule of this server.
    pub(super) fn new(
        transaction: &mut Transaction<'_>,
        key: &'a Key,
        slot: &Document,
    ) -> Result<Option<Vacancy<'a>>, Outcome> {
        let entry = Entry::new(slot);
        let (Some(start), Some(end)) = (entry.instant("start"), entry.instant("end")) else { return Ok(None) };
        if entry.status() != "free" || start <= Instant::from_millis(transaction.now()) {
            return Ok(None);
        }
        let Some(schedule) = transaction.local(&entry.schedule()) else { return Ok(None) };
        let Some(schedule) = transaction.read(&schedule)? else { return Ok(None) };
        let schedule = Entry::new(&schedule);
        let actors = schedule.actors().filter_map(|actor| local(transaction, actor)).map(|key| key.to_string());
        let actors = actors.collect();
        let mut kinds: BTreeSet<_> = entry.service_types().into_iter().collect();
        if kinds.is_empty() {
            kinds = schedule.service_types().into_iter().collect();
        }
        let channel = entry.channel().into_iter().collect();
        Ok(Some(Vacancy { key, start, end, actors, kinds, channel }))
    }

    /// Those who wait for it and were not offered it, who waits longest first.
    pub(super) fn candidates(&self, transaction: &mut Transaction<'_>) -> Result<Vec<Key>, Outcome> {
        // Texts are no tokens.
        let kinds: Vec<_> = self.kinds.iter().filter(|kind| kind.contains('|')).map(String::as_str).collect();
        let actors: Vec<_> = self.actors.iter().map(String::as_str).collect();
        let mut found: BTreeSet<Key> = BTreeSet::new();
        for (name, values) in [("actor", actors), ("service-type", kinds)] {
            if !values.is_empty() {
                let narrowed = query_string([(name, values.join(",").as_str())]);
                let (start, end) = (self.start, self.end);
                let period = format!("requested-period=le{start}&requested-period=ge{end}");
                let query = format!("status=waitlist&{period}&{narrowed}&_sort=waiting-since");
                found.extend(transaction.lookup("Appointment", &query, CANDIDATES_MAX)?);
            }
        }
        let mut suitable = Vec::new();
        for key in found {
            if let Some(appointment) = transaction.read(&key)?
                && self.suits(transaction, &appointment)
            {
                suitable.push((since(Entry::new(&appointment)), key));
            }
        }
        suitable.sort();
        Ok(suitable.into_iter().map(|(_, key)| key).collect())
    }

    /// Whether an appointment waits for this: at that time, for all whom it names, for the kind of service and the channel where it says so.
    pub(super) fn suits(&self, transaction: &Transaction<'_>, appointment: &Document) -> bool {
        let entry = Entry::new(appointment);
        let wanted = wanted(transaction, appointment);
        let kinds = entry.service_types();
        let says_what = !wanted.is_empty() || !kinds.is_empty();
        let channel: BTreeSet<_> = entry.channel().into_iter().collect();
        says_what
            && entry.status() == "waitlist"
            && !was_offered(entry, self.key)
            && self.is_within_a_period(appointment)
            && self.is_long_enough(appointment)
            && wanted.iter().all(|actor| actor.as_ref().is_some_and(|actor| self.actors.contains(actor)))
            && (kinds.is_empty() || kinds.iter().any(|kind| self.kinds.contains(kind)))
            && (channel.is_empty() || channel == self.channel)
    }

    fn is_within_a_period(&self, appointment: &Document) -> bool {
        let mut periods = appointment.root().get("requestedPeriod").into_iter().flat_map(Node::each);
        periods.any(|period| {
            range(period, "start").is_none_or(|(start, _)| start <= self.start)
                && range(period, "end").is_none_or(|(_, end)| self.end <= end)
        })
    }

    fn is_long_enough(&self, appointment: &Document) -> bool {
        let minutes = appointment.root().get("minutesDuration").and_then(|it| it.raw().parse::<i64>().ok());
        minutes.is_none_or(|minutes| self.end.0 - self.start.0 >= minutes.saturating_mul(60_000_000))
    }
}

/// The free slots that who waits may want, the earliest of each period first.
pub(super) fn free(transaction: &Transaction<'_>, appointment: &Document) -> Result<Vec<Key>, Outcome> {
    let kinds: Vec<_> = Entry::new(appointment).service_types().into_iter().filter(|kind| kind.contains('|')).collect();
    let kinds = kinds.join(",");
    let narrowed = match &wanted(transaction, appointment)[..] {
        [Some(actor), ..] => vec![query_string([("schedule.actor", actor.as_str())])],
        [] if !kinds.is_empty() => {
            ["service-type", "schedule.service-type"].map(|name| query_string([(name, kinds.as_str())])).into()
        }
        _ => return Ok(Vec::new()),
    };
    let now = Instant::from_millis(transaction.now());
    let mut found = Vec::new();
    for period in appointment.root().get("requestedPeriod").into_iter().flat_map(Node::each).take(PERIODS_MAX) {
        let from = range(period, "start").map_or(now, |(start, _)| start.max(now));
        let until = range(period, "end").map(|(_, end)| format!("&end=le{end}")).unwrap_or_default();
        for narrowed in &narrowed {
            let query = format!("status=free&start=ge{from}{until}&{narrowed}&_sort=start");
            for slot in transaction.lookup("Slot", &query, FREE_MAX)? {
                if !found.contains(&slot) {
                    found.push(slot);
                }
            }
        }
    }
    Ok(found)
}

/// Whom an appointment names beside patients; `None` for who is not of this server.
fn wanted(transaction: &Transaction<'_>, appointment: &Document) -> Vec<Option<String>> {
    let participants = appointment.root().get("participant").into_iter().flat_map(Node::each);
    let actors = participants.filter_map(|participant| participant.get("actor")).filter(|actor| !is_patient(*actor));
    actors.map(|actor| local(transaction, actor).map(|key| key.to_string())).collect()
}

fn range(period: Node<'_>, name: &str) -> Option<(Instant, Instant)> {
    Some(DateTime::parse(&period.get(name)?.as_str()?)?.range())
}

/// Since when an appointment waits; the end of time for one that does not say.
fn since(appointment: Entry<'_>) -> Instant {
    let value = appointment.extensions(WAITING_SINCE).next().and_then(|it| it.get("valueInstant")?.as_str());
    value.and_then(|text| DateTime::parse(&text)).map_or(Instant(i64::MAX), |time| time.range().0)
}

fn local(transaction: &Transaction<'_>, reference: Node<'_>) -> Option<Key> {
    transaction.local(&reference.get("reference")?.as_str()?)
}
