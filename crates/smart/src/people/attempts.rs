//! How often somebody may try to sign in, <https://cheatsheetseries.owasp.org/cheatsheets/Authentication_Cheat_Sheet.html#account-lockout>.
//!
//! An attempt counts when it begins, so that attempts side by side are not free; success forgives those of the name, and itself to the address, where a
//! whole practice may be at work. Names that are not known are counted like those that are. Kept in memory, within bounds: a restart forgives everybody.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use repository::Millis;

/// How many failures in a row are free.
const FREE_FAILURES: u32 = 5;

/// The delay after the last free failure, in milliseconds; each one after it doubles the delay.
const FIRST_DELAY: Millis = 30_000;

/// The longest delay, in milliseconds.
const DELAY_MAX: Millis = 3_600_000;

/// How many attempts one address has, whatever the names, within [`PEER_PERIOD`].
const PEER_ATTEMPTS: u32 = 30;

/// In milliseconds.
const PEER_PERIOD: Millis = 600_000;

/// How many names, and how many addresses, each half of the memory holds.
const HALF_MAX: usize = 10_000;

/// Who tried how often.
#[derive(Default)]
pub(crate) struct Attempts {
    names: Mutex<Memory<[u8; 32]>>,
    peers: Mutex<Memory<IpAddr>>,
}

#[derive(Clone, Copy, Default)]
struct Tally {
    count: u32,
    /// By name: refused until then. By address: counted until then.
    until: Millis,
}

/// Tallies in two halves: when the young half is full it becomes the old one.
struct Memory<K> {
    young: HashMap<K, Tally>,
    old: HashMap<K, Tally>,
}

impl Attempts {
    /// Counts an attempt; refused ones learn for how many milliseconds they are.
    pub(crate) fn begin(&self, name: &str, peer: IpAddr, now: Millis) -> Result<(), Millis> {
        self.begin_of_peer(peer, now)?;
        let mut names = lock(&self.names);
        let tally = names.of(digest(name));
        if now < tally.until {
            return Err(tally.until - now);
        }
        tally.count = tally.count.saturating_add(1);
        if tally.count >= FREE_FAILURES {
            tally.until = now + delay(tally.count);
        }
        Ok(())
    }

    /// Forgives the attempts of a name.
    pub(crate) fn succeed(&self, name: &str) {
        *lock(&self.names).of(digest(name)) = Tally::default();
    }

    /// Forgives an address the attempt that succeeded.
    pub(crate) fn succeed_of_peer(&self, peer: IpAddr) {
        let mut peers = lock(&self.peers);
        let tally = peers.of(network(peer));
        tally.count = tally.count.saturating_sub(1);
    }

    /// Whether the attempt that failed just now was the last free one, or one after it.
    pub(crate) fn is_locked(&self, name: &str, now: Millis) -> bool {
        now < lock(&self.names).of(digest(name)).until
    }

    /// Counts an attempt of an address, whoever it is for.
    pub(crate) fn begin_of_peer(&self, peer: IpAddr, now: Millis) -> Result<(), Millis> {
        let mut peers = lock(&self.peers);
        let tally = peers.of(network(peer));
        if now >= tally.until {
            *tally = Tally { count: 0, until: now + PEER_PERIOD };
        }
        if tally.count >= PEER_ATTEMPTS {
            return Err(tally.until - now);
        }
        tally.count += 1;
        Ok(())
    }
}

impl<K> Default for Memory<K> {
    fn default() -> Memory<K> {
        Memory { young: HashMap::new(), old: HashMap::new() }
    }
}

impl<K: Hash + Eq + Copy> Memory<K> {
    fn of(&mut self, key: K) -> &mut Tally {
        if !self.young.contains_key(&key) && self.young.len() >= HALF_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        let old = self.old.remove(&key);
        self.young.entry(key).or_insert_with(|| old.unwrap_or_default())
    }
}

fn lock<T>(memory: &Mutex<T>) -> MutexGuard<'_, T> {
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

fn delay(count: u32) -> Millis {
    let doublings = (count - FREE_FAILURES).min(16);
    (FIRST_DELAY << doublings).min(DELAY_MAX)
}

fn digest(name: &str) -> [u8; 32] {
    *blake3::hash(name.as_bytes()).as_bytes()
}

/// A household has a whole /64 of IPv6 addresses.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[test]
    fn doubles_the_delay() {
        let attempts = Attempts::default();
        let mut now = 0;
        for number in 0..5 {
            assert_eq!(attempts.begin("ann", peer(number), now), Ok(()), "{number}");
        }
        for (number, delay) in [30_000, 60_000, 120_000, 240_000].into_iter().enumerate() {
            assert_eq!(attempts.begin("ann", peer(9 + number as u32), now), Err(delay));
            assert!(attempts.is_locked("ann", now));
            assert_eq!(attempts.begin("bob", peer(100), now), Ok(()), "another name");
            now += delay;
            assert_eq!(attempts.begin("ann", peer(50 + number as u32), now), Ok(()), "{delay}");
        }
        attempts.succeed("ann");
        assert_eq!(attempts.begin("ann", peer(1), now), Ok(()));
        assert_eq!(delay(u32::MAX), DELAY_MAX);
    }

    #[test]
    fn bounds_what_an_address_may_try() {
        let attempts = Attempts::default();
        let near: [IpAddr; 2] = ["2001:db8::1".parse().expect("an address"), "2001:db8::2:1".parse().expect("one")];
        for number in 0..PEER_ATTEMPTS {
            assert_eq!(attempts.begin(&format!("n{number}"), near[number as usize % 2], 5), Ok(()));
        }
        assert_eq!(attempts.begin("other", near[0], 6), Err(PEER_PERIOD - 1));
        assert_eq!(attempts.begin("other", "2001:db8:0:1::1".parse().expect("an address"), 6), Ok(()));
        assert_eq!(attempts.begin("other", near[1], 5 + PEER_PERIOD), Ok(()));
    }

    #[test]
    fn a_practice_signs_in_from_one_address() {
        let attempts = Attempts::default();
        for _ in 0..3 * PEER_ATTEMPTS {
            assert_eq!(attempts.begin_of_peer(peer(1), 5), Ok(()));
            attempts.succeed_of_peer(peer(1));
        }
        // Success gives nothing for later.
        for _ in 0..PEER_ATTEMPTS {
            assert_eq!(attempts.begin_of_peer(peer(1), 6), Ok(()));
        }
        assert_eq!(attempts.begin_of_peer(peer(1), 6), Err(PEER_PERIOD - 1));
    }

    #[test]
    fn memory_is_bounded() {
        let mut memory = Memory::default();
        for key in 0..(5 * HALF_MAX as u32) {
            memory.of(peer(key)).count = key;
        }
        assert!(memory.young.len() <= HALF_MAX && memory.old.len() <= HALF_MAX);
        assert_eq!(memory.of(peer(5 * HALF_MAX as u32 - 1)).count, 5 * HALF_MAX as u32 - 1);
    }
}
