//! Scopes of SMART App Launch, versions 1 and 2: what was asked, what may be granted, what was granted.
//! <https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html>
//!
//! A [`Scope`] is a right on resources. Whoever compiles it to a filter must grant nothing for a parameter that it does not know.

mod cover;
mod parse;
mod text;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

pub use parse::{InvalidScope, PARAMETERS_MAX, SCOPES_MAX, TEXT_MAX};

/// Scopes without order or repetition, as they are asked for or granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes {
    pub words: BTreeSet<Word>,
    /// Sorted by level and type; none is covered by another.
    pub data: Vec<Scope>,
    /// What was asked for and means nothing here. It is never granted.
    pub unknown: Vec<String>,
}

/// A scope without a resource type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Word {
    Launch,
    LaunchPatient,
    LaunchEncounter,
    OpenId,
    FhirUser,
    Profile,
    OfflineAccess,
    OnlineAccess,
}

/// A right on resources, as `patient/Observation.rs?category=laboratory`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    pub level: Level,
    /// `None` for every type.
    pub resource_type: Option<&'static str>,
    /// Sorted search parameters, decoded, all of which what is granted satisfies.
    pub parameters: Vec<(String, String)>,
    pub letters: Letters,
    /// How the client that asks for it spells it.
    pub syntax: Syntax,
}

/// Whose record a scope speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// That of the patient in context.
    Patient,
    /// What the person who signed in may see.
    User,
    /// What the client itself may see.
    System,
}

/// How a scope names interactions: `.read` and `.write`, or letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Syntax {
    V1,
    V2,
}

/// The interactions that a scope grants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Letters(u8);

impl Letters {
    pub const CREATE: Letters = Letters(1);
    /// Read, vread and the history of one resource.
    pub const READ: Letters = Letters(1 << 1);
    /// Update and patch.
    pub const UPDATE: Letters = Letters(1 << 2);
    pub const DELETE: Letters = Letters(1 << 3);
    /// Search, and the history of a type or of everything.
    pub const SEARCH: Letters = Letters(1 << 4);

    /// In the order in which they must be written.
    const ORDER: [(char, Letters); 5] = [
        ('c', Letters::CREATE),
        ('r', Letters::READ),
        ('u', Letters::UPDATE),
        ('d', Letters::DELETE),
        ('s', Letters::SEARCH),
    ];

    pub const fn with(self, more: Letters) -> Letters {
        Letters(self.0 | more.0)
    }

    /// Those in both.
    pub const fn and(self, other: Letters) -> Letters {
        Letters(self.0 & other.0)
    }

    pub const fn contains(self, other: Letters) -> bool {
        self.0 & other.0 == other.0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether it lets anything be seen.
    pub const fn reads(self) -> bool {
        !self.and(READING).is_empty()
    }

    /// Whether it lets anything be changed.
    pub const fn writes(self) -> bool {
        !self.and(WRITING).is_empty()
    }
}

/// `.read` of version 1.
const READING: Letters = Letters::READ.with(Letters::SEARCH);
/// `.write` of version 1.
const WRITING: Letters = Letters::CREATE.with(Letters::UPDATE).with(Letters::DELETE);

impl Scopes {
    /// Whether this word is among them.
    pub fn has(&self, word: Word) -> bool {
        self.words.contains(&word)
    }

    /// Whether nothing is asked for or granted.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty() && self.data.is_empty()
    }

    /// Whether any right on resources is of this level.
    pub fn has_level(&self, level: Level) -> bool {
        self.data.iter().any(|scope| scope.level == level)
    }
}
