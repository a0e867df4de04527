//! What an export is of.

use std::borrow::Cow;

use fhir::json::Node;
use fhir::outcome::quoted;
use fhir::{DateTime, Instant, IssueType, Outcome};
use repository::{Act, Key, Session, parse_query_string};
use search::{Contained, Criterion, Everything, Handling, Query, Scope, Summary, Whose};

use crate::Invocation;
use crate::inputs::Inputs;

/// How large what was asked for may be, as text: it is kept for a day.
const TEXT_MAX: usize = 64 * 1024;

/// Of every look there is one, each export among them: they come only when they are asked for.
const EVENT: &str = "AuditEvent";

/// The names of NDJSON that `_outputFormat` may have.
const FORMATS: [&str; 3] = ["application/fhir+ndjson", "application/ndjson", "ndjson"];

/// Where an export was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Level {
    System,
    Patients,
    Group(Key),
}

/// What was asked for, as far as it can be said in a query: so it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) level: Level,
    /// `_since`, `_type` (each by itself, all of them), `_typeFilter` and `patient`, decoded.
    pub(super) parameters: Vec<(String, String)>,
}

impl Level {
    /// The path before the operation.
    pub(super) fn path(&self) -> String {
        match self {
            Level::System => String::new(),
            Level::Patients => "Patient".to_owned(),
            Level::Group(group) => group.to_string(),
        }
    }

    pub(super) fn parse(path: &str) -> Option<Level> {
        match path {
            "" => Some(Level::System),
            "Patient" => Some(Level::Patients),
            group => Key::parse(group).map(Level::Group),
        }
    }
}

impl Asked {
    /// Refuses what cannot be understood, and what the caller may not see.
    pub(super) fn of(session: &Session<'_>, level: Level, invocation: &Invocation) -> Result<Asked, Outcome> {
        let inputs = Inputs::of(invocation);
        if let Some(format) = inputs.text("_outputFormat")?.filter(|format| !FORMATS.contains(&format.as_ref())) {
            return Err(refuse("_outputFormat", &format, "`application/fhir+ndjson`"));
        }
        match &level {
            Level::Group(group) => session.permit_read_of(group)?,
            Level::Patients => session.permit_read("Patient")?,
            Level::System => {}
        }
        let mut parameters: Vec<_> = inputs.text("_since")?.map(|since| pair("_since", since)).into_iter().collect();
        parameters.extend(types(session, &level, &inputs)?.into_iter().map(|name| pair("_type", name.into())));
        parameters.extend(inputs.texts("_typeFilter").into_iter().map(|filter| pair("_typeFilter", filter)));
        parameters.extend(inputs.texts("patient").into_iter().map(|patient| pair("patient", patient)));
        for patient in inputs.values("patient") {
            // One without a literal reference names nobody here: passed over, it would widen the export.
            let reference = patient.get("reference").and_then(Node::as_str).unwrap_or_default();
            parameters.push(pair("patient", reference));
        }
        if parameters.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > TEXT_MAX {
            let text = format!("what is asked for has more than {TEXT_MAX} bytes");
            return Err(Outcome::new(IssueType::TooCostly, text));
        }
        let asked = Asked { level, parameters };
        for name in asked.types() {
            asked.query(session, name, session.now())?;
        }
        for filter in asked.all("_typeFilter") {
            let name = filter.split_once('?').map(|(name, _)| name);
            if !name.is_some_and(|name| asked.types().any(|exported| exported == name)) {
                return Err(refuse("_typeFilter", filter, "`Type?query` of a type that is exported"));
            }
        }
        Ok(asked)
    }

    /// The types, in order.
    pub(super) fn types(&self) -> impl Iterator<Item = &str> {
        self.all("_type")
    }

