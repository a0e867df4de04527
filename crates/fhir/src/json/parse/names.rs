//! The names of members: without escapes, and each only once in an object.

use std::hash::BuildHasher;
use std::ops::Range;

use super::{Fault, Parser};
use crate::json::document::{Slot, SlotKind};
use crate::json::string::{needs_escape, unescape};
use crate::outcome::quoted;

/// Up to this many members, names are compared with each one before; beyond, they are looked up in a hash set.
const COMPARED_MAX: u32 = 16;

impl Parser<'_> {
    /// Reads a member's name and goes on to its value.
    pub(super) fn name(&mut self) -> Result<(), Fault> {
        if self.peek() != Some(b'"') {
            return Err(self.expected("a member name in quotes"));
        }
        let start = self.at;
        let escaped = self.skip_string()?;
        let end = self.at;
        if escaped {
            self.replace_name(start)?;
        } else {
            self.push(SlotKind::Name, start);
        }
        if self.is_repeated() {
            let name = unescape(&self.input[start + 1..end - 1]);
            return Err(Fault { at: start, message: format!("the member name {} is there twice", quoted(&name)) });
        }
        self.space();
        if self.peek() != Some(b':') {
            return Err(self.expected("`:`"));
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    /// Writes a name that came with escapes without them.
    #[cold]
    fn replace_name(&mut self, start: usize) -> Result<(), Fault> {
        let name = unescape(&self.input[start + 1..self.at - 1]);
        if name.bytes().any(needs_escape) {
            let message =
                format!("the member name {} holds a quote, a backslash or a control character", quoted(&name));
            return Err(Fault { at: start, message });
        }
        self.text.push_str(&self.input[self.copied..start]);
        let at = self.text.len() as u32;
        self.text.push('"');
        self.text.push_str(&name);
        self.text.push('"');
        self.copied = self.at;
        let next = self.tape.len() as u32 + 1;
        self.tape.push(Slot { kind: SlotKind::Name, start: at, end: self.text.len() as u32, next });
        Ok(())
    }

    /// Counts the last name on the tape to the innermost object. True when the object has that name already.
    fn is_repeated(&mut self) -> bool {
        let (Some(open), Some(last)) = (self.open.last_mut(), self.tape.last()) else { return false };
        open.members += 1;
        let (slot, members) = (open.slot, open.members);
        if members > COMPARED_MAX {
            return self.is_repeated_among_many(slot);
        }
        let name = self.read(last);
        self.names_before(slot).any(|before| before == name)
    }

    #[cold]
    fn is_repeated_among_many(&mut self, slot: u32) -> bool {
        let (Some(open), Some(last)) = (self.open.last_mut(), self.tape.last()) else { return false };
        let mut hashes = std::mem::take(&mut open.hashes)
            .unwrap_or_else(|| self.names_before(slot).map(|name| self.hasher.hash_one(name)).collect());
        let name = self.read(last);
        let is_new = hashes.insert(self.hasher.hash_one(name));
        // A hash that was there may still be another name's.
        let is_repeated = !is_new && self.names_before(slot).any(|before| before == name);
        if let Some(open) = self.open.last_mut() {
            open.hashes = Some(hashes);
        }
        is_repeated
    }

    /// The names of the open object at `slot` that come before the last slot of the tape.
    fn names_before(&self, slot: u32) -> impl Iterator<Item = &[u8]> {
        let mut at = slot as usize + 1;
        std::iter::from_fn(move || {
            let [name, value, ..] = self.tape.get(at..)? else { return None };
            at = value.next as usize;
            Some(self.read(name))
        })
    }

    /// The text of a slot, which may not have been copied yet.
    fn read(&self, slot: &Slot) -> &[u8] {
        let Range { start, end } = slot.start as usize..slot.end as usize;
        match start.checked_sub(self.text.len()) {
            Some(ahead) => &self.input.as_bytes()[self.copied + ahead..self.copied + ahead + end - start],
            None => &self.text.as_bytes()[start..end],
        }
    }
}
