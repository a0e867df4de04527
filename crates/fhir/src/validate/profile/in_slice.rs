//! Whether a value is in a slice that a profile names: the question of FHIRPath's `slice()`.

use super::super::Validator;
use super::{Issues, Scope, Walk};
use crate::definitions::Element;
use crate::fhirpath::ElementNode;
use crate::profile::{Profile, Rules, Slice, Slicing};

impl Validator<'_> {
    /// For each value of `resource` whether it is in a slice of a profile; `None` where the profile does not slice its element so.
    pub(crate) fn in_slice<'a>(
        &self,
        resource: ElementNode<'a>,
        profile: &Profile,
        name: &str,
        values: impl Iterator<Item = ElementNode<'a>>,
    ) -> Vec<Option<bool>> {
        let mut walk = Walk::new(self, resource, Issues::default());
        let mut in_slice = |value: ElementNode<'a>| {
            let slices = path_to(&profile.root, value.element?, name)?;
            let is_in = slices.iter().all(|(slicing, slice)| {
                let scope = Scope { profile, slice: None };
                let first = slicing.slices.iter().find(|slice| walk.is_in(scope, slice, value) == Some(true));
                first.is_some_and(|first| first.name == slice.name)
            });
            Some(is_in)
        };
        values.map(&mut in_slice).collect()
    }
}

/// The slices from the outermost to the named one, wherever in the profile the element is sliced. The profile's elements bound the depth.
fn path_to<'p>(rules: &'p Rules, element: &Element, name: &str) -> Option<Vec<(&'p Slicing, &'p Slice)>> {
    rules.children.iter().find_map(|child| {
        let here = std::ptr::eq(child.element, element).then(|| child.rules.slicing.as_ref()).flatten();
        here.and_then(|slicing| named(slicing, name)).or_else(|| path_to(&child.rules, element, name)).or_else(|| {
            let slices = child.rules.slicing.iter().flat_map(|slicing| &slicing.slices);
            slices.into_iter().find_map(|slice| path_to(&slice.rules, element, name))
        })
    })
}

/// The slice of a name, after those that it divides.
fn named<'p>(slicing: &'p Slicing, name: &str) -> Option<Vec<(&'p Slicing, &'p Slice)>> {
    slicing.slices.iter().find_map(|slice| {
        if *slice.name == *name {
            return Some(vec![(slicing, slice)]);
        }
        let mut below = named(slice.rules.slicing.as_ref()?, name)?;
        below.insert(0, (slicing, slice));
        Some(below)
    })
}
