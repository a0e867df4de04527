//! From good inputs to bad ones.

use crate::{Random, Target};

/// Inputs longer than this are cut: what reads them must be bounded by more than their length, and short ones run faster.
const INPUT_BYTES_MAX: usize = 64 << 10;

/// How many changes are made to one input at most.
const CHANGES_MAX: usize = 8;

/// How often a part is repeated at most, to nest deeply or to go on for long.
const REPEATS_MAX: usize = 600;

/// Makes inputs for one target.
pub struct Mutator {
    corpus: Vec<Vec<u8>>,
    words: &'static [&'static str],
    random: Random,
    input: Vec<u8>,
}

impl Mutator {
    /// The inputs that follow from a seed.
    pub fn new(target: &Target, seed: u64) -> Mutator {
        Mutator { corpus: (target.corpus)(), words: target.words, random: Random::new(seed), input: Vec::new() }
    }

    /// The next input.
    pub fn next_input(&mut self) -> &[u8] {
        let start = self.random.choose(&self.corpus).cloned().unwrap_or_default();
        self.input = start;
        for _ in 0..self.random.below(CHANGES_MAX) + 1 {
            self.change();
        }
        self.input.truncate(INPUT_BYTES_MAX);
        &self.input
    }

    fn change(&mut self) {
        let (start, end) = self.part();
        match self.random.below(8) {
            0 => self.flip(),
            1 => drop(self.input.drain(start..end)),
            2 => {
                let word = self.random.choose(self.words).copied().unwrap_or_default();
                drop(self.input.splice(start..start, word.bytes()));
            }
            3 => {
                let word = self.random.choose(self.words).copied().unwrap_or_default();
                drop(self.input.splice(start..end, word.bytes()));
            }
            4 => {
                let part = self.input[start..end].to_vec();
                let at = self.random.below(self.input.len() + 1);
                drop(self.input.splice(at..at, part));
            }
            5 => self.repeat(start, end),
            6 => self.cross(start, end),
            _ => {
                let byte = (self.random.next_number() & 0xff) as u8;
                self.input.insert(start, byte);
            }
        }
    }

    fn flip(&mut self) {
        let at = self.random.below(self.input.len());
        let bit = self.random.below(8);
        if let Some(byte) = self.input.get_mut(at) {
            *byte ^= 1 << bit;
        }
    }

    fn repeat(&mut self, start: usize, end: usize) {
        let word = self.random.choose(self.words).copied().unwrap_or_default();
        let part = match self.random.below(2) {
            0 => self.input[start..end].to_vec(),
            _ => word.as_bytes().to_vec(),
        };
        let room = INPUT_BYTES_MAX / part.len().max(1);
        let times = self.random.below(REPEATS_MAX.min(room) + 1);
        drop(self.input.splice(start..start, part.repeat(times)));
    }

    /// A part becomes one of another input.
    fn cross(&mut self, start: usize, end: usize) {
        let Some(other) = self.random.choose(&self.corpus).cloned() else { return };
        let from = self.random.below(other.len() + 1);
        let to = from + self.random.below((other.len() - from).min(256) + 1);
        drop(self.input.splice(start..end, other[from..to].iter().copied()));
    }

    /// A part of the input, mostly a short one.
    fn part(&mut self) -> (usize, usize) {
        let start = self.random.below(self.input.len() + 1);
        let rest = self.input.len() - start;
        let longest = if self.random.below(4) == 0 { rest } else { rest.min(24) };
        (start, start + self.random.below(longest + 1))
    }
}
