//! `Appointment/$find`: free times, <https://profiles.ihe.net/ITI/Scheduling/ITI-115.html>.

use std::collections::HashMap;

use bytes::Bytes;
use fhir::json::{Document, quote};
use fhir::outcome::quoted;
use fhir::{DateTime, IssueType, Outcome};
use repository::{Act, Count, Page, Requester, SearchRequest, Session};
use search::{Criterion, Handling, Scope};

use super::super::booker::Booker;
use super::super::resource::Entry;
use super::answer::{self, searchset};
use super::asked::references;
use super::proposal::{Terms, appointment, id_of, schedule};
use crate::inputs::Inputs;
use crate::{Invocation, Operation};

/// How many times one answer has.
const TIMES_MAX: usize = 100;

/// Inputs `start` and `end`, and what narrows the search.
pub(crate) struct Find;

/// The inputs that a token answers, each with the parameter of Slot and Schedule.
const TOKENS: [(&str, &str); 2] = [("specialty", "specialty"), ("visit-type", "service-type")];

/// The inputs that name a resource, each with its type and the paths from a Slot that lead to it.
const REFERENCES: [(&str, &str, &[&str]); 3] = [
    ("practitioner", "Practitioner", &["schedule.actor", "schedule.actor:PractitionerRole.practitioner"]),
    (
        "organization",
        "Organization",
        &[
            "schedule.actor:PractitionerRole.organization",
            "schedule.actor:HealthcareService.organization",
            "schedule.actor:Location.organization",
        ],
    ),
    (
        "location-reference",
        "Location",
        &["schedule.actor", "schedule.actor:PractitionerRole.location", "schedule.actor:HealthcareService.location"],
    ),
];

/// The paths from a Slot to addresses.
const ADDRESSES: [&str; 3] = [
    "schedule.actor:Location.address",
    "schedule.actor:PractitionerRole.location.address",
    "schedule.actor:HealthcareService.location.address",
];

/// The input that would have to be passed over. For whom and for what reason the times are (`patient-reference`, `patient-resource`, `reason`,
/// `referral-identifier`, `insurance-reference`) may be said: slots tell nothing by which one is free for some patients only.
const NOT_SERVED: (&str, &str) = ("timing", "ask for each period by `start` and `end`");

impl Operation for Find {
    fn code(&self) -> &'static str {
        "find"
    }

    fn definition(&self) -> &'static str {
        "https://profiles.ihe.net/ITI/Scheduling/OperationDefinition/appointment-find"
    }

    fn at_types(&self) -> &'static [&'static str] {
        &["Appointment"]
    }

    fn affects_state(&self) -> bool {
        false
    }

    fn run(&self, session: &Session<'_>, invocation: &Invocation) -> Result<Bytes, Outcome> {
        session.permit(Act::Read, "Appointment")?;
        let inputs = Inputs::of(invocation);
        inputs.refuse_alone()?;
        inputs.refuse(NOT_SERVED.0, NOT_SERVED.1)?;
        let (start, end) = (time(&inputs, "start")?, time(&inputs, "end")?);
        if moment(&start).zip(moment(&end)).is_some_and(|(start, end)| start.range().0 >= end.range().1) {
            let text = format!("the input `end` {} is not after `start` {}", quoted(&end), quoted(&start));
            return Err(Outcome::new(IssueType::BadRequest, text));
        }
        let mut parameters = vec![
            ("status".to_owned(), "free".to_owned()),
            ("start".to_owned(), format!("ge{start}")),
            ("start".to_owned(), format!("gt{}", session.now())),
            ("end".to_owned(), format!("le{end}")),
            ("_sort".to_owned(), "start".to_owned()),
        ];
        parameters.extend(narrowed(session, &inputs)?.map(|filter| ("_filter".to_owned(), filter)));
        // Slots tell nothing about a patient: whoever may have an appointment may know them.
        let open = session.publicly();
        let scope = Scope { resource_type: Some("Slot"), compartment: None };
        let mut query = open.registry().query(&scope, &parameters, Handling::Strict, session.now())?;
        if let Some(bookable) = bookable(session, &open)? {
            query.criterion = Criterion::All(vec![query.criterion, bookable]);
        }
        let (page, total) = (Page::First, Count::Exact);
        let found = open.search(&SearchRequest { query: &query, page, limit: TIMES_MAX, total, explain: false })?;
        let mut schedules: HashMap<String, Option<Document>> = HashMap::new();
        let mut entries = Vec::with_capacity(found.matches.len());
        for version in &found.matches {
            let slot = Document::parse(version.body.as_deref().unwrap_or_default())?;
            let name = Entry::new(&slot).schedule().into_owned();
            if !schedules.contains_key(&name) {
                schedules.insert(name.clone(), schedule(session, &slot)?);
            }
            let id = id_of(&version.key);
            let key = format!("Appointment/{id}");
            let period = Some((&*start, &*end));
            let terms = Terms { status: "proposed", id: Some(id), patient: None, comment: None, created: None, period };
            let schedule = schedules.get(&name).and_then(Option::as_ref);
            entries.push(answer::Entry { key, resource: appointment(&version.key, &slot, schedule, &terms) });
        }
        let total = found.total.map_or(entries.len() as u64, |total| total.count);
        Ok(searchset(session, &entries, total))
    }
}

