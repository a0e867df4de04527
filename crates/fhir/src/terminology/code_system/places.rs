//! Where codes stand, by their hash: one number for each place of a table that is at most half full.

/// No position.
const FREE: u32 = u32::MAX;

#[derive(Clone, Default)]
pub(super) struct Places(Vec<u32>);

impl Places {
    /// A table for so many codes.
    pub(super) fn new(count: usize) -> Places {
        Places(vec![FREE; (count * 2).next_power_of_two()])
    }

    /// Adds a position; of several with one code the first is found.
    pub(super) fn add(&mut self, hash: u64, at: u32) {
        let mut place = self.place(hash);
        while self.0[place] != FREE {
            place = (place + 1) & (self.0.len() - 1);
        }
        self.0[place] = at;
    }

    /// The position of this hash that `is` the one.
    pub(super) fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        if self.0.is_empty() {
            return None;
        }
        let mut place = self.place(hash);
        loop {
            match self.0[place] {
                FREE => return None,
                at if is(at) => return Some(at),
                _ => place = (place + 1) & (self.0.len() - 1),
            }
        }
    }

    fn place(&self, hash: u64) -> usize {
        (hash ^ hash >> 32) as usize & (self.0.len() - 1)
    }
}
