//! What a query asks about a resource that it names: `encounter=Encounter/1`. From whom that one is hidden, no reference to it may be
//! found either, so what is named stays beside the filter until it is known who asks.

use fhir::definitions::SearchKind;
use fhir::reference::is_id;
use store::{Filter, Index, Key};

use crate::contained::behind_filter;
use crate::escape::{split, unescape};
use crate::filter_expression::beside;
use crate::parameter::{Indexed, Kind, Site};
use crate::row::{self, HELD, IDENTIFIER, VERSION, inside};

/// Resources that name another one.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// Whom.
    pub name: Name,
    /// The type of those that name it.
    pub resource_type: &'static str,
    /// Where their references stand; none where the name is one part of a value.
    pub indexes: Vec<Index>,
    /// What they satisfy, for who may know of all that is named.
    pub filter: Filter,
    /// Those are asked for that name something else.
    pub(crate) is_unequal: bool,
}

/// By what a query names a resource.
#[derive(Clone, Debug, PartialEq)]
pub enum Name {
    /// Its type and id.
    Key(Key),
    /// Its id; it may be of any of these types.
    #[expect(missing_docs, reason = "the variant's text names its fields")]
    Id { id: String, types: Vec<&'static str> },
    /// An identifier that stands beside a reference: rows do not say beside which.
    Identifier,
}

impl Named {
    /// What may be meant; nothing for an identifier.
    pub fn keys(&self) -> Vec<Key> {
        match &self.name {
            Name::Key(key) => vec![key.clone()],
            Name::Id { id, types } => types.iter().filter_map(|name| Key::new(name, id)).collect(),
            Name::Identifier => Vec::new(),
        }
    }

    /// The filter for who may know of these of its keys alone. The others are looked for as well, where no row is: it takes as long as if
    /// they were not there.
    pub fn among(&self, told: &[Key]) -> Filter {
        let each = self.indexes.iter().map(|index| match self.is_unequal {
            true if told.is_empty() => Filter::present(*index),
            true => {
                let named = told.iter().map(|key| Filter::equal(*index, key.to_link()));
                beside(&row::any(named.collect())).unwrap_or_else(Filter::nothing)
            }
            false => {
                let keys = self.keys();
                let value = |key: &Key| match told.contains(key) {
                    true => key.to_link(),
                    false => [key.to_link(), vec![0]].concat(),
                };
                row::any(keys.iter().map(|key| Filter::equal(*index, value(key))).collect())
            }
        });
        row::any(each.collect())
    }

    /// The same, asked of what a container holds behind a reference.
    pub(crate) fn behind(&self, reference: Index) -> Named {
        Named {
            indexes: self.indexes.iter().map(|index| inside(reference, *index)).collect(),
            filter: behind_filter(reference, &self.filter),
            ..self.clone()
        }
    }
}

impl Indexed {
    /// What a value of this parameter names, and where; `None` when that is no resource of this server.
    pub(crate) fn named(&self, site: Site<'_>, modifier: Option<&str>, value: &str) -> Option<(Name, Vec<Index>)> {
        match &self.kind {
            Kind::Simple(SearchKind::Reference) if modifier == Some(IDENTIFIER) => {
                Some((Name::Identifier, self.references(site)))
            }
            Kind::Simple(SearchKind::Reference) => {
                let text = unescape(value);
                let only = site.definitions.resource_types().iter().find(|name| Some(**name) == modifier);
                let only = only.copied().or(self.shape.target_type);
                let name = named(site, &text, || only.map_or_else(|| self.targets(site), |only| vec![only]))?;
                let is_versioned = text.contains("/_history/");
                let place = |index: Index| if is_versioned { row::secondary(index, VERSION) } else { index };
                Some((name, self.references(site).into_iter().map(place).collect()))
            }
            Kind::Simple(SearchKind::Uri) => {
                let text = unescape(value);
                let (resource_type, id) = site.local(text.trim_end_matches('/'))?;
                Some((Name::Key(Key::new(resource_type, id)?), self.places().to_vec()))
            }
            Kind::Composite(kinds) => {
                let mut parts = kinds.iter().zip(split(value, b'$')).zip(&self.definition.components);
                parts.find_map(|((kind, part), (url, _))| {
                    let targets = || match site.definitions.search_parameter(url).map(|it| it.targets.as_slice()) {
                        Some(targets) if !targets.is_empty() => targets.to_vec(),
                        _ => site.definitions.resource_types().to_vec(),
                    };
                    let name = (*kind == SearchKind::Reference).then(|| named(site, &unescape(part), targets))??;
                    Some((name, Vec::new()))
                })
            }
            _ => None,
        }
    }

    /// Where its references stand.
    fn references(&self, site: Site<'_>) -> Vec<Index> {
        // Only what is no DomainResource holds others outside `contained`.
        let holds = !site.definitions.is_a(self.resource_type, "DomainResource");
        let held = self.places().iter().filter(|_| holds).map(|index| row::secondary(*index, HELD));
        self.places().iter().copied().chain(held).collect()
    }

    fn targets(&self, site: Site<'_>) -> Vec<&'static str> {
        match self.definition.targets.as_slice() {
            [] => site.definitions.resource_types().to_vec(),
            targets => targets.to_vec(),
        }
    }
}

fn named(site: Site<'_>, text: &str, types: impl FnOnce() -> Vec<&'static str>) -> Option<Name> {
    if is_id(text) {
        return Some(match types().as_slice() {
            [only] => Name::Key(Key::new(only, text)?),
            types => Name::Id { id: text.to_owned(), types: types.to_vec() },
        });
    }
    let (resource_type, id) = site.local(text)?;
    Some(Name::Key(Key::new(resource_type, id)?))
}