    fn all(&self, wanted: &'static str) -> impl Iterator<Item = &str> {
        self.parameters.iter().filter(move |(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }

    /// The search for what is exported of a type, in order of ids: what was last written until then.
    pub(super) fn query(&self, session: &Session<'_>, name: &str, until: Instant) -> Result<Query, Outcome> {
        let registry = session.registry();
        let known = registry.resource_types().iter().copied().find(|known| *known == name);
        let name = known.ok_or_else(|| refuse("_type", name, "names of resource types"))?;
        session.permit(Act::Search, name)?;
        let scope = Scope { resource_type: Some(name), compartment: None };
        let query =
            |parameters: &[(String, String)]| registry.query(&scope, parameters, Handling::Strict, session.now());
        let base = query(&[pair("_sort", "_id".into())])?;
        let mut criteria = vec![base.criterion];
        if self.level != Level::System {
            let whose = self.whose(session)?;
            let asked = Everything { whose, matches: vec![name], included: Vec::new(), span: None, since: None };
            let Query { criterion, first, .. } = registry.everything(asked);
            criteria.push(Criterion::Any(first.into_iter().chain([criterion]).collect()));
        }
        let since = self.all("_since").next().map(|since| instant("_since", since)).transpose()?;
        // The last moment itself is in it.
        let span = (since.unwrap_or(Instant(i64::MIN)), Instant(until.0 + 1));
        criteria.push(Criterion::Filter(registry.committed(name, span)));
        let prefix = format!("{name}?");
        let mut filters = Vec::new();
        for text in self.all("_typeFilter").filter_map(|filter| filter.strip_prefix(&prefix)) {
            let filter = query(&parse_query_string(text)?)?;
            if !says_only_which(&filter) {
                let text = "the input `_typeFilter` takes parameters that say which resources match, and no others";
                return Err(Outcome::new(IssueType::BadRequest, text));
            }
            filters.push(filter.criterion);
        }
        if !filters.is_empty() {
            criteria.push(Criterion::Any(filters));
        }
        let applied = self.parameters.iter().filter(|(name, _)| name != "_type").cloned().collect();
        Ok(Query { criterion: Criterion::All(criteria), applied, ..base })
    }

    /// Whose records.
    fn whose(&self, session: &Session<'_>) -> Result<Whose, Outcome> {
        let registry = session.registry();
        let mut all = Vec::new();
        match (&self.level, session.only_patient()) {
            (Level::Group(group), _) => all.push(registry.members(group)),
            (_, Some(patient)) => all.push(Criterion::Filter(registry.identity(patient))),
            _ => {}
        }
        let mut named = Vec::new();
        for text in self.all("patient") {
            let key = session.local(text).filter(|key| key.collection() == "Patient");
            let key = key.ok_or_else(|| refuse("patient", text, "a reference to a Patient of this server"))?;
            named.push(Criterion::Filter(registry.identity(&key)));
        }
        if !named.is_empty() {
            all.push(Criterion::Any(named));
        }
        Ok(Whose::Those(Criterion::All(all)))
    }
}

/// The types to export: those of `_type`, or all that there can be and the caller may search.
fn types(session: &Session<'_>, level: &Level, inputs: &Inputs<'_>) -> Result<Vec<&'static str>, Outcome> {
    let registry = session.registry();
    let all: Vec<_> = match level {
        Level::System => registry.resource_types().to_vec(),
        _ => registry.record_types().collect(),
    };
    let texts = inputs.texts("_type");
    let mut wanted = Vec::new();
    for name in texts.iter().flat_map(|text| text.split(',')) {
        let known = all.iter().copied().find(|known| *known == name);
        let known = known.ok_or_else(|| refuse("_type", name, "names of resource types that are exported here"))?;
        if !wanted.contains(&known) {
            wanted.push(known);
        }
    }
    if wanted.is_empty() {
        let may_search = |name: &&str| *name != EVENT && session.permit(Act::Search, name).is_ok();
        wanted = all.iter().copied().filter(may_search).collect();
    }
    match wanted.is_empty() {
        true => Err(Outcome::new(IssueType::Forbidden, "the caller may search no type")),
        false => Ok(wanted),
    }
}

/// Whether a query is about nothing but which resources match.
fn says_only_which(query: &Query) -> bool {
    let is_whole = query.elements.is_empty() && query.summary == Summary::default();
    let is_alone = query.includes.is_empty() && query.contained == Contained::default();
    is_whole && is_alone && query.sort.is_empty() && query.count.is_none() && !query.explain
}

fn instant(name: &'static str, text: &str) -> Result<Instant, Outcome> {
    let time = DateTime::parse(text).filter(|_| fhir::is_instant(text));
    time.map(|time| time.range().0).ok_or_else(|| refuse(name, text, "an instant"))
}

fn pair(name: &str, value: Cow<'_, str>) -> (String, String) {
    (name.to_owned(), value.into_owned())
}

fn refuse(name: &str, value: &str, form: &str) -> Outcome {
    Outcome::new(IssueType::BadRequest, format!("the input `{name}` is {}, expected {form}", quoted(value)))
}
