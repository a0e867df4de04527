//! From a query string to a [`Query`], <https://hl7.org/fhir/R4/search.html>.

use std::cell::Cell;

use fhir::{Instant, Issue, IssueType, Outcome, Severity};
use store::{Filter, Index};

use crate::conjunction::both;
use crate::dialect::{Dialect, Reading};
use crate::free_slots::FreeSlots;
use crate::parameter::{Indexed, Site, special};
use crate::refusal::{Refusal, shortened};
use crate::registry::Registry;
use crate::row;
use crate::{
    Criterion, Handling, Query, Scope, Summary, chain, compartment, filter_expression, include, list, result, sort,
};

/// How many parameters one query may have.
const PARAMETERS_MAX: usize = 200;

/// How many values one query may compare, each counted for every type and chain that it concerns.
const COMPARISONS_MAX: usize = 20_000;

/// What a query is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A client looks for something: what the dialect demands of its search holds as well.
    Search,
    /// It says which resources are meant.
    Selection,
    /// It decides about a write: identifiers are compared as they are written.
    Condition,
}

pub(crate) fn compile(
    registry: &Registry,
    scope: &Scope,
    parameters: &[(String, String)],
    handling: Handling,
    purpose: Purpose,
    now: Instant,
) -> Result<Query, Outcome> {
    if parameters.len() > PARAMETERS_MAX {
        return Err(Outcome::new(IssueType::TooCostly, format!("a query may have {PARAMETERS_MAX} parameters")));
    }
    let types = types(registry, scope, parameters)?;
    let mut conditions = Vec::with_capacity(types.len());
    for resource_type in &types {
        let mut criteria = vec![Criterion::Filter(row::of_type(resource_type))];
        if let Some(compartment) = &scope.compartment {
            criteria.push(compartment::criterion(registry, compartment, resource_type)?);
        }
        conditions.push(Conditions { criteria, spans: Vec::new(), once: Vec::new() });
    }
    let mut query = Query::new(types);
    let as_written = purpose == Purpose::Condition;
    let budget = Budget::new(as_written, now);
    let mut free_slots = (purpose == Purpose::Search && registry.dialect() == Dialect::Nhs && query.types == ["Slot"])
        .then(FreeSlots::default);
    for (name, value) in parameters {
        let reading = registry.dialect().read(registry, &query.types, name, value);
        let taken = free_slots.as_mut().map_or(Ok(false), |slots| slots.take(&reading));
        let taken = registry.dialect().check(&reading).and(taken);
        let effect = taken.and_then(|taken| match taken {
            true => Ok(Effect::Applied),
            false => result_parameter(registry, &mut query, scope, &reading.name, &reading.value)
                .unwrap_or_else(|| add_condition(registry, &budget, &query.types, &mut conditions, &reading)),
        });
        match effect {
            Ok(Effect::Applied) => query.applied.push((reading.name.into_owned(), reading.value.into_owned())),
            Ok(Effect::Elsewhere) => {}
            Err(Refusal::Ignored(warning)) => query.warnings.push(warning),
            Err(Refusal::Unknown(outcome)) if handling == Handling::Lenient => {
                query
                    .warnings
                    .extend(outcome.issues.into_iter().map(|issue| Issue { severity: Severity::Warning, ..issue }));
            }
            Err(Refusal::Unknown(outcome) | Refusal::Bad(outcome)) => return Err(outcome),
        }
    }
    if let (Some(slots), [conditions]) = (free_slots, &mut conditions[..]) {
        slots.check()?;
        conditions.criteria.extend(slots.criterion(registry, &budget).map_err(Refusal::outcome)?);
    }
    if query.summary == Summary::Text && !query.includes.is_empty() {
        let text = "`_include` and `_revinclude` do not go with `_summary=text`";
        return Err(Outcome::new(IssueType::BadRequest, text));
    }
    result::check_contained(&query, as_written).map_err(Refusal::outcome)?;
    query.criterion = Criterion::any(conditions.into_iter().map(Conditions::all).collect());
    Ok(query)
}

/// What is asked of resources of one type.
struct Conditions {
    criteria: Vec<Criterion>,
    /// Those on parameters with one value, by index; several on one become one.
    spans: Vec<(Index, Filter)>,
    /// Those so far that may not come again.
    once: Vec<Index>,
}

