//! `_filter`, <https://hl7.org/fhir/R4/search_filter.html>: conditions as one expression.
//!
//! An expression becomes the criterion that its tests would be as parameters. `and` and `or` bind alike, from left to right. A filter in
//! brackets and the path after it are about one and the same resource.

mod operator;
mod parse;

pub(crate) use operator::beside;

use crate::chain;
use crate::compile::{Asked, Budget};
use crate::refusal::Refusal;
use crate::registry::Registry;
use crate::{Criterion, row};
use parse::{Expression, Step, Test};

/// The longest expression in bytes.
pub(crate) const LENGTH_MAX: usize = 8_000;

/// The condition that an expression sets to resources of a type.
pub(crate) fn criterion(
    registry: &Registry,
    resource_type: &'static str,
    asked: Asked<'_>,
) -> Result<Criterion, Refusal> {
    if asked.value.len() > LENGTH_MAX {
        return Err(Refusal::too_costly(format!("parameter `_filter` may have {LENGTH_MAX} bytes")));
    }
    let expression = parse::expression(asked.value)?;
    let place = Place { registry, resource_type, depth: asked.depth, budget: asked.budget };
    place.expression(&expression)
}

/// Where a part of an expression is asked.
#[derive(Clone, Copy)]
struct Place<'p> {
    registry: &'p Registry,
    resource_type: &'static str,
    /// How many joins stand around it.
    depth: usize,
    budget: &'p Budget,
}

