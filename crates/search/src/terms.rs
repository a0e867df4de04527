//! Conditions on tokens that terminology decides: `:in`, `:not-in`, `:below` and `:above`,
//! <https://hl7.org/fhir/R4/search.html#token>.
//!
//! What they ask is compiled here and answered once definitions can be looked up: value sets and hierarchies become equalities,
//! systems of which every code belongs become one condition on the system.

use std::cell::Cell;

use fhir::terminology::{self, Canonical, Codes, Source};
use fhir::{IssueType, Outcome};
use store::{Filter, Index};

use crate::contained::behind_filter;
use crate::escape::{split, unescape};
use crate::parameter::{BadValue, Wanted, codes_filter};
use crate::shape::Shape;

/// How many codes of value sets and hierarchies one search may compare, each counted for every type that it concerns.
pub const TERMS_CODES_MAX: usize = 50_000;

/// What one parameter asks of terminology.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// The parameter with its modifier, for messages.
    name: String,
    /// Where the parameter's rows stand.
    places: Vec<Index>,
    shape: Shape,
    relation: Relation,
    values: Vec<Value>,
    /// The references behind which it is asked of what a container holds, the innermost first.
    ways: Vec<Index>,
}

/// How codes must stand to what the query gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    In,
    NotIn,
    Below,
    Above,
}

#[derive(Clone, Debug, PartialEq)]
enum Value {
    ValueSet(String),
    Code { system: String, code: String },
}

impl Relation {
    /// The relation that a modifier names.
    pub(crate) fn parse(modifier: &str) -> Option<Relation> {
        Some(match modifier {
            "in" => Relation::In,
            "not-in" => Relation::NotIn,
            "below" => Relation::Below,
            "above" => Relation::Above,
            _ => return None,
        })
    }
}

impl Terms {
    /// Reads the values, which are well escaped and separated by commas; gives back one that cannot be asked for.
    pub(crate) fn parse<'v>(
        name: String,
        places: &[Index],
        shape: Shape,
        relation: Relation,
        values: &'v str,
    ) -> Result<Terms, (&'v str, BadValue)> {
        let value = |value| Value::parse(relation, shape, value).map_err(|bad| (value, bad));
        let values = split(values, b',').map(value).collect::<Result<_, _>>()?;
        Ok(Terms { name, places: places.to_vec(), shape, relation, values, ways: Vec::new() })
    }

    /// The filter that this amounts to. What is unknown to the source, or too large, is refused by the name of the parameter.
    /// `codes_left` is how many codes the whole search may still compare, [`TERMS_CODES_MAX`] at first.
    pub fn filter(&self, source: &dyn Source, codes_left: &Cell<usize>) -> Result<Filter, Outcome> {
        let mut filters = Vec::new();
        for value in &self.values {
            let codes = self.codes(source, value).map_err(|outcome| self.refused(outcome))?;
            let left = codes_left.get().checked_sub(codes.count() * self.places.len()).ok_or_else(|| {
                let text = format!(
                    "one search may compare {TERMS_CODES_MAX} codes of value sets and hierarchies over all types"
                );
                self.refused(Outcome::new(IssueType::TooCostly, text))
            })?;
            codes_left.set(left);
            filters.extend(self.places.iter().flat_map(|index| codes_filter(*index, self.shape, &codes)));
        }
        let filter = self.ways.iter().fold(Filter::Any(filters), |filter, way| behind_filter(*way, &filter));
        Ok(if self.relation == Relation::NotIn { filter.not() } else { filter })
    }

    /// The same, asked of what a container holds behind a reference.
    pub(crate) fn behind(&self, reference: Index) -> Terms {
        let mut terms = self.clone();
        terms.ways.push(reference);
        terms
    }

    fn codes(&self, source: &dyn Source, value: &Value) -> Result<Codes, Outcome> {
        let (system, code) = match value {
            Value::ValueSet(canonical) => return terminology::expand(source, Canonical::parse(canonical)),
            Value::Code { system, code } => (system, code),
        };
        let related = match self.relation {
            Relation::Above => terminology::ancestors(source, system, code)?,
            _ => terminology::descendants(source, system, code)?,
        };
        Ok(Codes { codes: [(system.clone(), related.into_iter().collect())].into(), ..Codes::default() })
    }

    /// What was not found is the client's mistake here: it named it.
    fn refused(&self, mut outcome: Outcome) -> Outcome {
        for issue in &mut outcome.issues {
            issue.diagnostics = format!("parameter `{}`: {}", self.name, issue.diagnostics);
            if issue.code == IssueType::NotFound {
                issue.code = IssueType::BadRequest;
            }
        }
        outcome
    }
}

