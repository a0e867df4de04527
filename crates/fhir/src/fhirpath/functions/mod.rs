//! The functions by name: one registry, one file for each family of
//! <http://hl7.org/fhirpath/N1/#functions> and <https://hl7.org/fhir/R4/fhirpath.html#functions>.

mod boundary;
mod combining;
mod conversion;
mod definitional;
mod existence;
mod fhir;
mod filtering;
mod math;
mod navigation;
mod strings;
mod subsetting;
mod utility;

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;

use super::evaluate::{Evaluated, Evaluation, Scope};
use super::expression::Expr;
use super::item::{self, optional, single};
use super::{Collection, EvaluationError, Item};

/// A function as the parser finds it.
pub(super) struct Function {
    pub(super) name: &'static str,
    /// How many arguments it takes.
    pub(super) arity: RangeInclusive<usize>,
    pub(super) body: Body,
}

pub(super) type Body = for<'a> fn(&Evaluation<'a>, Call<'a, '_>) -> Evaluated<Collection<'a>>;

const FAMILIES: [&[Function]; 12] = [
    existence::FUNCTIONS,
    filtering::FUNCTIONS,
    subsetting::FUNCTIONS,
    combining::FUNCTIONS,
    conversion::FUNCTIONS,
    strings::FUNCTIONS,
    math::FUNCTIONS,
    boundary::FUNCTIONS,
    navigation::FUNCTIONS,
    utility::FUNCTIONS,
    fhir::FUNCTIONS,
    definitional::FUNCTIONS,
];

/// All of them.
pub(super) fn all() -> impl Iterator<Item = &'static Function> {
    FAMILIES.iter().flat_map(|family| family.iter())
}

/// The function of a name.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    all().find(|function| function.name == name)
}

const fn function(name: &'static str, arity: RangeInclusive<usize>, body: Body) -> Function {
    Function { name, arity, body }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A function's input and its arguments, not yet evaluated.
pub(super) struct Call<'a, 's> {
    pub(super) input: Collection<'a>,
    pub(super) arguments: &'a [Expr],
    pub(super) scope: &'s Scope<'a, 's>,
}

impl<'a> Call<'a, '_> {
    /// An argument as a collection, evaluated where the call stands; empty when it was not given.
    fn argument(&self, evaluation: &Evaluation<'a>, position: usize) -> Evaluated<Collection<'a>> {
        match self.arguments.get(position) {
            Some(argument) => evaluation.eval(argument, self.scope),
            None => Ok(Collection::new()),
        }
    }

    /// An argument as one value of a System type.
    fn value(&self, evaluation: &Evaluation<'a>, position: usize) -> Evaluated<Option<Item<'a>>> {
        let argument = self.argument(evaluation, position)?;
        Ok(single(&argument)?.map(|item| item.system(evaluation.context.definitions)))
    }

    fn text(&self, evaluation: &Evaluation<'a>, position: usize) -> Evaluated<Option<Cow<'a, str>>> {
        self.value(evaluation, position)?.map(text).transpose()
    }

    fn integer(&self, evaluation: &Evaluation<'a>, position: usize) -> Evaluated<Option<i64>> {
        match self.arguments.get(position) {
            Some(argument) => evaluation.integer(argument, self.scope),
            None => Ok(None),
        }
    }

    /// The input as one value of a System type; `None` when it is empty.
    fn input_value(&self, evaluation: &Evaluation<'a>) -> Evaluated<Option<Item<'a>>> {
        Ok(single(&self.input)?.map(|item| item.system(evaluation.context.definitions)))
    }

    fn input_text(&self, evaluation: &Evaluation<'a>) -> Evaluated<Option<Cow<'a, str>>> {
        self.input_value(evaluation)?.map(text).transpose()
    }

    /// The truth of the first argument for one item of the input.
    fn criterion(&self, evaluation: &Evaluation<'a>, item: &Item<'a>, index: usize) -> Evaluated<bool> {
        match self.arguments.first() {
            Some(criterion) => Ok(evaluation.truth(criterion, &self.scope.at(Some(item), index))? == Some(true)),
            None => Ok(true),
        }
    }
}

fn text(item: Item<'_>) -> Evaluated<Cow<'_, str>> {
    match item {
        Item::String(text) => Ok(text),
        // A date that is asked for as text is the text that it was written as.
        Item::Date(_) | Item::DateTime(_) | Item::Time(_) => Ok(Cow::Owned(item.to_string())),
        other => Err(EvaluationError::new(format!("expected a string, found {other:?}"))),
    }
}

fn boolean<'a>(value: bool) -> Collection<'a> {
    item::one(Item::Boolean(value))
}

fn integer<'a>(value: usize) -> Collection<'a> {
    item::one(Item::Integer(value as i64))
}

fn string(text: impl Into<Cow<'static, str>>) -> Item<'static> {
    Item::String(text.into())
}