impl Place<'_> {
    fn expression(self, expression: &Expression<'_>) -> Result<Criterion, Refusal> {
        Ok(match expression {
            Expression::All(parts) => Criterion::all(self.each(parts)?),
            Expression::Any(parts) => Criterion::any(self.each(parts)?),
            Expression::Not(inner) => {
                // What is left out is left out of the type, not of everything.
                let inner = match self.expression(inner)? {
                    Criterion::Filter(filter) => Criterion::Filter(filter.not()),
                    join => Criterion::Not(Box::new(join)),
                };
                Criterion::all(vec![Criterion::Filter(row::of_type(self.resource_type)), inner])
            }
            Expression::Test(test) => self.path(&test.path, test)?,
        })
    }

    fn each(self, parts: &[Expression<'_>]) -> Result<Vec<Criterion>, Refusal> {
        parts.iter().map(|part| self.expression(part)).collect()
    }

    /// What a test asks from here on: `path` is what is left of its path, at least one step.
    fn path(self, path: &[Step<'_>], test: &Test<'_>) -> Result<Criterion, Refusal> {
        let (step, rest) = path.split_first().expect("a path has a step");
        if let Some(has) = step.name.strip_prefix("_has:") {
            let asked = self.asked(has);
            return chain::has(self.registry, self.resource_type, asked, &|source, asked| {
                let last = Step { name: asked.name, filter: None };
                self.at(source, asked.depth).path(&[last], test)
            });
        }
        let Some(next) = rest.first() else {
            return operator::criterion(self.registry, self.resource_type, self.asked(step.name), test);
        };
        chain::follow(self.registry, self.resource_type, step.name, self.asked(next.name), &|target, asked| {
            let there = self.at(target, asked.depth);
            let criterion = there.path(rest, test)?;
            match &step.filter {
                Some(filter) => Ok(Criterion::all(vec![there.expression(filter)?, criterion])),
                None => Ok(criterion),
            }
        })
    }

    fn at(self, resource_type: &'static str, depth: usize) -> Self {
        Place { resource_type, depth, ..self }
    }

    fn asked<'a>(&'a self, name: &'a str) -> Asked<'a> {
        Asked { name, value: "", depth: self.depth, budget: self.budget }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, check_refused};

    const OBSERVATION: &str = r#"{"resourceType":"Observation","id":"o","status":"final","subject":{"reference":"Patient/ann"},
        "code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},"effectivePeriod":{"start":"2024-03-01","end":"2024-03-10"},
        "valueQuantity":{"value":120,"system":"http://unitsofmeasure.org","code":"mm[Hg]"}}"#;
    const PATIENT: &str = r#"{"resourceType":"Patient","id":"p","active":true,"birthDate":"1980-05-01","multipleBirthInteger":2,
        "name":[{"family":"Müller-Lang","given":["Peter","Jim"]}],"link":[{"other":{"reference":"Patient/q"},"type":"seealso"}]}"#;

    fn filters(cases: &[(&str, bool)]) -> Vec<(String, bool)> {
        cases.iter().map(|(text, expected)| (format!("_filter={text}"), *expected)).collect()
    }

    fn check_all(resource: &str, cases: &[(&str, bool)]) {
        let cases = filters(cases);
        check(resource, &cases.iter().map(|(text, expected)| (text.as_str(), *expected)).collect::<Vec<_>>());
    }

    #[test]
    fn compares_by_type() {
        check_all(
            PATIENT,
            &[
                (r#"name eq "peter""#, true),
                (r#"name eq "pet""#, false),
                ("name sw pet", true),
                ("name co ull", true),
                ("name co xyz", false),
                ("name ew lang", true),
                ("name ew mul", false),
                ("given ne peter", true),
                ("family ne muller-lang", false),
                ("family eq MULLER-LANG", true),
                ("birthdate eq 1980-05-01", true),
                ("birthdate ge 1980", true),
                ("birthdate gt 1980-05-01", false),
                ("birthdate sa 1979", true),
                ("birthdate eb 1979", false),
                ("birthdate ne 1979", true),
                ("birthdate pr true", true),
                ("birthdate pr false", false),
                ("death-date pr false", true),
                ("active eq true", true),
                ("active ne true", false),
                ("active ne false", true),
                ("link re Patient/q", true),
                ("link re https://flint.example/fhir/Patient/q", true),
                ("link re Patient/r", false),
                ("link ne Patient/r", true),
                ("id eq p", true),
                ("_id eq q", false),
            ],
        );
        check_all(
            OBSERVATION,
            &[
                ("code eq http://loinc.org|8480-6", true),
                ("code eq loinc|8480-6", true),
                ("code eq 8480-6", true),
                ("code ne loinc|8480-6", false),
                ("code ne 1", true),
                ("date po 2024-03-05", true),
                ("date po 2024-03", true),
                ("date po 2024-04", false),
                ("date po 2024-02-29", false),
                ("date po 2024-03-10", true),
                ("value-quantity gt 100", true),
                ("value-quantity lt 100|http://unitsofmeasure.org|mm[Hg]", false),
                ("value-quantity ap 118", true),
                ("code-value-quantity eq loinc|8480-6$gt100", true),
            ],
        );
    }

    #[test]
    fn combines_from_left_to_right() {
        // `t` is true of the patient, `f` is not.
        let (t, f) = ("active eq true", "active eq false");
        let cases = [
            (format!("{t} and {t}"), true),
            (format!("{t} and {f}"), false),
            (format!("{t} or {f}"), true),
            (format!("{t} or {t} and {f}"), false),
            (format!("{t} or ({t} and {f})"), true),
            (format!("{f} and {t} or {t}"), true),
            (format!("{f} and ({t} or {t})"), false),
            (format!("not({f})"), true),
            (format!("not ({t} or {f})"), false),
            (format!("not({t}) or {t}"), true),
            (format!("(({t}))"), true),
            (vec![t; 300].join(" and "), true),
            (vec![f; 300].join(" or "), false),
            (format!("  {t}   and not(not({t}))  "), true),
        ];
        check_all(PATIENT, &cases.iter().map(|(text, expected)| (text.as_str(), *expected)).collect::<Vec<_>>());
    }

    #[test]
    fn takes_values_as_they_are() {
        let named = |family: &str| format!(r#"{{"resourceType":"Patient","id":"p","name":[{{"family":"{family}"}}]}}"#);
        check_all(&named("a, b) $ |"), &[(r#"family eq "a, b) $ |""#, true), (r#"family co ", b)""#, true)]);
        check_all(&named(r"a\\b"), &[(r#"family eq "a\\b""#, true), (r#"family eq "a\u005cb""#, true)]);
        check_all(&named("and"), &[("family eq and and family eq and", true)]);
    }

    #[test]
    fn refuses_what_is_not_well_formed() {
        let deep = format!("_filter={}active eq true{}", "(".repeat(40), ")".repeat(40));
        let long = format!("_filter=family eq {}", "x".repeat(LENGTH_MAX));
        let mixed = format!("_filter=id eq p{}", " or id eq p and id eq p".repeat(17));
        let leaning = format!("_filter={}id eq p{}", "(".repeat(17), " or id eq p and id eq p)".repeat(17));
        let followed = format!("_filter={}.active eq true", ["link"; 6].join("."));
        check_refused(
            "Patient",
            &[
                ("_filter=", "parameter `_filter`"),
                ("_filter=active", "expected an operator"),
                ("_filter=active eq", "expected a value"),
                ("_filter=active is true", "operator `is` is unknown, known are eq, ne, co, "),
                ("_filter=(active eq true", "expected `)`"),
                ("_filter=active eq true)", "expected `and` or `or`"),
                ("_filter=active eq true nor active eq true", "expected `and` or `or`"),
                ("_filter=not active eq true", "expected `(` after `not`"),
                (r#"_filter=name eq "x"#, "expected a closing `\"`"),
                (r#"_filter=name eq "\q""#, "expected"),
                ("_filter=link[active eq true eq x", "expected"),
                ("_filter=link[active eq true] eq x", "expected `.` after `]`"),
                ("_filter=birthdate co 1980", "operator `co` is not for parameter `birthdate`, which takes eq, ne, "),
                (
                    "_filter=active gt true",
                    "operator `gt` is not for parameter `active`, which takes eq, ne, in, ni, ss, sb, pr",
                ),
                ("_filter=name gt a", "operator `gt` is not for parameter `name`, which takes eq, ne, co, sw, ew, pr"),
                ("_filter=active pr yes", "expected `true` or `false`"),
                ("_filter=birthdate eq x", "parameter `birthdate` has the value `eqx`"),
                ("_filter=nothing eq x", "parameter `nothing` of Patient is unknown"),
                ("_filter=name.family eq x", "parameter `name` of Patient is no reference to follow"),
                (&deep, "may nest 32 deep"),
                (&mixed, "may nest 32 deep"),
                (&leaning, "may nest 32 deep"),
                (&long, "parameter `_filter` may have 8000 bytes"),
                (&followed, "a parameter may chain 5 times"),
            ],
        );
    }
}
