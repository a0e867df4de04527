//! How often somebody may try to sign in, <https://cheatsheetseries.owasp.org/cheatsheets/Authentication_Cheat_Sheet.html#account-lockout>.
//!
//! An attempt counts when it begins, so that attempts side by side are not free; success forgives those of the name, and itself to the address, where a
//! whole practice may be at work. Names that are not known are counted like those that are. Addresses are counted by each server for itself, in memory.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fhir::Outcome;
use repository::{Millis, Vault};
use serde::{Deserialize, Serialize};

use super::Account;
use crate::record::{Stored, add};

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

/// How many addresses each half of the memory holds.
const HALF_MAX: usize = 10_000;

/// In how many values of the vault the names are counted that nobody has.
const SHELVES: u64 = 1_024;

/// How many of these names one value holds: of more, those who are locked out for the longest time stay.
const SHELF_MAX: usize = 32;

/// How often a name was tried, kept in the vault: a restart forgives nobody, and all servers of one store count together.
#[derive(Clone, Copy)]
pub(crate) struct Failures<'a> {
    vault: Vault<'a>,
}

/// The names that are counted in one value.
type Shelf = Vec<Counted>;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Counted {
    /// A hash of the name, which may be a password.
    name: String,
    count: u32,
    /// Refused until then.
    until: Millis,
}

/// Who tried how often from where.
#[derive(Default)]
pub(crate) struct Attempts {
    peers: Mutex<Memory<IpAddr>>,
}

#[derive(Clone, Copy, Default)]
struct Tally {
    count: u32,
    /// Counted until then.
    until: Millis,
}

/// Tallies in two halves: when the young half is full it becomes the old one.
struct Memory<K> {
    young: HashMap<K, Tally>,
    old: HashMap<K, Tally>,
}

impl<'a> Failures<'a> {
    pub(crate) fn new(vault: Vault<'a>) -> Failures<'a> {
        Failures { vault }
    }

    /// Counts an attempt; refused ones learn for how many milliseconds they are. `account` is the one of the name: whether there is one makes
    /// no difference in time.
    pub(crate) fn begin(
        &self,
        name: &str,
        account: Option<&Account>,
        now: Millis,
    ) -> Result<Result<(), Millis>, Outcome> {
        let name = digest(name);
        loop {
            let shelf_name = shelf_of(&name, account);
            let stored = Stored::<Shelf>::find(self.vault, shelf_name.clone())?;
            let mut shelf = stored.as_ref().map_or_else(Shelf::new, |stored| stored.value.clone());
            let counted = match shelf.iter_mut().find(|counted| counted.name == name) {
                Some(counted) => counted,
                None => {
                    make_room(&mut shelf);
                    shelf.push(Counted { name: name.clone(), count: 0, until: 0 });
                    shelf.last_mut().expect("what was pushed")
                }
            };
            if now < counted.until {
                return Ok(Err(counted.until - now));
            }
            counted.count = counted.count.saturating_add(1);
            if counted.count >= FREE_FAILURES {
                counted.until = now + delay(counted.count);
            }
            let edit = match stored {
                Some(stored) => stored.replace(&shelf),
                None => add(shelf_name, &shelf),
            };
            // Attempts side by side are counted one after another.
            if self.vault.edit(vec![edit])? {
                return Ok(Ok(()));
            }
        }
    }

    /// Forgives the attempts of a name.
    pub(crate) fn succeed(&self, account: &Account) -> Result<(), Outcome> {
        self.vault.edit(vec![repository::Edit::remove(shelf_of("", Some(account)))]).map(|_| ())
    }

    /// Whether the attempt that failed just now was the last free one, or one after it.
    pub(crate) fn is_locked(&self, name: &str, account: Option<&Account>, now: Millis) -> Result<bool, Outcome> {
        let name = digest(name);
        let stored = Stored::<Shelf>::find(self.vault, shelf_of(&name, account))?;
        let shelf = stored.map_or_else(Shelf::new, |stored| stored.value);
        Ok(shelf.iter().any(|counted| counted.name == name && now < counted.until))
    }
}

/// Where a name is counted: each account by itself, so that nobody pushes it out, and all else in a bounded room.
fn shelf_of(name: &str, account: Option<&Account>) -> String {
    match account {
        Some(account) => format!("attempts/account/{}", account.name),
        None => {
            let number = name.get(..8).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or_default();
            format!("attempts/shelf/{}", number % SHELVES)
        }
    }
}

fn make_room(shelf: &mut Shelf) {
    while shelf.len() >= SHELF_MAX {
        let least = shelf.iter().enumerate().min_by_key(|(_, counted)| (counted.until, counted.count));
        let Some((at, _)) = least else { return };
        shelf.remove(at);
    }
}

impl Attempts {
    /// Forgives an address the attempt that succeeded.
    pub(crate) fn succeed_of_peer(&self, peer: IpAddr) {
        let mut peers = lock(&self.peers);
        let tally = peers.of(network(peer));
        tally.count = tally.count.saturating_sub(1);
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

fn digest(name: &str) -> String {
    blake3::hash(name.as_bytes()).to_hex().to_string()
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
        let delays = [(5, 30_000), (6, 60_000), (7, 120_000), (8, 240_000), (12, DELAY_MAX), (u32::MAX, DELAY_MAX)];
        for (count, expected) in delays {
            assert_eq!(delay(count), expected, "{count}");
        }
    }

    #[test]
    fn a_shelf_keeps_who_is_locked_out() {
        let counted = |name: usize, until| Counted { name: name.to_string(), count: 1, until };
        let mut shelf: Shelf = (0..SHELF_MAX).map(|name| counted(name, if name == 3 { 0 } else { 9 })).collect();
        make_room(&mut shelf);
        assert_eq!(shelf.len(), SHELF_MAX - 1);
        assert!(shelf.iter().all(|counted| counted.name != "3"));
        let shelves: std::collections::BTreeSet<_> =
            (0..20_000).map(|name| shelf_of(&digest(&name.to_string()), None)).collect();
        assert_eq!(shelves.len() as u64, SHELVES);
    }

    #[test]
    fn bounds_what_an_address_may_try() {
        let attempts = Attempts::default();
        let near: [IpAddr; 2] = ["2001:db8::1".parse().expect("an address"), "2001:db8::2:1".parse().expect("one")];
        for number in 0..PEER_ATTEMPTS {
            assert_eq!(attempts.begin_of_peer(near[number as usize % 2], 5), Ok(()));
        }
        assert_eq!(attempts.begin_of_peer(near[0], 6), Err(PEER_PERIOD - 1));
        assert_eq!(attempts.begin_of_peer("2001:db8:0:1::1".parse().expect("an address"), 6), Ok(()));
        assert_eq!(attempts.begin_of_peer(near[1], 5 + PEER_PERIOD), Ok(()));
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
