//! Validation at its door: published resources, and each rule with what it takes and what it refuses.

mod published;
