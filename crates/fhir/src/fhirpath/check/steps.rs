//! What a step of a path makes of a type.

use super::signature::{Gives, Needs, Signature, signature};
use super::types::{Static, Type, Values};
use super::{Check, Problem, Scope};
use crate::fhirpath::expression::{Expr, Member, Place, Step};
use crate::fhirpath::functions::Function;
use crate::fhirpath::types::{Namespace, TypeName, system_type};

/// A projection that is repeated is looked at so often: what it gives is most often of the types that it began with.
const REPEATS_MAX: usize = 3;

impl Check {
    pub(super) fn step(&mut self, step: &Step, from: Static, scope: &Scope<'_>) -> Static {
        match step {
            Step::Members(members) => members.iter().fold(from, |from, member| self.member(member, from)),
            Step::Root(at, name) => self.root(*at, name, from),
            Step::Is(at, name) => {
                self.named(*at, name);
                Static::system("Boolean")
            }
            Step::As(at, name) => {
                self.one(*at, &from);
                self.narrowed(*at, name, from)
            }
            Step::OfType(at, name) => self.narrowed(*at, name, from),
            Step::At(at, index) => {
                let index = self.expression(index, scope);
                self.takes(*at, "an index", Values::INTEGER, &index);
                self.in_order(*at, "an index", &from);
                from.single()
            }
            Step::Call(at, function, arguments) => self.call(*at, function, arguments, from, scope),
        }
    }

    fn member(&mut self, member: &Member, from: Static) -> Static {
        let Some(types) = &from.types else { return Static { is_single: false, ..from } };
        let mut found = Static { is_single: from.is_single, is_ordered: from.is_ordered, ..Static::nothing() };
        let mut is_found = types.is_empty();
        for owner in types {
            let Type::Element(structure) = owner else {
                if owner.name() == "TypeInfo" || owner.name() == "Quantity" {
                    return Static::anything();
                }
                continue;
            };
            let Some(element) = structure.element(&member.name) else { continue };
            is_found = true;
            found.is_single &= element.max == Some(1);
            for element_type in &element.types {
                let structure = self.definitions.structure_of(element_type);
                found = found.or(&Static::of(Type::Element(structure)));
            }
        }
        match types.first() {
            Some(owner) if !is_found => {
                let problem = self.unknown(member, *owner);
                self.add(problem);
                Static::anything()
            }
            _ => found,
        }
    }

    fn unknown(&self, member: &Member, owner: Type) -> Problem {
        let (name, owner) = (&member.name, owner);
        let choice = match owner {
            Type::Element(structure) => structure.member(name).filter(|(element, _)| element.is_choice),
            Type::System(_) => None,
        };
        let message = match choice {
            Some((element, chosen)) => {
                format!("{} has no element `{name}`; write `{}.ofType({})`", owner.name(), element.name, chosen.code)
            }
            None => format!("{} has no element `{name}`", owner.name()),
        };
        Problem { at: member.at as usize, message, unknown: Some((name.to_string(), owner.name())) }
    }

    /// A type name at the start of a path.
    fn root(&mut self, at: Place, name: &TypeName, from: Static) -> Static {
        let Some(named) = self.named(at, name) else { return Static::anything() };
        let Some(types) = &from.types else { return Static { is_single: from.is_single, ..Static::of(named) } };
        let definitions = self.definitions;
        if types.is_empty() || types.iter().any(|it| definitions.is_a(it.name(), named.name())) {
            return from;
        }
        self.problem(at, format!("`{}` stands on {}, which it never is", named.name(), from.names()));
        Static::anything()
    }

    /// The type of a name; a problem when there is none.
    fn named(&mut self, at: Place, name: &TypeName) -> Option<Type> {
        let structure = self.definitions.structure(&name.name).map(Type::Element);
        let system = system_type(&name.name).map(Type::System);
        let found = match name.namespace {
            Namespace::Any => structure.or(system),
            Namespace::Fhir => structure,
            Namespace::System => system,
        };
        if found.is_none() && name.namespace != Namespace::System {
            self.problem(at, format!("type `{}` is unknown", name.name));
        }
        found
    }

