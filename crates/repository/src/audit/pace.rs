//! How many refusals of strangers are kept: whoever knocks without end must not fill the disk.

use std::sync::{Mutex, PoisonError};

use store::Millis;

/// How many of them are kept in a minute.
pub const STRANGERS_MAX: u32 = 60;

const MINUTE: Millis = 60_000;

/// How many came in the minute that began at a time.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<(Millis, u32)>);

impl Pace {
    /// Whether one more is kept.
    pub(super) fn admits(&self, now: Millis) -> bool {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now >= kept.0 + MINUTE {
            *kept = (now, 0);
        }
        kept.1 = kept.1.saturating_add(1);
        if kept.1 == STRANGERS_MAX + 1 {
            tracing::warn!(
                "more than {STRANGERS_MAX} strangers were refused in a minute: the audit keeps no more of them in it"
            );
        }
        kept.1 <= STRANGERS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_so_many_in_a_minute() {
        let pace = Pace::default();
        let kept = |now| (0..100).filter(|_| pace.admits(now)).count();
        assert_eq!([kept(60_000), kept(119_999), kept(120_000)], [60, 0, 60]);
    }
}