impl Value {
    fn parse(relation: Relation, shape: Shape, value: &str) -> Result<Value, BadValue> {
        if matches!(relation, Relation::In | Relation::NotIn) {
            return match value.is_empty() {
                true => Err(BadValue("the url of a value set, or `ValueSet/id`")),
                false => Ok(Value::ValueSet(unescape(value).into_owned())),
            };
        }
        let (system, code) = match (Wanted::parse(value)?, shape.system) {
            (Wanted::Exactly { system, code }, _) if !system.is_empty() => (system.into_owned(), code),
            (Wanted::Code(code), Some(system)) if !system.is_empty() => (system.to_owned(), code),
            _ => return Err(BadValue("`system|code`")),
        };
        Ok(Value::Code { system, code: code.into_owned() })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fhir::json::Document;
    use fhir::terminology::{CODES_MAX, CodeSystem, ValueSet};

    use super::*;
    use crate::testing::{check_refused, query, rows};
    use crate::{Criterion, Handling};

    /// Of one code system and one value set.
    struct World;

    impl Source for World {
        fn code_system(&self, canonical: Canonical<'_>) -> Result<Option<Arc<CodeSystem>>, Outcome> {
            let text = br#"{"resourceType":"CodeSystem","url":"urn:animals","content":"complete","concept":[
                {"code":"Animal","concept":[{"code":"Cat"},{"code":"Dog"}]}]}"#;
            let document = Document::parse(text).expect("JSON");
            Ok((canonical.url == "urn:animals").then(|| Arc::new(CodeSystem::new(document.root()))))
        }

        fn value_set(&self, canonical: Canonical<'_>) -> Result<Option<Arc<ValueSet>>, Outcome> {
            let concepts =
                |count: usize| (0..count).map(|code| format!(r#"{{"code":"{code}"}}"#)).collect::<Vec<_>>().join(",");
            let include = match canonical.url {
                "urn:v:pets" => r#"{"system":"urn:animals","concept":[{"code":"Cat"},{"code":"Dog"}]}"#.to_owned(),
                "urn:v:snomed" => r#"{"system":"https://snomed.info/sct"}"#.to_owned(),
                "urn:v:sexes" => r#"{"system":"http://hl7.org/fhir/administrative-gender","concept":[{"code":"male"},{"code":"female"}]}"#.to_owned(),
                "urn:v:mime" => r#"{"system":"urn:ietf:bcp:13","concept":[{"code":"image/png"}]}"#.to_owned(),
                "urn:v:many" => format!(r#"{{"system":"urn:m","concept":[{}]}}"#, concepts(CODES_MAX)),
                _ => return Ok(None),
            };
            let text = format!(r#"{{"resourceType":"ValueSet","compose":{{"include":[{include}]}}}}"#);
            Ok(Some(Arc::new(ValueSet::new(Document::parse(text.as_bytes()).expect("JSON").root()))))
        }
    }

    fn filter(resource_type: &str, text: &str) -> Result<Filter, String> {
        let answer = |criterion: &Criterion| match criterion {
            Criterion::Filter(filter) => Ok(filter.clone()),
            Criterion::Terms(terms) => {
                terms.filter(&World, &Cell::new(TERMS_CODES_MAX)).map_err(|outcome| outcome.to_string())
            }
            other => panic!("{other:?}"),
        };
        match query(resource_type, text, Handling::Strict)?.criterion {
            Criterion::All(parts) => Ok(Filter::All(parts.iter().map(answer).collect::<Result<_, _>>()?)),
            other => answer(&other),
        }
    }

    #[test]
    fn finds_by_value_set_and_hierarchy() {
        let observation = r#"{"resourceType":"Observation","id":"o","status":"final","code":{"coding":[
            {"system":"urn:animals","code":"cat"},{"system":"http://snomed.info/sct","code":"1"}]},"language":"en"}"#;
        let bare = r#"{"resourceType":"Observation","id":"b","status":"final","code":{"coding":[{"code":"cat"}]}}"#;
        let patient = r#"{"resourceType":"Patient","id":"p","gender":"female"}"#;
        let document = r#"{"resourceType":"DocumentReference","id":"d","status":"current",
            "content":[{"attachment":{"contentType":"image/png"}}]}"#;
        for (resource, resource_type, text, expected) in [
            (observation, "Observation", "code:in=urn:v:pets", true),
            (observation, "Observation", "code:not-in=urn:v:pets", false),
            (observation, "Observation", "code:in=urn:v:snomed", true),
            (observation, "Observation", "code:in=urn:v:sexes,urn:v:pets", true),
            (observation, "Observation", "code:in=urn:v:sexes", false),
            (observation, "Observation", "code:below=urn:animals|Animal", true),
            (observation, "Observation", "code:below=urn:animals|Dog", false),
            (observation, "Observation", "code:below=urn:animals|Dog,urn:animals|Cat", true),
            (observation, "Observation", "code:above=urn:animals|Cat", true),
            (observation, "Observation", "code:above=urn:animals|Animal", false),
            (bare, "Observation", "code:in=urn:v:pets", false),
            (bare, "Observation", "code:not-in=urn:v:pets", true),
            (bare, "Observation", "value-concept:not-in=urn:v:pets", true),
            (patient, "Patient", "gender:in=urn:v:sexes", true),
            (document, "DocumentReference", "contenttype:in=urn:v:mime", true),
            (document, "DocumentReference", "contenttype:not-in=urn:v:mime", false),
            (patient, "Patient", "gender:not-in=urn:v:sexes", false),
            (patient, "Patient", "gender:in=urn:v:pets", false),
        ] {
            let filter = filter(resource_type, text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(filter.accepts(&rows(resource)), expected, "{text} on {resource}");
        }
    }

