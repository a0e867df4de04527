//! What can be done with resources, and on which of them it may be: the letters of SMART's scopes,
//! <https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html#fhir-resource-scope-syntax>.

use std::fmt;

use store::Filter;

/// What is done with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// `c`: create.
    Create,
    /// `r`: read, vread, and history of one resource.
    Read,
    /// `u`: update and patch.
    Update,
    /// `d`: delete.
    Delete,
    /// `s`: search, and history of a type or of everything.
    Search,
}

impl Act {
    /// All of them, in the order in which scopes name them.
    pub const ALL: [Act; 5] = [Act::Create, Act::Read, Act::Update, Act::Delete, Act::Search];
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Act::Create => "create",
            Act::Read => "read",
            Act::Update => "update",
            Act::Delete => "delete",
            Act::Search => "search",
        })
    }
}

/// Several acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Acts(u8);

impl Acts {
    /// Reading and searching.
    pub const SEE: Acts = Acts::NONE.and(Act::Read).and(Act::Search);
    /// None.
    pub const NONE: Acts = Acts(0);

    /// These and one more.
    pub const fn and(self, act: Act) -> Acts {
        Acts(self.0 | 1 << act as u8)
    }

    /// Whether this is one of them.
    pub const fn has(self, act: Act) -> bool {
        self.0 & 1 << act as u8 != 0
    }
}

impl FromIterator<Act> for Acts {
    fn from_iter<T: IntoIterator<Item = Act>>(acts: T) -> Acts {
        acts.into_iter().fold(Acts::NONE, Acts::and)
    }
}

/// On which resources of a type an act is granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Permission {
    #[default]
    Denied,
    Whole,
    /// On those that satisfy this. Nothing tells that there are others.
    Only(Filter),
}

impl Permission {
    /// What this or the other grants.
    pub fn or(self, other: Permission) -> Permission {
        match (self, other) {
            (Permission::Whole, _) | (_, Permission::Whole) => Permission::Whole,
            (Permission::Denied, permission) | (permission, Permission::Denied) => permission,
            (Permission::Only(Filter::Any(mut filters)), Permission::Only(filter)) => {
                filters.push(filter);
                Permission::Only(Filter::Any(filters))
            }
            (Permission::Only(one), Permission::Only(other)) => Permission::Only(Filter::Any(vec![one, other])),
        }
    }

    /// The filter that what it grants satisfies; `None` for all of the type.
    pub fn filter(&self) -> Option<Filter> {
        match self {
            Permission::Denied => Some(Filter::nothing()),
            Permission::Whole => None,
            Permission::Only(filter) => Some(filter.clone()),
        }
    }
}

/// What is granted on the resources of one type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights([Permission; 5]);

impl Rights {
    /// These, and `permission` for `acts`.
    pub fn with(mut self, acts: Acts, permission: &Permission) -> Rights {
        for act in Act::ALL.into_iter().filter(|act| acts.has(*act)) {
            let granted = &mut self.0[act as usize];
            *granted = std::mem::take(granted).or(permission.clone());
        }
        self
    }

    /// On which resources this is granted.
    pub fn on(&self, act: Act) -> &Permission {
        &self.0[act as usize]
    }
}
