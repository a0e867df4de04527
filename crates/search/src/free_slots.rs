//! What the NHS in England asks of a search for free slots besides what R4 says: for whom slots are kept, when they can be booked, and how far a
//! search reaches.
//! <https://simplifier.net/guide/GP-Connect-Patient-Facing-Appointments-Management/Home/Build/How-to-search-for-free-slots>

use fhir::outcome::SPINE_CODES;
use fhir::{DateTime, Instant, IssueType, Outcome};

use crate::compile::{Asked, Budget, criterion};
use crate::dialect::Reading;
use crate::parameter::Prefix;
use crate::refusal::Refusal;
use crate::registry::Registry;
use crate::{Criterion, chain};

/// The parameter by which a client says for whom it asks.
const SEARCH_FILTER: &str = "searchFilter";

/// How far a search for slots may reach: two weeks, of which one may have the hour more of the end of summer time. In microseconds.
const WINDOW_MAX: i64 = (14 * 24 + 1) * 60 * 60 * 1_000_000;

/// Who may book slots: a code of an organisation, or of a kind of them. On Slot, Schedule and HealthcareService.
const BOOKABLE_BY: &str = "bookable-by";

/// From when and until when others than the practice book a slot.
const BOOKING_WINDOW: &str = "booking-window";

/// What a search for slots has said so far.
#[derive(Debug, Default)]
pub(crate) struct FreeSlots {
    /// The tokens of `searchFilter`; `None` when it was not sent.
    asks_for: Option<String>,
    wants_free: bool,
    from: Option<Instant>,
    until: Option<Instant>,
    /// Whether it says twice when slots start, as BaRS does, and not when they end.
    ends_by_start: bool,
    /// Whether single slots are looked at by their ids.
    is_named: bool,
}

impl FreeSlots {
    /// Looks at a parameter; true when it needs no other condition.
    pub(crate) fn take(&mut self, reading: &Reading<'_>) -> Result<bool, Refusal> {
        let value = &*reading.value;
        match &*reading.name {
            SEARCH_FILTER => {
                let is_token = |token: &str| {
                    token.split_once('|').is_some_and(|(system, code)| !system.is_empty() && !code.is_empty())
                };
                if !value.split(',').all(is_token) {
                    return Err(Refusal::bad_value(SEARCH_FILTER, value, "`system|code`"));
                }
                let tokens = self.asks_for.get_or_insert_default();
                if !tokens.is_empty() {
                    tokens.push(',');
                }
                tokens.push_str(value);
                return Ok(true);
            }
            "status" => self.wants_free |= value.split(',').any(|code| code.rsplit('|').next() == Some("free")),
            "start" | "end" => self.bound(value, &reading.name == "start"),
            "_id" => self.is_named = true,
            _ => {}
        }
        Ok(false)
    }

    /// Of several bounds the narrowest counts.
    fn bound(&mut self, value: &str, is_start: bool) {
        let Some((prefix, time)) = Prefix::split(value) else { return };
        let Some((time, end)) = DateTime::parse(time).map(|time| time.range()) else { return };
        match prefix {
            Prefix::Ge | Prefix::Gt | Prefix::Sa => self.from = self.from.max(Some(time)),
            Prefix::Le | Prefix::Lt | Prefix::Eb => {
                self.ends_by_start |= is_start;
                self.ends(time);
            }
            Prefix::Eq => {
                self.from = self.from.max(Some(time));
                self.ends(end);
            }
            _ => {}
        }
    }

    fn ends(&mut self, time: Instant) {
        self.until = Some(self.until.map_or(time, |until| until.min(time)));
    }

