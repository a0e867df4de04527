//! What the provisions of a consent say of one resource, to one asker, today.

use std::collections::BTreeMap;

use serde_json::Value;

use super::datum::{Datum, of_type, text};
use super::oracle::Asker;

/// The day on which everybody asks.
pub(super) const TODAY: &str = "2027-03-05";

/// What a consent says of one resource.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Says {
    Nothing,
    Permit,
    Deny,
}

/// Whether a deny counts that does not name who asks.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Denies {
    All,
    Named,
}

/// A provision with what it takes from those above.
pub(super) struct Provision<'a> {
    pub(super) effect: Says,
    /// Elements by name, each from the nearest provision that states it.
    elements: BTreeMap<&'static str, Vec<&'a Value>>,
    periods: Vec<&'a Value>,
    exceptions: Vec<Provision<'a>>,
    /// Not understood: denies all to everybody.
    is_absolute: bool,
    is_research: bool,
}

const ELEMENTS: [&str; 8] = ["actor", "purpose", "action", "securityLabel", "class", "code", "dataPeriod", "data"];

impl<'a> Provision<'a> {
    /// What a consent says.
    pub(super) fn says_of(consent: &'a Value, asker: &Asker, datum: &Datum<'_>, denies: Denies) -> Says {
        Provision::root(consent).map_or(Says::Nothing, |root| root.says(asker, datum, denies))
    }

    pub(super) fn root(consent: &'a Value) -> Option<Provision<'a>> {
        let is_research = consent["scope"]["coding"][0]["code"] == "research";
        Some(Provision::read(consent.get("provision")?, &BTreeMap::new(), &[], is_research))
    }

    fn read(
        written: &'a Value,
        above: &BTreeMap<&'static str, Vec<&'a Value>>,
        periods: &[&'a Value],
        is_research: bool,
    ) -> Provision<'a> {
        let mut elements = above.clone();
        for name in ELEMENTS {
            match written.get(name) {
                Some(Value::Array(all)) => drop(elements.insert(name, all.iter().collect())),
                Some(one) => drop(elements.insert(name, vec![one])),
                None => {}
            }
        }
        let periods: Vec<_> = periods.iter().copied().chain(written.get("period")).collect();
        let effect = if written["type"] == "permit" { Says::Permit } else { Says::Deny };
        let mut it = Provision { effect, elements, periods, exceptions: Vec::new(), is_absolute: false, is_research };
        if written.get("modifierExtension").is_some() {
            it.is_absolute = denies(written);
            it.effect = if it.is_absolute { Says::Deny } else { Says::Nothing };
            return it;
        }
        let exceptions = written["provision"].as_array().into_iter().flatten();
        it.exceptions =
            exceptions.map(|nested| Provision::read(nested, &it.elements, &it.periods, is_research)).collect();
        it
    }

    fn says(&self, asker: &Asker, datum: &Datum<'_>, denies: Denies) -> Says {
        let below: Vec<_> = self.exceptions.iter().map(|exception| exception.says(asker, datum, denies)).collect();
        let own = match self.counts(asker, denies) && (self.is_absolute || self.is_about(datum)) {
            true => self.effect,
            false => Says::Nothing,
        };
        match () {
            () if below.contains(&Says::Deny) => Says::Deny,
            () if below.contains(&Says::Permit) => Says::Permit,
            () => own,
        }
    }

    /// Whether it holds today, for who asks.
    pub(super) fn counts(&self, asker: &Asker, denies: Denies) -> bool {
        let spared = denies == Denies::Named && self.effect == Says::Deny;
        if self.is_absolute {
            return !spared;
        }
        let names_asker = |actor: &&Value| {
            let reference = &actor["reference"];
            let identifier = &reference["identifier"];
            let identifier = format!("{}|{}", text(&identifier["system"]), text(&identifier["value"]));
            let literal = text(&reference["reference"]);
            !literal.is_empty() && (literal == asker.user || literal == asker.organization)
                || asker.has_identifier(&identifier)
        };
        let is_asked = |purpose: &&Value| asker.purposes.iter().any(|own| purpose["code"] == own.as_str());
        let is_reading = |action: &&Value| action["coding"][0]["code"] != "collect";
        let fits =
            |name: &str, fits: &dyn Fn(&&Value) -> bool| self.elements.get(name).is_none_or(|all| all.iter().any(fits));
        let for_purpose = match self.elements.contains_key("purpose") || !self.is_research {
            true => fits("purpose", &is_asked),
            false => asker.purposes.iter().any(|own| ["HRESCH", "HSYSADMIN"].contains(&own.as_str())),
        };
        let holds = |period: &&&Value| {
            let (start, end) = (text(&period["start"]), text(&period["end"]));
            start.as_str() <= TODAY && (end.is_empty() || TODAY <= end.as_str())
        };
        self.periods.iter().all(|period| holds(&period))
            && fits("actor", &names_asker)
            && for_purpose
            && fits("action", &is_reading)
            && (!spared || self.elements.contains_key("actor"))
    }

    fn is_about(&self, datum: &Datum<'_>) -> bool {
        let is_deny = self.effect == Says::Deny;
        self.elements.iter().all(|(name, all)| {
            all.iter().any(|element| match *name {
                "securityLabel" => datum.has_label(element, is_deny),
                "class" => element["code"] == of_type(datum.key),
                "code" => datum.codes().contains(&text(&element["coding"][0]["code"])),
                "dataPeriod" => datum.is_dated(element, is_deny),
                "data" => datum.is_named(element),
                _ => true,
            })
        })
    }
}

/// Whether anything in what is not understood denies.
fn denies(written: &Value) -> bool {
    written["type"] == "deny" || written["provision"].as_array().into_iter().flatten().any(denies)
}
