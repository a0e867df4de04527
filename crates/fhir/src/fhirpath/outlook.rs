//! What can be said of an expression without evaluating it.

use super::Expression;
use super::expression::{Expr, Path, Step, Variable};
use crate::Definitions;
use crate::definitions::Structure;

impl Expression {
    /// What the result rests on besides the element that the evaluation begins with, as it is written: the time, a variable, the target
    /// of a reference. `resolve() is Patient` looks at the reference only.
    pub fn outside(&self) -> Option<String> {
        outside(&self.0)
    }

    /// The first member name that no element at its place has when the input is of a type, with the type that lacks it.
    pub fn unknown_member(
        &self,
        definitions: &'static Definitions,
        structure: &'static Structure,
    ) -> Option<(String, &'static str)> {
        self.check(definitions, structure).problems.into_iter().find_map(|problem| problem.unknown)
    }
}

fn outside(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Variable(Variable::Context) => Some("%context".to_owned()),
        Expr::Variable(Variable::Resource) => Some("%resource".to_owned()),
        Expr::Variable(Variable::RootResource) => Some("%rootResource".to_owned()),
        Expr::Named(_, name) => Some(format!("%{name}")),
        Expr::Path(path) => outside_of_path(path, false),
        Expr::Chain(chain) => {
            outside(&chain.first).or_else(|| chain.rest.iter().find_map(|operation| outside(&operation.right)))
        }
        Expr::Negate(_, inner) => outside(inner),
        Expr::Empty | Expr::Literal(_) | Expr::Pattern(_) | Expr::This | Expr::Index | Expr::Total => None,
    }
}

/// `typed`: what comes next asks only for the type of the path's end.
fn outside_of_path(path: &Path, typed: bool) -> Option<String> {
    let is_type = |step: Option<&Step>| matches!(step, Some(Step::Is(..)));
    let start = match &path.start {
        Expr::Path(inner) => outside_of_path(inner, is_type(path.steps.first())),
        start => outside(start),
    };
    start.or_else(|| {
        path.steps.iter().enumerate().find_map(|(at, step)| match step {
            Step::Call(_, function, arguments) => {
                let next = path.steps.get(at + 1);
                let is_typed = is_type(next) || (next.is_none() && typed);
                match function.name {
                    "now" | "today" | "timeOfDay" => Some(format!("{}()", function.name)),
                    "resolve" if !is_typed => Some("resolve()".to_owned()),
                    _ => arguments.iter().find_map(outside),
                }
            }
            Step::At(_, index) => outside(index),
            Step::Members(_) | Step::Root(..) | Step::Is(..) | Step::As(..) | Step::OfType(..) => None,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_an_expression_rests_on() {
        for (text, expected) in [
            ("Patient.name.given", None),
            ("Observation.subject.where(resolve() is Patient)", None),
            ("Observation.subject.where((resolve()) is Patient).reference", None),
            ("Observation.subject.resolve().name", Some("resolve()")),
            ("Observation.subject.where(resolve().exists())", Some("resolve()")),
            ("Patient.birthDate > today()", Some("today()")),
            ("Patient.extension.where(value = %resource.id)", Some("%resource")),
            ("Patient.name | %context.id", Some("%context")),
            ("Patient.extension.where(url='now()').value", None),
        ] {
            assert_eq!(Expression::parse(text).expect(text).outside().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn names_members_that_are_not_there() {
        let definitions = Definitions::r4();
        for (text, expected) in [
            ("Patient.name.given", None),
            ("Patient.nmae", Some(("nmae", "Patient"))),
            ("Patient.name.frist", Some(("frist", "HumanName"))),
            ("(Patient.deceased as dateTime)", None),
            ("Patient.deceased.start", Some(("start", "boolean"))),
            ("Observation.value", None),
            ("Patient.extension.where(url='u').value", None),
            ("Patient.extension('u').vlaue", Some(("vlaue", "Extension"))),
            ("extension('u').value.ofType(Coding).code", None),
            ("Patient.name | Patient.x", Some(("x", "Patient"))),
            ("Patient.contained.anything", None),
            ("Patient.contact.name.family", None),
            ("Patient.contact.familiy", Some(("familiy", "Patient.contact"))),
        ] {
            let patient = definitions.structure("Patient").expect("a type");
            let found = Expression::parse(text).expect(text).unknown_member(definitions, patient);
            assert_eq!(found.as_ref().map(|(name, owner)| (name.as_str(), *owner)), expected, "{text}");
        }
        for resource_type in definitions.resource_types() {
            let structure = definitions.structure(resource_type).expect("a type");
            for parameter in definitions.search_parameters(resource_type) {
                if let Ok(expression) = Expression::parse(&parameter.expression) {
                    assert_eq!(expression.unknown_member(definitions, structure), None, "{}", parameter.url);
                    assert_eq!(expression.outside(), None, "{}", parameter.url);
                }
            }
        }
    }
}
