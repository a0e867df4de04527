//! The figures, each by counts in the index.

use std::fmt::Write;

use fhir::json::{Document, Node, quote};
use fhir::{Instant, Outcome};
use repository::{Key, Session, query_string};

use super::period::{DAY, Period, between};
use crate::appointments::BOOKING_ORGANIZATION;

/// Organisations told apart, those first whose appointments come first; the others are one.
const ORGANIZATIONS_MAX: usize = 20;

/// How a patient and a practice meet, of `https://fhir.hl7.org.uk/CodeSystem/UKCore-DeliveryChannel`.
const CHANNELS: [&str; 3] = ["In-person", "Telephone", "Video"];

/// What stands in a practice's diary, by status.
const ATTENDED: &str = "checked-in,arrived,fulfilled";
const BOOKED: &str = "booked,checked-in,arrived,fulfilled,noshow";

/// What is asked about: one service, or all there is.
pub(super) struct Figures<'a> {
    pub(super) session: &'a Session<'a>,
    pub(super) service: Option<&'a Key>,
    pub(super) period: Period,
}

impl Figures<'_> {
    /// The parameters of the answer.
    pub(super) fn parameters(&self) -> Result<Vec<String>, Outcome> {
        let mut all = self.free()?;
        all.extend(self.lead_time()?);
        all.extend(self.missed()?);
        all.extend(self.cancelled()?);
        all.push(integer("waiting", self.waiting()?));
        all.extend(self.by_channel()?);
        all.extend(self.by_organization()?);
        if self.service.is_none() {
            all.push(self.triage()?);
        }
        Ok(all)
    }

    /// How many slots are free on each day, those left out that have begun.
    fn free(&self) -> Result<Vec<String>, Outcome> {
        let now = self.session.now();
        let day = |day: Instant| {
            let span = between("start", day, Instant(day.0 + DAY));
            let count = self.slots(&format!("status=free&{span}&start=gt{}", now.to_rfc3339()))?;
            Ok(part("free", &[format!(r#"{{"name":"date","valueDate":"{}"}}"#, date(day)), integer("slots", count)]))
        };
        self.period.days().map(day).collect()
    }

    /// How long it is to the third next free slot.
    fn lead_time(&self) -> Result<Option<String>, Outcome> {
        let now = self.session.now();
        let query = format!("status=free&start=gt{}&_sort=start{}", now.to_rfc3339(), self.of_schedule("schedule"));
        let next = self.session.lookup("Slot", &query, 3)?;
        let Some(third) = next.get(2) else { return Ok(None) };
        let slot = Document::parse(third.body.as_deref().unwrap_or_default())?;
        let start = slot.root().get("start").and_then(Node::as_str).and_then(|start| fhir::DateTime::parse(&start));
        Ok(start.map(|start| {
            let minutes = (start.range().0.0 - now.0) / 60_000_000;
            format!(
                r#"{{"name":"leadTime","valueDuration":{{"value":{minutes},"unit":"minutes","system":"http://unitsofmeasure.org","code":"min"}}}}"#
            )
        }))
    }

    /// How many did not come, of all that came or did not.
    fn missed(&self) -> Result<Vec<String>, Outcome> {
        let span = self.period.within("date");
        let missed = self.appointments(&format!("status=noshow&{span}"))?;
        let attended = self.appointments(&format!("status={ATTENDED}&{span}"))?;
        Ok(figures("attended", attended, "missed", missed, attended + missed))
    }

    /// How many were cancelled so late that hardly anybody else comes instead: on the day itself or the day before.
    fn cancelled(&self) -> Result<Vec<String>, Outcome> {
        let mut late = 0;
        for day in self.period.days() {
            let span = between("date", day, Instant(day.0 + DAY));
            let since = Instant(day.0 - DAY).to_rfc3339();
            late += self.appointments(&format!("status=cancelled&{span}&_lastUpdated=ge{since}"))?;
        }
        let all = self.appointments(&format!("status=cancelled&{}", self.period.within("date")))?;
        Ok(figures("cancelled", all, "cancelledLate", late, all))
    }

    fn waiting(&self) -> Result<u64, Outcome> {
        let of_service = self.service.map(|service| format!("&actor={service}")).unwrap_or_default();
        self.session.count("Appointment", &format!("status=waitlist{of_service}"))
    }

    fn by_channel(&self) -> Result<Vec<String>, Outcome> {
        let span = self.period.within("date");
        let count = |channel: &str| self.appointments(&format!("status={BOOKED}&{span}&delivery-channel{channel}"));
        let mut parts = Vec::new();
        for channel in CHANNELS {
            let count = count(&format!("={channel}"))?;
            parts.push(part(
                "byChannel",
                &[format!(r#"{{"name":"channel","valueCode":"{channel}"}}"#), integer("booked", count)],
            ));
        }
        parts.push(part("byChannel", &[integer("booked", count(":missing=true")?)]));
        Ok(parts)
    }

    /// For each organisation that booked; last, without an organisation, what others booked and what was booked for none.
    fn by_organization(&self) -> Result<Vec<String>, Outcome> {
        let booked = format!("status={BOOKED}&{}", self.period.within("date"));
        let mut rest = self.appointments(&booked)?;
        let mut parts = Vec::new();
        let mut told = String::new();
        while parts.len() < ORGANIZATIONS_MAX {
            let query = format!(
                "{booked}&booking-organization:missing=false{told}&_sort=date{}",
                self.of_schedule("slot.schedule")
            );
            let next = self.session.lookup("Appointment", &query, 1)?;
            let Some(next) = next.first() else { break };
            let appointment = Document::parse(next.body.as_deref().unwrap_or_default())?;
            let Some((system, value)) = organization(appointment.root()) else { break };
            let token = format!("{}|{}", escaped(&system), escaped(&value));
            let count = self.appointments(&format!(
                "{booked}&{}{told}",
                query_string([("booking-organization", token.as_str())])
            ))?;
            let identifier = format!(
                r#"{{"name":"organization","valueIdentifier":{{"system":{},"value":{}}}}}"#,
                quote(&system),
                quote(&value)
            );
            parts.push(part("byOrganization", &[identifier, integer("booked", count)]));
            rest = rest.saturating_sub(count);
            let _ = write!(told, "&{}", query_string([("booking-organization:not", token.as_str())]));
        }
        parts.push(part("byOrganization", &[integer("booked", rest)]));
        Ok(parts)
    }

    /// How many contacts with a triage engine there were, and how many of them no appointment rests on.
    fn triage(&self) -> Result<String, Outcome> {
        let span = format!("status=success&{}", self.period.within("date"));
        let contacts = self.session.count("GuidanceResponse", &span)?;
        let booked = "_has:Appointment:supporting-info:_id:missing=false";
        let booked = self.session.count("GuidanceResponse", &format!("{span}&{booked}"))?;
        let ended = contacts.saturating_sub(booked);
        Ok(part("triage", &figures("contacts", contacts, "ended", ended, contacts)))
    }

    fn slots(&self, query: &str) -> Result<u64, Outcome> {
        self.session.count("Slot", &format!("{query}{}", self.of_schedule("schedule")))
    }

    fn appointments(&self, query: &str) -> Result<u64, Outcome> {
        self.session.count("Appointment", &format!("{query}{}", self.of_schedule("slot.schedule")))
    }

    /// What narrows a search to the service, along these references to its schedules.
    fn of_schedule(&self, path: &str) -> String {
        self.service.map(|service| format!("&{path}.actor={service}")).unwrap_or_default()
    }
}

/// The first identifier of the organisation that an appointment names in itself.
fn organization(appointment: Node<'_>) -> Option<(String, String)> {
    let mut extensions = appointment.get("extension").into_iter().flat_map(Node::each);
    let extension = extensions.find(|it| it.get("url").is_some_and(|url| url.is_str(BOOKING_ORGANIZATION)))?;
    let reference = extension.path(&["valueReference", "reference"])?.as_str()?;
    let id = reference.strip_prefix('#')?;
    let mut contained = appointment.get("contained").into_iter().flat_map(Node::each);
    let organization = contained.find(|resource| resource.get("id").is_some_and(|known| known.is_str(id)))?;
    let mut identifiers = organization.get("identifier").into_iter().flat_map(Node::each);
    let text = |identifier: Node<'_>, name| Some(identifier.get(name)?.as_str()?.into_owned());
    identifiers.find_map(|identifier| Some((text(identifier, "system")?, text(identifier, "value")?)))
}

/// Text in a value of a search parameter.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '\\' | ',' | '|' | '$') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// Two numbers, and the share that the second has of the whole where there is one.
fn figures(name: &str, count: u64, part: &str, part_count: u64, whole: u64) -> Vec<String> {
    let mut all = vec![integer(name, count), integer(part, part_count)];
    if let Some(thousandths) = (part_count * 1000 + whole / 2).checked_div(whole) {
        let share = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
        all.push(format!(r#"{{"name":"{part}Share","valueDecimal":{share}}}"#));
    }
    all
}

fn integer(name: &str, count: u64) -> String {
    // FHIR's integers have 32 bits.
    format!(r#"{{"name":"{name}","valueUnsignedInt":{}}}"#, count.min(i32::MAX as u64))
}

fn part(name: &str, parts: &[String]) -> String {
    format!(r#"{{"name":"{name}","part":[{}]}}"#, parts.join(","))
}

fn date(day: Instant) -> String {
    day.to_rfc3339()[..10].to_owned()
}