    /// Refuses a search for free slots that says not from when or until when, and any that reaches too far.
    pub(crate) fn check(&self) -> Result<(), Outcome> {
        let is_bounded = self.from.is_some() && self.until.is_some();
        if !is_bounded && !self.is_named && (self.wants_free || self.asks_for.is_some()) {
            let missing = if self.from.is_none() { "from when, as `start=ge..`" } else { "until when, as `end=le..`" };
            let text = format!("a search for free slots says {missing}");
            return Err(Outcome::new(IssueType::RequiredParameter, text).coded(SPINE_CODES, "INVALID_PARAMETER"));
        }
        match (self.from, self.until) {
            (Some(from), Some(until)) if until.0.saturating_sub(from.0) > WINDOW_MAX => {
                let text = "parameters `start` and `end` reach over more than 14 days; ask for less at a time";
                match self.ends_by_start {
                    true => Err(Outcome::new(IssueType::TooWide, text)),
                    false => Err(Outcome::new(IssueType::Invalid, text).coded(SPINE_CODES, "INVALID_PARAMETER")),
                }
            }
            _ => Ok(()),
        }
    }

    /// Who does not say for whom it looks for free slots finds those that are kept for nobody; else also those that are kept for one of
    /// these. What a schedule or service is kept for, all its slots are.
    pub(crate) fn criterion(&self, registry: &Registry, budget: &Budget) -> Result<Option<Criterion>, Refusal> {
        if self.asks_for.is_none() && !self.wants_free {
            return Ok(None);
        }
        bookable(registry, self.asks_for.as_deref(), budget).map(Some)
    }
}

impl Registry {
    /// The slots that can be booked now and are kept for nobody, or for one of these organisations or kinds of them: tokens, as the value of a
    /// parameter. What a schedule or service is kept for, all its slots are.
    pub fn bookable_slots(&self, tokens: Option<&str>, now: Instant) -> Result<Criterion, Outcome> {
        bookable(self, tokens, &Budget::new(false, now)).map_err(Refusal::outcome)
    }
}

fn bookable(registry: &Registry, tokens: Option<&str>, budget: &Budget) -> Result<Criterion, Refusal> {
    let asked = Asked { name: BOOKABLE_BY, value: "", depth: 0, budget };
    let of_others = |name: &'static str| kept_for_others(registry, name, tokens, asked);
    let by_service = |name: &'static str, asked: Asked<'_>| {
        let service = |name: &'static str, asked: Asked<'_>| kept_for_others(registry, name, tokens, asked);
        let by_service = chain::follow(registry, name, "actor:HealthcareService", asked, &service)?;
        Ok(Criterion::any(vec![of_others(name)?, by_service]))
    };
    let by_schedule = chain::follow(registry, "Slot", "schedule:Schedule", asked, &by_service)?;
    let closed = |prefix: &str| {
        let value = format!("{prefix}{}", budget.now().to_rfc3339());
        criterion(registry, "Slot", Asked { name: BOOKING_WINDOW, value: &value, ..asked })
    };
    let closed = [of_others("Slot")?, by_schedule, closed("sa")?, closed("eb")?];
    Ok(Criterion::all(closed.into_iter().map(|criterion| Criterion::Not(Box::new(criterion))).collect()))
}

/// What is kept for somebody, and for none of these.
fn kept_for_others(
    registry: &Registry,
    resource_type: &'static str,
    tokens: Option<&str>,
    asked: Asked<'_>,
) -> Result<Criterion, Refusal> {
    let ask = |name, value| criterion(registry, resource_type, Asked { name, value, ..asked });
    let kept = ask("bookable-by:missing", "false")?;
    Ok(match tokens {
        None => kept,
        Some(tokens) => Criterion::all(vec![kept, Criterion::Not(Box::new(ask(BOOKABLE_BY, tokens)?))]),
    })
}

#[cfg(test)]
mod tests {
    use fhir::Definitions;

    use super::*;
    use crate::testing::{BASE_URL, NOW};
    use crate::{Dialect, Handling, Query, Scope, parse_query_string};

