//! The proof of appointments: many clients at once make random requests for few slots; afterwards a slow model replays all that was written,
//! commit by commit, and says what is wrong. It shares no code with the rules.
//!
//! The clock gives each reading a time of its own, so what has one time was written in one commit.

/// What clients ask for, and what they are answered.
mod clients;
/// The end: what is there, and that nothing is left over.
mod ending;
/// What must be true of the waiting list.
mod list;
/// Which refusals there are.
mod refusals;
/// What must be true of what was written.
mod replay;
/// The seats of a slot.
mod seating;
/// What was written, in order.
mod timeline;
/// An appointment.
mod visit;
/// What those who wait ask for.
mod waiters;
/// What somebody waits for.
mod wish;
/// Few slots, few patients, few practitioners.
mod world;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flint_tests::Flint;
use server::Config;

use self::clients::{Answer, Board, Client, DEEDS, Deed};
use self::world::Ticking;

const CLIENTS: u64 = 16;

/// How many requests each client makes, unless `FLINT_MODEL_ROUNDS` says otherwise.
const ROUNDS: u64 = 24;

/// Longer than any hold.
const OVER: Duration = Duration::from_secs(901);

/// More by hand: `FLINT_MODEL_SEEDS=0-50`.
fn seeds() -> Vec<u64> {
    let asked = std::env::var("FLINT_MODEL_SEEDS").unwrap_or_else(|_| "0-1".to_owned());
    let (first, last) = asked.split_once('-').unwrap_or((&asked, &asked));
    (first.parse().expect("a number")..=last.parse().expect("a number")).collect()
}

fn rounds() -> u64 {
    std::env::var("FLINT_MODEL_ROUNDS").map_or(ROUNDS, |text| text.parse().expect("a number"))
}

#[test]
fn whatever_is_asked_at_once_every_rule_holds() {
    let mut done = BTreeMap::new();
    for seed in seeds() {
        let run = Run::start(seed);
        run.race(0, rounds());
        run.end(&mut done);
    }
    all_is_done(&done);
}

#[test]
fn whatever_was_asked_before_a_restart_every_rule_holds() {
    let mut done = BTreeMap::new();
    for seed in seeds() {
        let mut run = Run::start(seed);
        for part in 0..3 {
            run.race(part, rounds() / 3);
            run = run.restart();
        }
        run.end(&mut done);
    }
    all_is_done(&done);
}

/// Fails when a deed never succeeded: then nothing was shown about it. In a few seconds the rare ones may not; by hand there is time for all.
fn all_is_done(done: &BTreeMap<Deed, [usize; 2]>) {
    println!("done and refused: {done:?}");
    let is_long = std::env::var("FLINT_MODEL_SEEDS").is_ok();
    let often = |deed: &Deed| matches!(deed, Deed::Book | Deed::Confirm | Deed::Cancel | Deed::Delete | Deed::Send);
    for deed in DEEDS.map(|(deed, _)| deed).into_iter().filter(|deed| is_long || often(deed)) {
        assert!(done.get(&deed).is_some_and(|[done, _]| *done > 0), "{deed:?} never succeeded: {done:?}");
    }
}

/// One server and all that it was asked.
struct Run {
    seed: u64,
    flint: Flint,
    clock: Arc<Ticking>,
    ids: Arc<AtomicU64>,
    board: Board,
    answers: Mutex<Vec<Answer>>,
}

impl Run {
    fn start(seed: u64) -> Run {
        let (clock, ids) = (Arc::new(Ticking::default()), Arc::new(AtomicU64::new(1)));
        let flint = Flint::start_with(settings(&clock, &ids));
        world::fill(&flint);
        Run { seed, flint, clock, ids, board: Board::default(), answers: Default::default() }
    }

    /// The same store, behind a server that has forgotten everything.
    fn restart(self) -> Run {
        let flint = self.flint.restart_with(settings(&self.clock, &self.ids));
        Run { flint, ..self }
    }

    /// All clients at once.
    fn race(&self, part: u64, rounds: u64) {
        std::thread::scope(|scope| {
            for number in 0..CLIENTS {
                scope.spawn(move || {
                    let seed = self.seed << 16 | part << 8 | number;
                    let mut client = Client::new(&self.flint, &self.clock, &self.board, seed);
                    for _ in 0..rounds {
                        client.act();
                    }
                    self.answers.lock().expect("nobody panicked").append(&mut client.answers);
                });
            }
        });
    }

    /// Lets all holds end and all leave the waiting list, and fails on whatever is wrong.
    fn end(self, done: &mut BTreeMap<Deed, [usize; 2]>) {
        self.clock.advance(OVER);
        let mut last = Client::new(&self.flint, &self.clock, &self.board, self.seed);
        last.all_leave();
        self.answers.lock().expect("nobody panicked").append(&mut last.answers);
        let mut wrong = Vec::new();
        let answers = self.answers.into_inner().expect("nobody panicked");
        for answer in &answers {
            done.entry(answer.deed).or_default()[usize::from(answer.status >= 300)] += 1;
            wrong.extend(refusals::wrong(answer));
        }
        let replay = replay::replay(&timeline::commits(&self.flint), &answers);
        wrong.extend(replay.wrong.iter().cloned());
        ending::agree(&self.flint, &replay, &mut wrong);
        ending::empty(&self.flint, &replay, &mut wrong);
        wrong.truncate(20);
        let command = format!("FLINT_MODEL_SEEDS={} FLINT_MODEL_ROUNDS={}", self.seed, rounds());
        assert!(wrong.is_empty(), "{command} (other interleavings show other things):\n{}", wrong.join("\n"));
    }
}

fn settings(clock: &Arc<Ticking>, ids: &Arc<AtomicU64>) -> impl FnOnce(&mut Config) + use<> {
    let (clock, ids) = (clock.clone(), ids.clone());
    move |config| {
        config.clock = clock;
        config.services.offer_duration = list::OFFER;
        config.ids = Arc::new(move || format!("id-{}", ids.fetch_add(1, Ordering::Relaxed)));
    }
}
