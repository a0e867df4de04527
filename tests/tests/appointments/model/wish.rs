use std::collections::BTreeSet;

use serde_json::Value;

use super::visit::references;
use super::world;

/// How long each slot is, in minutes.
const MINUTES: u64 = 10;

/// What somebody waits for.
#[derive(Debug)]
pub(super) struct Wish {
    /// All who take part, the patients among them.
    pub(super) participants: BTreeSet<String>,
    kinds: BTreeSet<String>,
    /// From when until when, as texts that sort like the times they say.
    periods: Vec<(String, String)>,
    minutes: u64,
}

impl Wish {
    pub(super) fn of(appointment: &Value) -> Wish {
        let periods = appointment["requestedPeriod"].as_array().into_iter().flatten().map(|period| {
            let text = |name: &str| period[name].as_str();
            // A day ends with its last second.
            let end =
                text("end").map(|end| if end.contains('T') { end.to_owned() } else { format!("{end}T23:59:59Z") });
            (text("start").unwrap_or_default().to_owned(), end.unwrap_or_else(|| "9999".to_owned()))
        });
        Wish {
            participants: references(appointment, "participant", "/actor/reference"),
            kinds: references(appointment, "serviceType", "/coding/0/code"),
            periods: periods.collect(),
            minutes: appointment["minutesDuration"].as_u64().unwrap_or_default(),
        }
    }

    pub(super) fn patients(&self) -> impl Iterator<Item = &String> {
        self.participants.iter().filter(|participant| participant.starts_with("Patient/"))
    }

    pub(super) fn has_one_period(&self) -> bool {
        self.periods.len() == 1
    }

    /// Whether the slot is one for which it waits.
    pub(super) fn suits(&self, slot: &str) -> bool {
        let place = world::of(slot);
        let (start, end) = place.times();
        let mut actors = self.participants.iter().filter(|participant| !participant.starts_with("Patient/"));
        let is_kind = self.kinds.is_empty() || self.kinds.contains(place.kind());
        let is_long = self.minutes <= MINUTES;
        let is_then = self.periods.iter().any(|(from, until)| *from <= start && end <= *until);
        actors.all(|actor| actor == place.actor()) && is_kind && is_long && is_then
    }
}
