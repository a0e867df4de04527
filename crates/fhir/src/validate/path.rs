//! Where in a document the walk is: kept on the stack, and turned into text only when there is something to say.

use std::fmt;

/// An element on the way from the root to the current one.
#[derive(Clone, Copy)]
pub(super) struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    /// The element's FHIRPath name: `value`, not `valueQuantity`.
    name: &'p str,
    /// The place among the items of an element that may repeat.
    index: Option<usize>,
}

impl<'p> Path<'p> {
    /// A resource that stands by itself, named by its type.
    pub(super) fn root(resource_type: &'p str) -> Path<'p> {
        Path { parent: None, name: resource_type, index: None }
    }

    /// An element of this one, without saying which item if it repeats.
    pub(super) fn child(&'p self, name: &'p str) -> Path<'p> {
        Path { parent: Some(self), name, index: None }
    }

    /// The name of the last element.
    pub(super) fn name(&self) -> &'p str {
        self.name
    }

    /// One item of this element.
    pub(super) fn item(self, index: usize) -> Path<'p> {
        Path { index: Some(index), ..self }
    }
}

impl fmt::Display for Path<'_> {
    /// The deepest path is as deep as the document, which the parser bounds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}.")?;
        }
        f.write_str(self.name)?;
        match self.index {
            Some(index) => write!(f, "[{index}]"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_fhirpath() {
        let bundle = Path::root("Bundle");
        let (entry, resource) = ("entry", "resource");
        let entry = bundle.child(entry).item(3);
        let resource = entry.child(resource);
        assert_eq!(resource.child("birthDate").to_string(), "Bundle.entry[3].resource.birthDate");
    }
}