    /// What `as` and `ofType()` leave.
    fn narrowed(&mut self, at: Place, name: &TypeName, from: Static) -> Static {
        match self.named(at, name) {
            Some(named) => Static { types: Static::of(named).types, ..from },
            None => Static::anything(),
        }
    }

    /// Which of several items `as` is meant for cannot be said.
    fn one(&mut self, at: Place, input: &Static) {
        if !input.is_single && input.types.is_some() {
            let names = input.names();
            self.problem(at, format!("`as` takes one item, {names} may be several; ofType() takes any number"));
        }
    }

    fn in_order(&mut self, at: Place, what: &str, input: &Static) {
        if !input.is_ordered {
            self.problem(at, format!("{what} needs an order, which these items do not have"));
        }
    }

    pub(super) fn takes(&mut self, at: Place, what: &str, wanted: Values, found: &Static) {
        if found.values(self.definitions).is_some_and(|values| !values.meets(wanted)) {
            self.problem(at, format!("{what} cannot be {}", found.names()));
        }
    }

    fn call(
        &mut self,
        at: Place,
        function: &'static Function,
        arguments: &[Expr],
        input: Static,
        scope: &Scope<'_>,
    ) -> Static {
        let Some(Signature { input: needs, arguments: wanted, gives }) = signature(function.name) else {
            return Static::anything();
        };
        match needs {
            Needs::Anything => {}
            Needs::Order => self.in_order(at, &format!("{}()", function.name), &input),
            Needs::Value(values) => self.takes(at, &format!("the input of {}()", function.name), values, &input),
        }
        if function.name == "repeat" {
            return self.repeated(&arguments[0], input);
        }
        let this = input.clone().single();
        let mut given = Vec::with_capacity(arguments.len());
        for (position, argument) in arguments.iter().enumerate() {
            let (is_criterion, values) = *wanted.get(position).or(wanted.last()).unwrap_or(&(false, Values::ALL));
            // A minus before a key says that it sorts downwards.
            let argument = match argument {
                Expr::Negate(_, key) if function.name == "sort" => key,
                argument => argument,
            };
            let found = self.expression(argument, &Scope { this: if is_criterion { &this } else { scope.this } });
            if values != Values::ALL {
                self.takes(at, &format!("argument {} of {}()", position + 1, function.name), values, &found);
            }
            given.push(found);
        }
        self.given(gives, input, &given)
    }

    fn repeated(&mut self, projection: &Expr, input: Static) -> Static {
        let mut found = Static::nothing();
        let mut from = input;
        for _ in 0..REPEATS_MAX {
            let this = from.single();
            let next = self.expression(projection, &Scope { this: &this });
            let known = found.types.as_ref().map(|types| types.len());
            found = found.or(&next);
            if found.types.as_ref().map(|types| types.len()) == known {
                break;
            }
            from = next;
        }
        found.many()
    }

    fn given(&mut self, gives: Gives, input: Static, arguments: &[Static]) -> Static {
        let argument = |position: usize| arguments.get(position).cloned().unwrap_or_else(Static::nothing);
        match gives {
            Gives::Input => input,
            Gives::Item => input.single(),
            Gives::One(name) => Static::system(name),
            Gives::Several(name) => Static::system(name).many(),
            Gives::Projection => {
                let projected = argument(0);
                Static { is_single: projected.is_single && input.is_single, is_ordered: input.is_ordered, ..projected }
            }
            Gives::Both => input.or(&argument(0)).many(),
            Gives::Choice => {
                let (first, second) = (argument(1), argument(2));
                let is_single = first.is_single && second.is_single;
                Static { is_single, ..first.or(&second) }
            }
            Gives::Elements(name) => match self.definitions.structure(name) {
                Some(structure) => Static::element(structure).many(),
                None => Static::anything(),
            },
            Gives::Children => Static::anything().unordered(),
            Gives::Targets => Static { is_single: input.is_single, ..Static::anything() },
            Gives::Anything => Static::anything(),
        }
    }
}
