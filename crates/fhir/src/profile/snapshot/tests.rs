//! Snapshots at their door: published profiles and what was published as their snapshots, rules one by one, and what is refused.

mod published;
