//! Where commit times come from.

use crate::Millis;

/// Gives the time. Passed in, so that tests repeat exactly.
pub trait Clock: Send + Sync + 'static {
    /// The time now. May step back; commit times never do.
    fn now(&self) -> Millis;
}

/// The time of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    /// The time now. May step back; commit times never do.
    fn now(&self) -> Millis {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since_epoch.map_or(0, |elapsed| elapsed.as_millis() as Millis)
    }
}