impl Conditions {
    fn add(
        &mut self,
        registry: &Registry,
        budget: &Budget,
        resource_type: &'static str,
        reading: &Reading<'_>,
    ) -> Result<(), Refusal> {
        let asked = Asked { name: &reading.name, value: &reading.value, depth: 0, budget };
        if !reading.also.is_empty() {
            self.criteria.push(alternatives(registry, resource_type, asked, &reading.also)?);
            return Ok(());
        }
        let criterion = criterion(registry, resource_type, asked)?;
        let parameter = registry.table(resource_type).and_then(|table| table.get(asked.name));
        if let Some(parameter) =
            parameter.filter(|parameter| parameter.limits().is_some_and(|limits| limits.single_and))
        {
            if self.once.contains(&parameter.index) {
                return Err(Refusal::bad(format!("parameter `{}` stands once in a query", shortened(asked.name))));
            }
            self.once.push(parameter.index);
        }
        let index = parameter.filter(|parameter| parameter.shape.has_one_row).map(|parameter| parameter.index);
        match (criterion, index) {
            (Criterion::Filter(filter), Some(index)) => {
                match self.spans.iter_mut().find(|(other, _)| *other == index) {
                    Some((_, earlier)) => *earlier = both(std::mem::replace(earlier, Filter::nothing()), filter),
                    None => self.spans.push((index, filter)),
                }
            }
            (criterion, _) => self.criteria.push(criterion),
        }
        Ok(())
    }

    fn all(mut self) -> Criterion {
        self.criteria.extend(self.spans.into_iter().map(|(_, filter)| Criterion::Filter(filter)));
        Criterion::all(self.criteria)
    }
}

/// What became of a parameter that was understood.
pub(crate) enum Effect {
    Applied,
    /// It concerns the form of the answer, which is not decided here.
    Elsewhere,
}

/// The types to search.
fn types(registry: &Registry, scope: &Scope, parameters: &[(String, String)]) -> Result<Vec<&'static str>, Outcome> {
    if let Some(resource_type) = scope.resource_type {
        return Ok(vec![resource_type]);
    }
    let definitions = registry.site().definitions;
    let mut wanted = Vec::new();
    for (_, value) in parameters.iter().filter(|(name, _)| name == "_type") {
        for name in value.split(',') {
            let unknown =
                || format!("parameter `_type` has the value `{}`, expected names of resource types", shortened(name));
            let name = definitions.resource_type(name).ok_or_else(|| Outcome::new(IssueType::BadRequest, unknown()))?;
            if !wanted.contains(&name) {
                wanted.push(name);
            }
        }
    }
    let in_scope = |name: &&str| match &scope.compartment {
        Some(compartment) => compartment::has_type(registry, compartment, name),
        None => true,
    };
    if wanted.is_empty() {
        wanted = definitions.resource_types().to_vec();
        wanted.retain(|name| in_scope(name));
    }
    Ok(wanted)
}

/// Applies a parameter that is not about which resources match; `None` for one that is.
fn result_parameter(
    registry: &Registry,
    query: &mut Query,
    scope: &Scope,
    name: &str,
    value: &str,
) -> Option<Result<Effect, Refusal>> {
    let (base, modifier) = split_modifier(name);
    let applied = match base {
        "_include" | "_revinclude" => include::apply(registry, query, base == "_revinclude", modifier, value),
        _ if modifier.is_some() => return None,
        "_format" | "_pretty" => return Some(Ok(Effect::Elsewhere)),
        "_type" => match scope.resource_type {
            Some(resource_type) if value != resource_type => {
                Err(Refusal::bad_value("_type", value, "the type in the URL"))
            }
            _ => Ok(()),
        },
        "_sort" => sort::apply(registry, query, value),
        _ => result::apply(query, name, value)?,
    };
    Some(applied.map(|()| Effect::Applied))
}

/// What one parameter asks, at one place of a chain.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: &'a str,
    /// How many joins stand around it.
    pub(crate) depth: usize,
    pub(crate) budget: &'a Budget,
}

/// What holds for all that a query asks, and how much it may still ask.
pub(crate) struct Budget {
    left: Cell<usize>,
    /// Whether identifiers are compared as they are written.
    as_written: bool,
    now: Instant,
}

impl Budget {
    pub(crate) fn new(as_written: bool, now: Instant) -> Budget {
        Budget { left: Cell::new(COMPARISONS_MAX), as_written, now }
    }

