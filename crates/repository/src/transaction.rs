//! A transaction in the making, as rules see it.

use std::sync::Arc;

use fhir::Outcome;
use fhir::json::Document;
use store::{Key, Millis};

/// The planned writes over a snapshot. What is read here is checked again by the commit: if another request changed it meanwhile, the whole
/// transaction is made anew.
pub struct Transaction<'a> {
    marker: std::marker::PhantomData<&'a ()>,
}

impl Transaction<'_> {
    /// The content as this transaction leaves it: planned writes first, then the store. `None` when there is none or it is deleted.
    pub fn read(&mut self, _key: &Key) -> Result<Option<Arc<Document>>, Outcome> {
        todo!()
    }

    /// Plans a new version with this content (validated and indexed like any other), in place of an earlier plan for the same key.
    pub fn put(&mut self, _key: &Key, _document: Document) -> Result<(), Outcome> {
        todo!()
    }

    /// Takes a name that only one may hold; somebody else's claim refuses the transaction with `refusal`.
    pub fn claim(&mut self, _name: Vec<u8>, _value: Vec<u8>, _refusal: Outcome) {
        todo!()
    }

    /// Gives a name back.
    pub fn release(&mut self, _name: Vec<u8>) {
        todo!()
    }

    /// The time of the request.
    pub fn now(&self) -> Millis {
        todo!()
    }
}
