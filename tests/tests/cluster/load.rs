//! Clients that write while something ends.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use flint_tests::Client;
use store::testing::Random;

use crate::crash::writer::{Course, Writer};

const WRITERS: usize = 4;

/// What happens once.
type Event<'e> = Box<dyn FnOnce() + Send + 'e>;

/// Writing goes on until something happens, and then until so much more was answered.
pub(super) struct Turn<'e> {
    /// How many answers there were.
    answers: AtomicU64,
    before: u64,
    after: u64,
    event: Mutex<Option<Event<'e>>>,
    has_begun: AtomicBool,
    /// After it, in which time the answers may come.
    patience: Duration,
    /// When it had happened, and how many answers there were then.
    since: Mutex<Option<(Instant, u64)>>,
}

impl<'e> Turn<'e> {
    /// `event` happens after so many answers. Within `patience` there must be so many more.
    pub(super) fn new((before, after): (u64, u64), patience: Duration, event: impl FnOnce() + Send + 'e) -> Turn<'e> {
        let event: Event<'e> = Box::new(event);
        Turn {
            answers: AtomicU64::new(0),
            before,
            after,
            event: Mutex::new(Some(event)),
            has_begun: AtomicBool::new(false),
            patience,
            since: Mutex::new(None),
        }
    }
}

impl Course for Turn<'_> {
    fn answered(&self) {
        if self.answers.fetch_add(1, Ordering::SeqCst) + 1 == self.before {
            self.has_begun.store(true, Ordering::SeqCst);
            let event = self.event.lock().expect("nobody panicked").take();
            event.expect("it happens once")();
            let now = (Instant::now(), self.answers.load(Ordering::SeqCst));
            *self.since.lock().expect("nobody panicked") = Some(now);
        }
    }

    fn has_begun(&self) -> bool {
        self.has_begun.load(Ordering::SeqCst)
    }

    fn goes_on(&self) -> bool {
        let Some((since, answers)) = *self.since.lock().expect("nobody panicked") else { return true };
        let after = self.answers.load(Ordering::SeqCst) - answers;
        let goes_on = after < self.after;
        assert!(
            !goes_on || since.elapsed() < self.patience,
            "{after} answers, not {}, after {:?}",
            self.after,
            since.elapsed()
        );
        goes_on
    }
}

/// Clients with as many differences as seeds.
pub(super) fn writers(seed: u64) -> Vec<Writer> {
    let mut random = Random::new(seed);
    (0..WRITERS).map(|number| Writer::new(number, random.number())).collect()
}

/// All of them write at the same time, for a turn.
pub(super) fn write(writers: &mut [Writer], clients: &[&Client], turn: &Turn<'_>) {
    std::thread::scope(|scope| {
        for writer in writers {
            scope.spawn(move || writer.write(clients, turn));
        }
    });
}
