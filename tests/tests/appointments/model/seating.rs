use std::collections::BTreeMap;

use serde_json::Value;

/// Who has a seat, and whether only for a time.
pub(super) type Seats = BTreeMap<String, bool>;

/// A slot as it should be.
#[derive(Debug)]
pub(super) struct Seating {
    pub(super) version: Value,
    pub(super) capacity: usize,
    says: Says,
    pub(super) seats: Seats,
}

/// What a practice has said of it last.
#[derive(Debug)]
enum Says {
    /// It is as busy as its seats are.
    Free,
    /// It is busy, when its seats were all taken: so until somebody comes or goes.
    Full(String),
    /// It is busy for a reason of its own, or not to be had at all.
    Elsewhere(String),
}

/// What the practice said when it sent this version or one that this was made of, and which time that was.
fn comment(slot: &Value) -> &str {
    slot["comment"].as_str().expect("every slot has one")
}

impl Seating {
    /// As it was sent while these had its seats.
    pub(super) fn sent(version: Value, seats: Seats) -> Seating {
        let said = Seating::said(&version).to_owned();
        let capacity = Seating::capacity(&version);
        let is_full = seats.len() >= capacity;
        let says = match said.as_str() {
            "free" => Says::Free,
            "busy" | "busy-tentative" if is_full => Says::Full(said),
            _ => Says::Elsewhere(said),
        };
        Seating { version, capacity, says, seats }
    }

    /// The status with which the practice sent a slot.
    pub(super) fn said(version: &Value) -> &str {
        comment(version).split(' ').next().expect("a status")
    }

    /// How many a slot takes.
    pub(super) fn capacity(version: &Value) -> usize {
        version.pointer("/extension/0/valueInteger").and_then(Value::as_u64).expect("a number") as usize
    }

    /// The slot that was sent busy in the place of others' seats that are over: as busy as its seats are.
    pub(super) fn taken_over(self) -> Seating {
        Seating { says: Says::Free, ..self }
    }

    /// Whether the practice sent this, and not the server made it of what was there.
    pub(super) fn is_sent(&self, version: &Value) -> bool {
        comment(&self.version) != comment(version)
    }

    /// Seats others; says who came to where nobody may.
    pub(super) fn seat(&mut self, seats: Seats) -> Option<String> {
        if seats == self.seats {
            return None;
        }
        let came: Vec<_> = seats.keys().filter(|owner| !self.seats.contains_key(*owner)).cloned().collect();
        let has_left = self.seats.keys().any(|owner| !seats.contains_key(owner));
        let is_open = match self.says {
            Says::Free => true,
            Says::Full(_) => has_left,
            Says::Elsewhere(_) => false,
        };
        let wrong = (!came.is_empty() && (!is_open || seats.len() > self.capacity)).then(|| {
            format!("{came:?} came to {} of {} seats, the practice says {:?}", seats.len(), self.capacity, self.says)
        });
        if matches!(self.says, Says::Full(_)) {
            self.says = Says::Free;
        }
        self.seats = seats;
        wrong
    }

    /// What is wrong with the slot as it is.
    pub(super) fn wrong(&self) -> Option<String> {
        let is_full = self.seats.len() >= self.capacity;
        let expected = match &self.says {
            Says::Full(said) | Says::Elsewhere(said) => said.as_str(),
            Says::Free if !is_full => "free",
            Says::Free if self.seats.values().any(|is_tentative| *is_tentative) => "busy-tentative",
            Says::Free => "busy",
        };
        let is_over = self.seats.len() > self.capacity;
        let found = (self.version["status"].as_str(), self.version["overbooked"].as_bool().unwrap_or(false));
        (found != (Some(expected), is_over)).then(|| {
            let (seats, capacity, says) = (&self.seats, self.capacity, &self.says);
            format!("is {found:?}, not {expected} {is_over}: {seats:?} of {capacity} seats, the practice says {says:?}")
        })
    }
}
