//! What covers what, and what two lists of scopes have in common.

use super::{Letters, PARAMETERS_MAX, SCOPES_MAX, Scope, Scopes, TEXT_MAX};

/// Scopes that are compared with each other: what is beyond is not granted.
const COMMON_MAX: usize = 8 * SCOPES_MAX;

impl Scopes {
    /// Whether all of `other` is granted by these.
    pub fn cover(&self, other: &Scopes) -> bool {
        other.words.is_subset(&self.words) && other.data.iter().all(|scope| self.covers(scope))
    }

    /// What of these is below the ceiling as well, spelled as these are: as much of it as can be asked for at one time.
    pub fn within(&self, ceiling: &Scopes) -> Scopes {
        let words = self.words.intersection(&ceiling.words).copied().collect();
        let mut common = Scopes { words, ..Scopes::default() };
        for asked in &self.data {
            if ceiling.covers(asked) {
                common.data.push(asked.clone());
            } else {
                common.data.extend(ceiling.data.iter().filter_map(|most| asked.meet(most)));
            }
            if common.data.len() >= COMMON_MAX {
                common.data.truncate(COMMON_MAX);
                break;
            }
        }
        common.tidy();
        common.data.truncate(SCOPES_MAX);
        let mut length: usize = common.words.iter().map(|word| word.as_str().len() + 1).sum();
        common.data.retain(|scope| {
            length += scope.to_string().len() + 1;
            length <= TEXT_MAX
        });
        common
    }

    /// Letters that several scopes of the same resources grant together count together.
    fn covers(&self, asked: &Scope) -> bool {
        let wider = self.data.iter().filter(|scope| scope.includes(asked));
        let letters = wider.fold(Letters::default(), |letters, scope| letters.with(scope.letters));
        letters.contains(asked.letters)
    }

    /// Sorts, unites scopes that differ in letters only, and drops those that another covers.
    pub(super) fn tidy(&mut self) {
        self.data.sort();
        self.data.dedup_by(|next, kept| {
            let same = next.level == kept.level
                && next.resource_type == kept.resource_type
                && next.parameters == kept.parameters;
            if same {
                kept.letters = kept.letters.with(next.letters);
                kept.syntax = kept.syntax.min(next.syntax);
            }
            same
        });
        let all = self.data.clone();
        self.data.retain(|scope| !all.iter().any(|other| other != scope && other.covers(scope)));
    }
}

impl Scope {
    /// Whether everything that `other` grants is granted by this: `patient/*.rs` covers `patient/Observation.r?status=final`.
    pub fn covers(&self, other: &Scope) -> bool {
        self.letters.contains(other.letters) && self.includes(other)
    }

    /// Whether the resources of `other` are among those of this.
    fn includes(&self, other: &Scope) -> bool {
        self.level == other.level
            && (self.resource_type.is_none() || self.resource_type == other.resource_type)
            && self.parameters.iter().all(|parameter| other.parameters.contains(parameter))
    }

    /// What both grant.
    fn meet(&self, other: &Scope) -> Option<Scope> {
        let letters = self.letters.and(other.letters);
        let resource_type = match (self.resource_type, other.resource_type) {
            (Some(one), Some(two)) if one != two => return None,
            (one, two) => one.or(two),
        };
        if self.level != other.level || letters.is_empty() {
            return None;
        }
        let mut parameters = [self.parameters.as_slice(), &other.parameters].concat();
        parameters.sort();
        parameters.dedup();
        if parameters.len() > PARAMETERS_MAX {
            return None;
        }
        Some(Scope { level: self.level, resource_type, parameters, letters, syntax: self.syntax })
    }
}
