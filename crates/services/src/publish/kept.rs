//! The manifest that was made last.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use fhir::{Instant, Outcome};

/// A manifest, which is the same for everybody, and when it was made.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<Option<(Instant, Bytes)>>);

impl Kept {
    /// The manifest that was made less than `age_max` microseconds ago, else a new one. Whoever asks while one is made waits for it: anybody may
    /// ask, and it is dear.
    pub(super) fn manifest(
        &self,
        now: Instant,
        age_max: i64,
        make: impl FnOnce() -> Result<String, Outcome>,
    ) -> Result<Bytes, Outcome> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((made, manifest)) = &*kept
            && (0..age_max).contains(&now.0.saturating_sub(made.0))
        {
            return Ok(manifest.clone());
        }
        let manifest = Bytes::from(make()?);
        *kept = Some((now, manifest.clone()));
        Ok(manifest)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use fhir::IssueType;

    use super::*;

    #[test]
    fn one_is_made_in_a_while() {
        let (kept, made) = (Kept::default(), Cell::new(0));
        let ask = |now| {
            let make = || {
                made.set(made.get() + 1);
                Ok(made.get().to_string())
            };
            kept.manifest(Instant(now), 60, make).expect("made")
        };
        let fails = kept.manifest(Instant(100), 60, || Err(Outcome::new(IssueType::Exception, "x")));
        assert!(fails.is_err(), "and is not kept");
        for (now, expected) in [(100, "1"), (159, "1"), (160, "2"), (219, "2"), (220, "3"), (10, "4"), (10, "4")] {
            assert_eq!(ask(now), expected, "{now}");
        }
    }
}
