//! Code systems that were imported: their concepts are packed, their CodeSystem resource has none.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use fhir::Outcome;
use fhir::json::Node;
use fhir::terminology::CodeSystem;

use crate::packed::Place;
use crate::{Session, fault};

/// Imported code systems by url, each read when it is first asked for. They are few, and stay until another version takes their place.
#[derive(Default)]
pub(crate) struct Imported(Mutex<HashMap<String, (Place, Arc<CodeSystem>)>>);

impl Imported {
    /// The concepts of a CodeSystem resource that has none; `None` when they were not imported.
    pub(super) fn find(&self, session: &Session<'_>, resource: Node<'_>) -> Result<Option<Arc<CodeSystem>>, Outcome> {
        let text = |name: &str| resource.get(name).and_then(Node::as_str);
        let (Some(url), Some("not-present")) = (text("url"), text("content").as_deref()) else { return Ok(None) };
        let system = self.read(session, &url)?;
        Ok(system.filter(|system| system.version() == text("version").as_deref()))
    }

    fn read(&self, session: &Session<'_>, url: &str) -> Result<Option<Arc<CodeSystem>>, Outcome> {
        let Some(place) = Place::find(session, url)? else { return Ok(None) };
        // Held while it is read, so that those who ask meanwhile wait for it instead of reading it as well.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, system)) = known.get(url).filter(|(of, _)| *of == place) {
            return Ok(Some(system.clone()));
        }
        let bytes = place.read(session, url)?;
        let system = CodeSystem::from_bytes(&bytes);
        let system = system.ok_or_else(|| fault::exception(&format!("the concepts of `{url}` are damaged")))?;
        let system = Arc::new(system);
        known.insert(url.to_owned(), (place, system.clone()));
        Ok(Some(system))
    }
}