/// The slots that the rule of kept slots lets this caller book; `None` for all, as the practice does.
fn bookable(session: &Session<'_>, open: &Session<'_>) -> Result<Option<Criterion>, Outcome> {
    let Some(requester) = session.requester().filter(|requester| !Requester::is_practice(requester)) else {
        return Ok(None);
    };
    let mut booker = Booker::of_client(requester).unwrap_or_default();
    if let Some(organization) = session.client_organization()? {
        booker.add(Document::parse(organization.body.as_deref().unwrap_or_default())?.root());
    }
    open.registry().bookable_slots(booker.tokens().as_deref(), session.now()).map(Some)
}

/// A time that must be given.
fn time(inputs: &Inputs<'_>, name: &str) -> Result<String, Outcome> {
    let text = inputs.text(name)?;
    let text = text.ok_or_else(|| Outcome::new(IssueType::Required, format!("the input `{name}` is missing")))?;
    match moment(&text) {
        Some(_) => Ok(text.into_owned()),
        None => {
            let text = format!("the input `{name}` is {}, not a dateTime such as 2027-03-08T09:00:00Z", quoted(&text));
            Err(Outcome::new(IssueType::Value, text))
        }
    }
}

fn moment(text: &str) -> Option<DateTime> {
    DateTime::parse(text)
}

/// The condition that the inputs set to slots beside their time: a `_filter`.
fn narrowed(session: &Session<'_>, inputs: &Inputs<'_>) -> Result<Option<String>, Outcome> {
    let mut conditions = Vec::new();
    for (name, parameter) in TOKENS {
        let mut any = Vec::new();
        for token in inputs.texts(name) {
            if !token.split_once('|').is_some_and(|(system, code)| !system.is_empty() && !code.is_empty()) {
                let text = format!("the input `{name}` is {}, not `system|code`", quoted(&token));
                return Err(Outcome::new(IssueType::Value, text));
            }
            let token = quote(&token);
            any.push(format!("{parameter} eq {token}"));
            any.push(format!("({parameter} pr false and schedule.{parameter} eq {token})"));
        }
        conditions.push((name, any));
    }
    for (name, resource_type, paths) in REFERENCES {
        let mut any = Vec::new();
        for reference in references(inputs, name) {
            let key = session.local(&reference).filter(|key| key.collection() == resource_type);
            let Some(key) = key else {
                let text = format!("the input `{name}` is {}, no {resource_type} of this server", quoted(&reference));
                return Err(Outcome::new(IssueType::Value, text));
            };
            any.extend(paths.iter().map(|path| format!("{path} re {}", quote(key.as_str()))));
        }
        conditions.push((name, any));
    }
    let addresses = inputs.texts("location-string");
    let any = addresses.iter().flat_map(|address| ADDRESSES.map(|path| format!("{path} sw {}", quote(address))));
    conditions.push(("location-string", any.collect()));
    // What is given and says nothing must not be passed over.
    if let Some((name, _)) = conditions.iter().find(|(name, any)| any.is_empty() && inputs.is_given(name)) {
        let text = format!("the input `{name}` has no value that can be looked for");
        return Err(Outcome::new(IssueType::Value, text));
    }
    let conditions: Vec<_> = conditions.iter().filter(|(_, any)| !any.is_empty()).map(|(_, any)| or(any)).collect();
    Ok((!conditions.is_empty()).then(|| conditions.join(" and ")))
}

fn or(any: &[String]) -> String {
    format!("({})", any.join(" or "))
}
