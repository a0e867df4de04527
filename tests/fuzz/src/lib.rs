//! Inputs that nobody would send on purpose, for everything that reads what callers send.
//!
//! An input is made from published ones by small changes, so that it gets past the first check. A target fails by a panic: where
//! something must hold for what was read (it is written as it was, a second reading gives the same), the target asserts it.

mod mutate;
mod random;
mod target;

pub use mutate::Mutator;
pub use random::Random;
pub use target::{TARGETS, Target};

/// Runs a target on `count` inputs that follow from `seed`.
pub fn run(target: &Target, seed: u64, count: u64) {
    let mut mutator = Mutator::new(target, seed);
    for _ in 0..count {
        (target.run)(mutator.next_input());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds in an everyday build; `flint-fuzz` runs for as long as it is told.
    const COUNT: u64 = 200;

    #[test]
    fn no_input_is_too_much() {
        std::thread::scope(|scope| {
            for target in TARGETS {
                scope.spawn(|| run(target, 1, COUNT));
            }
        });
    }

    #[test]
    fn seeds_tell_inputs() {
        let inputs = |seed| {
            let mut mutator = Mutator::new(&TARGETS[0], seed);
            (0..20).map(|_| mutator.next_input().to_vec()).collect::<Vec<_>>()
        };
        assert_eq!(inputs(7), inputs(7));
        assert_ne!(inputs(7), inputs(8));
    }
}