    fn search(text: &str) -> Result<Query, Outcome> {
        let scope = Scope { resource_type: Some("Slot"), compartment: None };
        let parameters = parse_query_string(text)?;
        let registry = Registry::new(Definitions::r4(), BASE_URL).with_dialect(Dialect::Nhs);
        registry.search(&scope, &parameters, Handling::Strict, NOW)
    }

    #[test]
    fn two_weeks_are_far_enough() {
        let cases = [
            ("start=ge2027-03-01&end=le2027-03-15", true),
            ("start=ge2027-03-01&end=le2027-03-16", false),
            ("start=ge2027-03-01T00:00:00Z&start=le2027-03-15T00:00:00Z", true),
            ("start=ge2027-03-01T00:00:00Z&start=le2027-03-15T01:00:01Z", false),
            // Summer time ends between these.
            ("start=ge2026-10-20T00:00:00%2B01:00&end=le2026-11-03T00:00:00%2B00:00", true),
            ("start=ge2027-01-01&start=ge2027-03-01&end=le2027-03-15&end=le2028", true),
            ("start=ge2027-03-01", true),
            ("end=le2027-03-01", true),
            ("start=2027-03-01", true),
            ("start=2027-03", false),
        ];
        for (text, expected) in cases {
            let found = search(text);
            assert_eq!(found.is_ok(), expected, "{text}");
            if let Err(outcome) = found {
                let issue = &outcome.issues[0];
                let expected = match text.starts_with("start=ge2027-03-01T") {
                    true => (IssueType::TooWide, None),
                    false => (IssueType::Invalid, Some((SPINE_CODES, "INVALID_PARAMETER"))),
                };
                assert_eq!((issue.code, issue.coding), expected, "{text}");
            }
        }
    }

    #[test]
    fn a_search_for_free_slots_has_bounds() {
        let cases = [
            ("status=free", "`start=ge..`"),
            ("status=free&start=le2027-03-01", "`start=ge..`"),
            ("status=busy,free&start=ge2027-03-01", "`end=le..`"),
            ("searchFilter=a%7Cb&start=ge2027-03-01", "`end=le..`"),
            ("status=free&start=ge2027-03-01&end=le2027-03-02", ""),
            ("status=free&start=ge2027-03-01T00:00:00Z&start=le2027-03-02T00:00:00Z", ""),
            ("status=free&start=2027-03-01", ""),
            ("status=free&_id=x", ""),
            ("status=busy", ""),
        ];
        for (text, missing) in cases {
            match search(text) {
                Ok(_) => assert_eq!(missing, "", "{text}"),
                Err(outcome) => {
                    let issue = &outcome.issues[0];
                    assert_eq!(issue.code, IssueType::RequiredParameter, "{text}");
                    assert!(!missing.is_empty() && issue.diagnostics.contains(missing), "{text}: {outcome}");
                }
            }
        }
    }

    #[test]
    fn only_searches_for_free_slots_leave_out_what_is_kept() {
        let joins = |text: &str| {
            let text = format!("{text}&start=2027-03-01");
            format!("{:?}", search(&text).expect("valid").criterion).contains("Not(")
        };
        let cases = [
            ("status=free", true),
            ("status=free,busy", true),
            ("status=http://hl7.org/fhir/slotstatus%7Cfree", true),
            ("searchFilter=https://fhir.nhs.uk/Id/ods-organization-code%7CA1001", true),
            ("status=busy", false),
            ("_id=x", false),
        ];
        for (text, expected) in cases {
            assert_eq!(joins(text), expected, "{text}");
        }
    }

    #[test]
    fn a_search_filter_must_be_well_formed() {
        for value in ["", "A1001", "%7CA1001", "https://fhir.nhs.uk/Id/ods-organization-code%7C", "a%7Cb,c"] {
            assert!(search(&format!("start=2027-03-01&searchFilter={value}")).is_err(), "{value}");
        }
        let query = search("searchFilter=a%7Cb&searchFilter=c%7Cd&start=2027-03-01").expect("valid");
        assert_eq!(query.applied.len(), 3);
    }
}