    /// The time of the search.
    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    pub(crate) fn spend(&self, comparisons: usize) -> Result<(), Refusal> {
        let left = self.left.get().checked_sub(comparisons).ok_or_else(|| {
            let text = format!(
                "a query may compare {COMPARISONS_MAX} values over all types that they concern; name the types"
            );
            Refusal::too_costly(text)
        })?;
        self.left.set(left);
        Ok(())
    }
}

fn add_condition(
    registry: &Registry,
    budget: &Budget,
    types: &[&'static str],
    conditions: &mut [Conditions],
    reading: &Reading<'_>,
) -> Result<Effect, Refusal> {
    let name = &reading.name;
    if is_foreign(registry, types, name) {
        let text = format!("parameter `{}` is unknown and was left out", shortened(name));
        return Err(Refusal::Ignored(Issue::warning(IssueType::NotSupported, text)));
    }
    for (resource_type, conditions) in types.iter().zip(conditions) {
        conditions.add(registry, budget, resource_type, reading).map_err(|refusal| match refusal {
            Refusal::Unknown(outcome) if types.len() > 1 && !is_known(&outcome) => {
                Refusal::unknown(format!("parameter `{}` is not common to all types searched", shortened(name)))
            }
            refusal => refusal.naming(name),
        })?;
    }
    Ok(Effect::Applied)
}

/// What a parameter asks, or what answers it as well; refused only when none of them can be asked.
fn alternatives(
    registry: &Registry,
    resource_type: &'static str,
    asked: Asked<'_>,
    also: &[(String, String)],
) -> Result<Criterion, Refusal> {
    let also = also.iter().map(|(name, value)| Asked { name, value, ..asked });
    let mut criteria = Vec::new();
    let mut refused = None;
    for asked in std::iter::once(asked).chain(also) {
        match criterion(registry, resource_type, asked) {
            Ok(criterion) => criteria.push(criterion),
            Err(refusal) if refusal.is_too_costly() => return Err(refusal),
            Err(refusal) => _ = refused.get_or_insert(refusal),
        }
    }
    match refused {
        Some(refusal) if criteria.is_empty() => Err(refusal),
        _ => Ok(Criterion::any(criteria)),
    }
}

/// Whether a name is one of those that clients and proxies add for themselves: `_` before what no type knows.
fn is_foreign(registry: &Registry, types: &[&'static str], name: &str) -> bool {
    let code = name.split([':', '.']).next().unwrap_or_default();
    let knows = |resource_type: &&str| registry.table(resource_type).is_some_and(|table| table.get(code).is_some());
    code.starts_with('_') && code != "_has" && !special::is_defined(code) && !types.iter().any(knows)
}

/// Whether a refusal is about a parameter that R4 defines and this server does not serve.
fn is_known(outcome: &Outcome) -> bool {
    outcome.issues.iter().any(|issue| issue.code == IssueType::NotSupported)
}

/// The condition that a parameter sets to resources of a type.
pub(crate) fn criterion(
    registry: &Registry,
    resource_type: &'static str,
    asked: Asked<'_>,
) -> Result<Criterion, Refusal> {
    if let Some(rest) = asked.name.strip_prefix("_has:") {
        let asked = Asked { name: rest, ..asked };
        return chain::has(registry, resource_type, asked, &|source, asked| criterion(registry, source, asked));
    }
    if let Some((reference, rest)) = asked.name.split_once('.') {
        let rest = Asked { name: rest, ..asked };
        return chain::follow(registry, resource_type, reference, rest, &|target, rest| {
            criterion(registry, target, rest)
        });
    }
    match asked.name {
        "_filter" => return filter_expression::criterion(registry, resource_type, asked),
        "_list" => return list::criterion(registry, resource_type, asked),
        _ => {}
    }
    let (code, modifier) = split_modifier(asked.name);
    let parameter = parameter(registry, resource_type, code)?;
    if let Some(limits) = parameter.limits() {
        limits.check(&parameter.definition, modifier, asked.value)?;
    }
    asked.budget.spend(asked.value.matches(',').count() + 1)?;
    let site = Site { as_written: asked.budget.as_written, ..registry.site() };
    parameter.criterion(site, modifier, asked.value, asked.budget.now)
}

/// `name:exact` as `name` and `exact`.
pub(crate) fn split_modifier(name: &str) -> (&str, Option<&str>) {
    name.split_once(':').map_or((name, None), |(base, modifier)| (base, Some(modifier)))
}

/// A parameter of a type by its code.
pub(crate) fn parameter<'r>(registry: &'r Registry, resource_type: &str, code: &str) -> Result<&'r Indexed, Refusal> {
    let parameters = registry.table(resource_type);
    match parameters.and_then(|table| table.get(code)) {
        Some(parameter) => parameter.ready().map(|()| parameter),
        None if special::is_defined(code) => Err(Refusal::Unknown(special::refuse(resource_type, code))),
        None => Err(Refusal::parameter(resource_type, code, parameters.map_or(&[], |table| &table.parameters))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameter::VALUES_MAX;
    use crate::testing::{NOW, check, check_refused, query, registry, rows};

    fn everywhere(parameters: &[(&str, &str)]) -> Result<Query, String> {
        let parameters: Vec<_> = parameters.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let scope = Scope { resource_type: None, compartment: None };
        registry().query(&scope, &parameters, Handling::Strict, NOW).map_err(|outcome| outcome.to_string())
    }

    #[test]
    fn refuses_what_is_unknown_and_names_the_nearest() {
        check_refused(
            "Patient",
            &[
                ("famly=x", "parameter `famly` of Patient is unknown, known are family, "),
                ("birthDate=2000", "parameter `birthDate` of Patient is unknown, known are birthdate, "),
                ("text=x", "parameter `text` of Patient is unknown, known are _text, _id, "),
                ("=x", "parameter `` of Patient is unknown"),
                ("name:foo=x", "modifier `:foo` of `name` is unknown"),
                ("name:=x", "modifier `:` of `name` is unknown"),
                ("_sort=_score", "parameter `_score` of Patient is unknown"),
                ("organization._foo=x", "no target of `organization` has the parameter `_foo`"),
                ("organization:Organization._foo=x", "parameter `_foo` of Organization is unknown"),
                ("_has:Observation:patient:_foo=x", "parameter `_foo` of Observation is unknown"),
                ("_id:foo=x", "modifier `:foo` of `_id` is unknown"),
                ("_type=Observation", "parameter `_type` has the value `Observation`, expected the type in the URL"),
            ],
        );
    }

    #[test]
    fn leniency_leaves_out_what_is_unknown_and_nothing_else() {
        let lenient = |text: &str| query("Patient", text, Handling::Lenient);
        for text in ["famly=x", "name:foo=x", "_sort=nam", "_include=Patient:nothing", "_has:Nothing:x:y=z"] {
            let query = lenient(&format!("gender=male&{text}")).expect("lenient");
            assert_eq!(query.applied, [("gender".to_owned(), "male".to_owned())], "{text}");
            assert_eq!(query.warnings.len(), 1, "{text}");
            assert_eq!(query.warnings[0].severity, Severity::Warning);
        }
        for text in ["birthdate=x", "name=", "_count=x", r"name=\"] {
            assert!(lenient(text).is_err(), "{text}");
        }
    }

    #[test]
    fn unknown_names_of_clients_are_left_out_with_a_warning() {
        let text = "_totalMethod=count&gender=male&_format=json&_pretty=true&_foo:bar=x";
        let query = query("Patient", text, Handling::Strict);
        let query = query.expect("valid");
        assert_eq!(query.applied, [("gender".to_owned(), "male".to_owned())]);
        assert_eq!(query.warnings.len(), 2);
        assert_eq!(query.warnings[0].diagnostics, "parameter `_totalMethod` is unknown and was left out");
    }

    #[test]
    fn searches_a_type_alone() {
        check(
            r#"{"resourceType":"Patient","id":"p"}"#,
            &[("", true), ("gender:missing=true", true), ("gender:not=male", true)],
        );
        let Criterion::Filter(filter) = query("Patient", "", Handling::Strict).expect("valid").criterion else {
            panic!()
        };
        assert!(!filter.accepts(&rows(r#"{"resourceType":"Practitioner","id":"p"}"#)));
    }

    #[test]
    fn searches_several_types() {
        let tagged = |name: &str| format!(r#"{{"resourceType":"{name}","id":"x","meta":{{"tag":[{{"code":"t"}}]}}}}"#);
        let accepts = |query: &Query, name: &str| match &query.criterion {
            Criterion::Filter(filter) => filter.accepts(&rows(&tagged(name))),
            _ => panic!("a join"),
        };
        let all = everywhere(&[("_tag", "t")]).expect("valid");
        assert_eq!(all.types.len(), 146);
        assert!(accepts(&all, "Patient") && accepts(&all, "Device"));
        assert!(!accepts(&everywhere(&[("_tag", "u")]).expect("valid"), "Patient"));
        let some = everywhere(&[("_type", "Patient,Group"), ("_tag", "t"), ("_type", "Patient")]).expect("valid");
        assert_eq!(some.types, ["Patient", "Group"]);
        assert!(accepts(&some, "Patient") && !accepts(&some, "Device"));
        assert_eq!(some.applied.len(), 3);
        assert!(accepts(&everywhere(&[]).expect("valid"), "Device"));
    }

    #[test]
    fn several_types_have_only_common_parameters() {
        for (parameters, message) in [
            (&[("name", "x")][..], "parameter `name` is not common to all types searched"),
            (&[("_type", "Patient,Slot"), ("name", "x")], "parameter `name` is not common"),
            (&[("_type", "Patients")], "parameter `_type` has the value `Patients`, expected names of resource types"),
            (&[("_type", "")], "expected names of resource types"),
            (&[("_text", "x")], "is not served"),
        ] {
            let refused = everywhere(parameters).expect_err(message);
            assert!(refused.contains(message), "{refused}");
        }
        assert!(everywhere(&[("_type", "Patient,Practitioner"), ("name", "x")]).is_ok());
        assert!(everywhere(&[("_type", "Patient"), ("_sort", "family"), ("name", "x")]).is_ok());
    }

    #[test]
    fn no_value_is_too_strange() {
        let long = "x".repeat(1_000);
        let values = [
            "",
            "|",
            "||",
            "$",
            "$$",
            ",",
            ",,",
            r"\",
            r"\\",
            "é",
            "\0",
            "ge",
            "-",
            "+",
            "1e400",
            "1e-400",
            "-0",
            "a|b|c|d",
            "#",
            "#a",
            "/",
            "Patient/",
            "http://",
            "urn:uuid:",
            "9999-12-31T23:59:60Z",
            "0001",
            "ge0001-01-01T00:00:00+14:00",
            "ap9999",
            "ap0001",
            "99999999999999999999999999999999999999|u|c",
            "ap-1e300||x",
            "1$2$3",
            &long,
        ];
        let mut taken = 0;
        for resource_type in fhir::Definitions::r4().resource_types() {
            for parameter in registry().parameters(resource_type) {
                for value in values {
                    let scope = Scope { resource_type: Some(resource_type), compartment: None };
                    let parameters = [(parameter.code.to_owned(), value.to_owned())];
                    match registry().query(&scope, &parameters, Handling::Strict, NOW) {
                        Ok(query) => taken += usize::from(query.applied.len() == 1),
                        Err(outcome) => assert!(outcome.to_string().contains(&parameter.code), "{outcome}"),
                    }
                }
            }
        }
        assert!(taken > 10_000, "{taken}");
    }

    #[test]
    fn limits_what_a_query_may_ask() {
        let parameters = vec!["gender=male"; PARAMETERS_MAX].join("&");
        assert!(query("Patient", &parameters, Handling::Strict).is_ok());
        let values = vec!["x"; VALUES_MAX].join(",");
        assert!(query("Patient", &format!("_id={values}"), Handling::Strict).is_ok());
        check_refused(
            "Patient",
            &[
                (&format!("{parameters}&gender=male"), "a query may have 200 parameters"),
                (&format!("_id={values},x"), "parameter `_id` lists more than 2000 values"),
            ],
        );
        let ids = vec!["x"; COMPARISONS_MAX / 146].join(",");
        assert!(everywhere(&[("_id", &ids)]).is_ok());
        let refused = everywhere(&[("_id", &ids), ("_tag", &ids)]).expect_err("refused");
        assert!(refused.contains("a query may compare 20000 values"), "{refused}");
        // Open chains over references to anything grow with each step.
        check_refused(
            "Provenance",
            &[(
                "target.subject.subject.subject.subject._id=x",
                "parameter `target.subject.subject.subject.subject._id`: a query may compare 20000 values",
            )],
        );
        assert!(query("Provenance", "target._id=x", Handling::Strict).is_ok());
    }
}
