//! Tree navigation, <http://hl7.org/fhirpath/N1/#tree-navigation>, and reflection.

use super::{Call, Function, function};
use crate::fhirpath::evaluate::{Evaluated, Evaluation};
use crate::fhirpath::reflection::type_of;
use crate::fhirpath::{Collection, Item};

pub(super) const FUNCTIONS: &[Function] = &[
    function("children", 0..=0, |evaluation, call| {
        let mut children = Collection::new();
        for item in &call.input {
            add_children(evaluation, item, &mut children)?;
        }
        Ok(children)
    }),
    function("descendants", 0..=0, descendants),
    function("type", 0..=0, |_, call| Ok(call.input.iter().map(type_of).collect())),
];

fn add_children<'a>(evaluation: &Evaluation<'a>, item: &Item<'a>, children: &mut Collection<'a>) -> Evaluated<()> {
    match item {
        Item::Element(element) => element.visit_children(evaluation.context.definitions, &mut |child| {
            evaluation.push(children, Item::Element(child))
        }),
        _ => Ok(()),
    }
}

/// Level by level: the list of what was found is also the list of what is still to be looked into.
fn descendants<'a>(evaluation: &Evaluation<'a>, call: Call<'a, '_>) -> Evaluated<Collection<'a>> {
    let mut found = Collection::new();
    for item in &call.input {
        add_children(evaluation, item, &mut found)?;
    }
    let mut next = 0;
    while next < found.len() {
        let item = found[next].clone();
        add_children(evaluation, &item, &mut found)?;
        next += 1;
    }
    Ok(found)
}
