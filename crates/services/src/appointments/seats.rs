//! The seats of a slot, and who holds them.
//!
//! Invariants:
//! - Seats are taken from 0 on without a gap: the first that nobody holds ends them. Whoever reads them to there has read all of them, and the
//!   commit checks each, so that no two appointments come to different ends of one slot.
//! - What a seat holds is a claim named `slot/{id}/{seat}`.

use fhir::Outcome;
use repository::{Key, Transaction};

/// How many seats a slot may have: each is looked at by every booking.
pub(super) const SEATS_MAX: usize = 1_000;

/// How a seat is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// By an appointment that is booked.
    Firm,
    /// By one that is not, and gives it back at its time.
    Tentative,
    /// By one that staff booked into a slot that is taken elsewhere: none of the capacity is spent on it.
    Beside,
}

/// What stands in a claim after the appointment.
const MARKS: [(Hold, &str); 3] = [(Hold::Firm, ""), (Hold::Tentative, " tentative"), (Hold::Beside, " beside")];

/// The seats of a slot that are held.
pub(super) struct Seats {
    slot: Key,
    taken: Vec<(Key, Hold)>,
}

impl Seats {
    pub(super) fn read(transaction: &mut Transaction<'_>, slot: &Key) -> Result<Seats, Outcome> {
        let mut taken = Vec::new();
        while let Some(value) = transaction.claimed(&name(slot, taken.len()))? {
            let Some(seat) = parse(&value) else { break };
            taken.push(seat);
        }
        Ok(Seats { slot: slot.clone(), taken })
    }

    /// Whose they are.
    pub(super) fn owners(&self) -> impl Iterator<Item = &Key> {
        self.taken.iter().map(|(owner, _)| owner)
    }

    /// Whose holds they are.
    pub(super) fn tentative(&self) -> impl Iterator<Item = &Key> {
        self.taken.iter().filter(|(_, hold)| *hold == Hold::Tentative).map(|(owner, _)| owner)
    }

    /// How an appointment holds one of them.
    pub(super) fn held_by(&self, owner: &Key) -> Option<Hold> {
        self.taken.iter().find(|(other, _)| other == owner).map(|(_, hold)| *hold)
    }

    pub(super) fn is_full(&self, capacity: usize) -> bool {
        self.counted() >= capacity
    }

    /// Whether more are held than there are.
    pub(super) fn is_over(&self, capacity: usize) -> bool {
        self.counted() > capacity || self.taken.len() > self.counted()
    }

    /// Whether no more can be told apart.
    pub(super) fn are_all(&self) -> bool {
        self.taken.len() >= SEATS_MAX
    }

    fn counted(&self) -> usize {
        self.taken.iter().filter(|(_, hold)| *hold != Hold::Beside).count()
    }

    /// The status of the slot when it is full.
    pub(super) fn busy(&self) -> &'static str {
        match self.taken.iter().any(|(_, hold)| *hold == Hold::Tentative) {
            true => "busy-tentative",
            false => "busy",
        }
    }

    /// Gives an appointment a seat, or the one it has in another way; `None` takes it back.
    pub(super) fn set(
        &mut self,
        transaction: &mut Transaction<'_>,
        owner: &Key,
        hold: Option<Hold>,
    ) -> Result<(), Outcome> {
        let at = self.taken.iter().position(|(other, _)| other == owner);
        match (at, hold) {
            (Some(at), Some(hold)) => self.taken[at].1 = hold,
            // The last one moves into the gap.
            (Some(at), None) => drop(self.taken.swap_remove(at)),
            (None, Some(hold)) => self.taken.push((owner.clone(), hold)),
            (None, None) => return Ok(()),
        }
        let (last, changed) = (self.taken.len(), at.unwrap_or(self.taken.len().saturating_sub(1)));
        for seat in [changed, last] {
            let value = self.taken.get(seat).map(|(owner, hold)| text(owner, *hold));
            transaction.exchange(name(&self.slot, seat), value)?;
        }
        Ok(())
    }

    /// Lets those beside count again: what was taken elsewhere is free.
    pub(super) fn count_all(&mut self, transaction: &mut Transaction<'_>) -> Result<(), Outcome> {
        let beside = self.taken.iter().filter(|(_, hold)| *hold == Hold::Beside);
        let beside: Vec<_> = beside.map(|(owner, _)| owner.clone()).collect();
        beside.iter().try_for_each(|owner| self.set(transaction, owner, Some(Hold::Firm)))
    }
}

fn name(slot: &Key, seat: usize) -> Vec<u8> {
    format!("slot/{}/{seat}", slot.id()).into_bytes()
}

fn text(owner: &Key, hold: Hold) -> Vec<u8> {
    let mark = MARKS.iter().find(|(known, _)| *known == hold).map_or("", |(_, mark)| mark);
    format!("{owner}{mark}").into_bytes()
}

fn parse(value: &[u8]) -> Option<(Key, Hold)> {
    let text = std::str::from_utf8(value).ok()?;
    let at = text.find(' ').unwrap_or(text.len());
    let (_, mark) = text.split_at(at);
    let (hold, _) = MARKS.iter().find(|(_, known)| *known == mark)?;
    Some((Key::parse(&text[..at])?, *hold))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_read_back() {
        let owner = Key::new("Appointment", "a").expect("a key");
        for (hold, _) in MARKS {
            assert_eq!(parse(&text(&owner, hold)), Some((owner.clone(), hold)));
        }
        assert_eq!(parse(b"Appointment/a"), Some((owner, Hold::Firm)));
        assert_eq!(parse(b"Appointment/a otherwise"), None);
        assert_eq!(parse(b""), None);
    }
}
