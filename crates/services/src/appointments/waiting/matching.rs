//! Who waits for a slot like this one.

use std::collections::BTreeSet;

use fhir::json::{Document, Node};
use fhir::{DateTime, Instant, Outcome};
use repository::{Key, Transaction, query_string};

use super::entry::{WAITING_SINCE, was_offered};
use crate::appointments::resource::{Entry, is_patient};

/// How many of those who wait for the practitioner, place or service, and of those who wait for the kind of service, are looked at: first so
/// many, and as long as none of them can come so many more times as many, up to the most.
const CANDIDATES: usize = 200;
const CANDIDATES_MORE: usize = 4;
const CANDIDATES_MAX: usize = 3200;

/// How many free slots are looked at for who comes to the list: in each period, of the practitioner, place or service, else of the kind of service.
const FREE_MAX: usize = 20;

/// In how many of the periods that somebody asks for.
const PERIODS_MAX: usize = 5;

/// A second, in microseconds: by so much more is searched for than is wanted, and all that is found is looked at.
const MOMENT: i64 = 1_000_000;

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

    /// By what those who wait may look for it.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.actors.iter().chain(&self.kinds).map(String::as_str)
    }

    /// The queries for those who may wait for it, who waits longest first.
    fn queries(&self) -> Vec<String> {
        // Texts are no tokens.
        let kinds: Vec<_> = self.kinds.iter().filter(|kind| kind.contains('|')).map(String::as_str).collect();
        let actors: Vec<_> = self.actors.iter().map(String::as_str).collect();
        let queries = [("actor", actors), ("service-type", kinds)].into_iter().filter(|(_, values)| !values.is_empty());
        let queries = queries.map(|(name, values)| {
            let narrowed = query_string([(name, values.join(",").as_str())]);
            // Not `le` and `ge`, which do not find a period that begins or ends just then and is no part of that moment.
            let (start, end) = (Instant(self.start.0 + MOMENT), Instant(self.end.0 - MOMENT));
            let period = format!("requested-period=lt{start}&requested-period=gt{end}");
            format!("status=waitlist&{period}&{narrowed}&_sort=waiting-since")
        });
        queries.collect()
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

/// Those who wait for a slot and were not offered it, some at a time, who waits longest first.
#[derive(Default)]
pub(super) struct Candidates {
    seen: BTreeSet<Key>,
    /// How many of each query were looked at.
    count: usize,
    is_done: bool,
}

impl Candidates {
    /// The next of them; `None` when there are no more, or more than are looked at.
    pub(super) fn next(
        &mut self,
        transaction: &mut Transaction<'_>,
        vacancy: &Vacancy<'_>,
    ) -> Result<Option<Vec<Key>>, Outcome> {
        if self.is_done {
            return Ok(None);
        }
        self.count = if self.count == 0 { CANDIDATES } else { self.count * CANDIDATES_MORE };
        self.is_done = true;
        let mut found = BTreeSet::new();
        // Up to when those are found who wait since then: of who came later one query tells and the other not yet.
        let mut complete = Instant(i64::MAX);
        for query in vacancy.queries() {
            let keys = transaction.lookup("Appointment", &query, self.count)?;
            if self.count < CANDIDATES_MAX
                && keys.len() == self.count
                && let Some(last) = keys.last().map(|last| transaction.read(last)).transpose()?.flatten()
            {
                complete = complete.min(since(Entry::new(&last)));
                self.is_done = false;
            }
            found.extend(keys);
        }
        let mut suitable = Vec::new();
        for key in found {
            let Some(appointment) = transaction.read(&key)? else { continue };
            let since = since(Entry::new(&appointment));
            if since <= complete && self.seen.insert(key.clone()) && vacancy.suits(transaction, &appointment) {
                suitable.push((since, key));
            }
        }
        suitable.sort();
        Ok(Some(suitable.into_iter().map(|(_, key)| key).collect()))
    }
}

/// By what the free slots are found that somebody waits for.
pub(super) enum LookedFor {
    Nothing,
    /// One of those whom the appointment names.
    Actor(String),
    Kinds(Vec<String>),
}

impl LookedFor {
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let names: &[String] = match self {
            LookedFor::Nothing => &[],
            LookedFor::Actor(actor) => std::slice::from_ref(actor),
            LookedFor::Kinds(kinds) => kinds,
        };
        names.iter().map(String::as_str)
    }
}

/// By what the slots are found that an appointment waits for.
pub(super) fn looked_for(transaction: &Transaction<'_>, appointment: &Document) -> LookedFor {
    let mut kinds = Entry::new(appointment).service_types();
    kinds.retain(|kind| kind.contains('|'));
    match wanted(transaction, appointment).into_iter().next() {
        Some(Some(actor)) => LookedFor::Actor(actor),
        None if !kinds.is_empty() => LookedFor::Kinds(kinds),
        _ => LookedFor::Nothing,
    }
}

/// The free slots that who waits may want, the earliest of each period first.
pub(super) fn free(
    transaction: &Transaction<'_>,
    appointment: &Document,
    looked_for: &LookedFor,
) -> Result<Vec<Key>, Outcome> {
    let narrowed = match looked_for {
        LookedFor::Actor(actor) => vec![query_string([("schedule.actor", actor.as_str())])],
        LookedFor::Kinds(kinds) => {
            let kinds = kinds.join(",");
            ["service-type", "schedule.service-type"].map(|name| query_string([(name, kinds.as_str())])).into()
        }
        LookedFor::Nothing => return Ok(Vec::new()),
    };
    let now = Instant::from_millis(transaction.now());
    let mut found = Vec::new();
    for period in appointment.root().get("requestedPeriod").into_iter().flat_map(Node::each).take(PERIODS_MAX) {
        let from = range(period, "start").map_or(now, |(start, _)| start.max(now));
        let until = range(period, "end").map(|(_, end)| Instant(end.0.saturating_add(MOMENT)));
        let until = until.map(|end| format!("&end=lt{end}")).unwrap_or_default();
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