    #[test]
    fn refuses_what_is_unknown_or_too_large() {
        assert!(filter("Observation", "code:in=urn:v:many,urn:v:many,urn:v:many,urn:v:many,urn:v:many").is_ok());
        for (resource_type, text, expected) in [
            ("Observation", "code:in=urn:v:none", "parameter `code:in`: the value set `urn:v:none` is not known here"),
            (
                "Observation",
                "code:below=urn:none|x",
                "parameter `code:below`: the code system `urn:none` is not known here",
            ),
            ("Observation", "code:above=urn:animals|Cow", "the code system `urn:animals` has no code `Cow`"),
            (
                "Observation",
                "code:in=urn:v:many,urn:v:many,urn:v:many,urn:v:many,urn:v:many,urn:v:pets",
                "too-costly: parameter `code:in`: one search may compare 50000 codes",
            ),
            (
                "Patient",
                "gender:below=male",
                "the code system `http://hl7.org/fhir/administrative-gender` is not known here",
            ),
        ] {
            let refused = filter(resource_type, text).expect_err(text);
            assert!(refused.contains(expected), "{refused}");
        }
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        check_refused(
            "Observation",
            &[
                ("code:in=", "parameter `code` has the value ``, expected the url of a value set"),
                ("code:in=urn:v:pets,", "expected the url of a value set"),
                ("code:below=cat", "parameter `code` has the value `cat`, expected `system|code`"),
                ("code:above=|cat", "expected `system|code`"),
                ("code:below=urn:animals|", "expected `system|code`"),
                (r"code:in=a\b", r"expected `\` only before"),
                (
                    "identifier:in=urn:v:pets",
                    "modifier `:in` of `identifier` is unknown, allowed are :missing, :not, :text, :of-type",
                ),
                ("_id:below=a|b", "modifier `:below` of `_id` is unknown, allowed are :missing, :not"),
            ],
        );
        let many = vec!["urn:animals|Cat"; crate::parameter::VALUES_MAX + 1].join(",");
        check_refused("Observation", &[(&format!("code:below={many}"), "lists more than 2000 values")]);
    }
}
