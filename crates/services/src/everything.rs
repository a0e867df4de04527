//! `$everything`: a patient's record as a search, <https://hl7.org/fhir/R4/patient-operation-everything.html>. It is paged, narrowed, masked and
//! accounted for as any other.

use fhir::outcome::quoted;
use fhir::{DateTime, Instant, IssueType, Outcome};
use repository::{Act, Session};
use search::{Criterion, Query, Whose};

use crate::inputs::Inputs;
use crate::{Answered, Invocation, Operation, Subject};

/// On a Patient that record; on the type that of the caller's patient, or everybody's for who is not limited to one.
pub(crate) struct Everything;

/// Of every look at a record there is one, so that a record with them would never end: they come only when they are asked for.
const EVENT: &str = "AuditEvent";

impl Operation for Everything {
    fn code(&self) -> &'static str {
        "everything"
    }

    fn definition(&self) -> &'static str {
        "http://hl7.org/fhir/OperationDefinition/Patient-everything"
    }

    fn at_types(&self) -> &'static [&'static str] {
        &["Patient"]
    }

    fn at_instances(&self) -> &'static [&'static str] {
        &["Patient"]
    }

    fn affects_state(&self) -> bool {
        false
    }

    fn answer(&self, session: &Session<'_>, invocation: &Invocation) -> Result<Answered, Outcome> {
        let inputs = Inputs::of(invocation);
        let patient = match &invocation.subject {
            Subject::Instance(patient) => Some(patient),
            _ => session.only_patient(),
        };
        match patient {
            Some(patient) => session.permit_read_of(patient)?,
            None => session.permit_read("Patient")?,
        }
        let (matches, included) = types(session, &inputs)?;
        let query = session.registry().everything(search::Everything {
            whose: match patient {
                Some(patient) => Whose::One(patient.clone()),
                None => Whose::Those(Criterion::Filter(session.registry().all_of("Patient"))),
            },
            matches,
            included,
            span: span(&inputs)?,
            since: time(&inputs, "_since")?.map(|(since, _)| since),
        });
        let names = ["start", "end", "_since", "_type", "_count"];
        let given = |name: &&'static str| {
            let texts = inputs.texts(name).into_iter();
            texts.map(|text| ((*name).to_owned(), text.into_owned())).collect::<Vec<_>>()
        };
        let (count, applied) = (inputs.number("_count")?, names.iter().flat_map(given).collect());
        Ok(Answered::Search(Box::new(Query { count, applied, ..query })))
    }
}

/// The types that match and those that are included: of all that the caller may search, or those of `_type`.
fn types(session: &Session<'_>, inputs: &Inputs<'_>) -> Result<(Vec<&'static str>, Vec<&'static str>), Outcome> {
    let registry = session.registry();
    let mut wanted = Vec::new();
    for text in inputs.texts("_type") {
        for name in text.split(',') {
            let known = registry.resource_types().iter().copied().find(|known| *known == name);
            let unknown = || refuse("_type", name, "names of resource types");
            wanted.push(known.ok_or_else(unknown)?);
        }
    }
    let is_wanted = |name: &&'static str| wanted.is_empty() || wanted.contains(name);
    let records: Vec<_> = registry.record_types().collect();
    let mut matches: Vec<_> = records.iter().copied().filter(is_wanted).collect();
    if wanted.is_empty() {
        matches.retain(|name| *name != EVENT);
        let may_search = |name: &&'static str| session.permit(Act::Search, name).is_ok();
        if matches.iter().any(may_search) {
            matches.retain(may_search);
        }
    }
    if matches.is_empty() {
        return Err(refuse(
            "_type",
            &wanted.join(","),
            "a type that is part of records, with or without others to include",
        ));
    }
    let others = registry.resource_types().iter().copied().filter(|name| !records.contains(name));
    Ok((matches, others.filter(is_wanted).collect()))
}

/// From `start` to `end`, days of care.
fn span(inputs: &Inputs<'_>) -> Result<Option<search::Span>, Outcome> {
    let (start, end) = (time(inputs, "start")?, time(inputs, "end")?);
    if start.is_none() && end.is_none() {
        return Ok(None);
    }
    let start = start.map_or(Instant(i64::MIN), |(start, _)| start);
    let end = end.map_or(Instant(i64::MAX), |(_, end)| end);
    match start < end {
        true => Ok(Some((start, end))),
        false => Err(Outcome::new(IssueType::BadRequest, "the input `end` is before `start`")),
    }
}

/// The first moment that an input means, and the first one after it.
fn time(inputs: &Inputs<'_>, name: &str) -> Result<Option<search::Span>, Outcome> {
    let Some(text) = inputs.text(name)? else { return Ok(None) };
    match DateTime::parse(&text) {
        Some(time) => Ok(Some(time.range())),
        None => Err(refuse(name, &text, "a date or time")),
    }
}

fn refuse(name: &str, value: &str, form: &str) -> Outcome {
    Outcome::new(IssueType::BadRequest, format!("the input `{name}` is {}, expected {form}", quoted(value)))
}
