//! What profiles demand of a resource, beside what [`super::validate`] checks of every resource.
//!
//! Invariants:
//! - A code, a profile or a target that is not known here is never an error of the resource.
//! - What it costs is bounded by [`STEPS_MIN`] and [`STEPS_PER_BYTE`], whatever profiles say: slices that ask for slices, profiles
//!   that name each other, references that go in circles.

mod binding;
mod element;
mod expression;
mod extension;
mod in_slice;
mod resource;
mod slices;
mod target;
mod value;

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::issues::Issues;
use super::path::Path;
use super::reference::Bundle;
use super::{Depth, Validator};
use crate::fhirpath::ElementNode;
use crate::json::Node;
use crate::outcome::{Issue, IssueType, Severity};
use crate::profile::Profile;
use crate::terminology::Canonical;

/// The least number of steps that a validation may take: a step is one value looked at for one element of a profile, or for one slice.
const STEPS_MIN: u64 = 200_000;

/// The steps that each byte of the resource adds. A UK Core Observation takes less than one step for two bytes.
const STEPS_PER_BYTE: u64 = 8;

/// The steps that an expression counts for, and a question of terminology.
const STEPS_OF_QUESTION: u64 = 16;

/// How far references are followed from target to target; beyond, a target is judged by its type.
const TARGETS_NESTED_MAX: usize = 8;

/// The walk over one document.
struct Walk<'v, 'a> {
    validator: &'v Validator<'v>,
    issues: Issues,
    /// The resource around the current element, and the one around that if it is contained.
    resource: ElementNode<'a>,
    root_resource: ElementNode<'a>,
    /// The innermost Bundle around the current element.
    bundle: Option<Bundle<'a>>,
    /// Why values do not conform to profiles, by where they start, `None` where they do; and while it is being found out.
    known: FxHashMap<(usize, *const Profile), Option<Issue>>,
    /// The profiles that were looked up: while the walk lasts, each has one address.
    profiles: RefCell<FxHashMap<Box<str>, Option<Arc<Profile>>>>,
    /// How many targets of references are being checked, each for the one before.
    targets_nested: usize,
    /// The extensions that were checked against their definitions.
    extensions: FxHashSet<u32>,
    steps_left: u64,
    /// True when a question could not be answered for want of what is not known here, so that `false` may be wrong.
    is_unsure: bool,
    /// True in the target of a reference: what its references lead to is not looked at.
    is_target: bool,
}

/// Which demand an issue is about.
#[derive(Clone, Copy)]
struct Scope<'p> {
    profile: &'p Profile,
    slice: Option<&'p str>,
}

/// Adds to the issues of `root` what the profiles demand that it names, or that are asked for.
pub(super) fn validate(
    validator: &Validator<'_>,
    root: Node<'_>,
    asked: &[Canonical<'_>],
    issues: Issues,
) -> Vec<Issue> {
    let Some(resource) = ElementNode::resource(validator.definitions, root) else { return issues.finish() };
    let mut walk = Walk::new(validator, resource, issues);
    let path = Path::root(resource.structure.name);
    walk.independent(resource, asked, &path);
    if walk.steps_left == 0 {
        walk.issues.error(&path, IssueType::TooCostly, || {
            "the profiles and questionnaires ask for more steps than are taken for a resource of this size; what they demand was not checked to the end"
                .to_owned()
        });
    }
    walk.issues.finish()
}

impl<'v, 'a> Walk<'v, 'a> {
    fn new(validator: &'v Validator<'v>, resource: ElementNode<'a>, issues: Issues) -> Walk<'v, 'a> {
        let bytes = resource.value.map_or(0, |node| node.span().len() as u64);
        Walk {
            validator,
            issues,
            resource,
            root_resource: resource,
            bundle: None,
            known: FxHashMap::default(),
            profiles: RefCell::default(),
            targets_nested: 0,
            extensions: FxHashSet::default(),
            steps_left: STEPS_MIN + STEPS_PER_BYTE * bytes,
            is_unsure: false,
            is_target: false,
        }
    }

    fn is_full(&self) -> bool {
        self.validator.depth == Depth::Full
    }

    /// Takes steps; false when there are none left, or when nothing more is asked.
    fn spend(&mut self, steps: u64) -> bool {
        self.steps_left = self.steps_left.saturating_sub(steps);
        self.steps_left > 0 && !self.issues.is_decided()
    }

    /// The first error that a check finds, which is not listed.
    fn first_error(&mut self, check: impl FnOnce(&mut Self)) -> Option<Issue> {
        let listed = std::mem::replace(&mut self.issues, Issues::until_error());
        check(self);
        let found = std::mem::replace(&mut self.issues, listed).finish();
        found.into_iter().find(|issue| issue.severity <= Severity::Error)
    }

    /// The profile of a canonical url; `None` when it is not known or cannot be used.
    fn profile(&self, canonical: &str) -> Option<Arc<Profile>> {
        if let Some(known) = self.profiles.borrow().get(canonical) {
            return known.clone();
        }
        let found = self.validator.library.profile(Canonical::parse(canonical)).ok().flatten();
        self.profiles.borrow_mut().insert(canonical.into(), found.clone());
        found
    }
}

impl fmt::Display for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.slice {
            Some(slice) => write!(f, "slice `{slice}` of profile {}", self.profile.url),
            None => write!(f, "profile {}", self.profile.url),
        }
    }
}
