//! What a query string asks for.

use fhir::Issue;
use store::{Filter, Index, SortKey};

use crate::{Named, Terms};

/// Where a search looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The type in the URL; `None` at system level or for `Patient/1/*`.
    pub resource_type: Option<&'static str>,
    /// The compartment in the URL.
    pub compartment: Option<Compartment>,
}

/// `Patient/ann` in `GET Patient/ann/Observation`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compartment {
    pub code: &'static str,
    pub id: String,
}

/// What to do with what the server does not know: `Prefer: handling=`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Handling {
    /// Refuse with 400, naming what would be right.
    #[default]
    Strict,
    /// Leave it out, with a warning.
    Lenient,
}

/// A search, compiled.
#[derive(Clone, Debug)]
pub struct Query {
    /// The types searched: one, or several at system level (`_type`, or all).
    pub types: Vec<&'static str>,
    /// Which resources: already holds the types and the compartment.
    pub criterion: Criterion,
    pub sort: Vec<SortKey>,
    /// What satisfies this, one resource that does not satisfy `criterion`, is a match before all others, whatever their order.
    pub first: Option<Criterion>,
    /// The order goes by what resources name, others than the patients whom they are about: it tells of what is named.
    pub sorts_by_names: bool,
    pub includes: Vec<Include>,
    /// `_count`; `None` when not given.
    pub count: Option<usize>,
    pub total: Total,
    pub summary: Summary,
    pub contained: Contained,
    /// `_containedType=contained`: what is found inside another resource stands alone in the answer, not with its container.
    pub contained_alone: bool,
    /// `_explain`, a parameter of this server: whether to tell what the search did.
    pub explain: bool,
    /// `_elements`: top-level element names.
    pub elements: Vec<String>,
    /// What was left out, and why.
    pub warnings: Vec<Issue>,
    /// The parameters that took effect, as given (decoded): what the self link says.
    pub applied: Vec<(String, String)>,
}

/// Which resources: a [`Filter`] where rows decide, and the joins that need another search first.
#[derive(Clone, Debug, PartialEq)]
pub enum Criterion {
    Filter(Filter),
    All(Vec<Criterion>),
    Any(Vec<Criterion>),
    Not(Box<Criterion>),
    /// What counts for who may know of what is named.
    Named(Box<Named>),
    /// What becomes a filter once definitions can be looked up.
    Terms(Terms),
    /// Resources with a reference, in one of `references`, to a resource that satisfies `target` (which holds the target's type, one of
    /// `target_types`).
    Chain {
        references: Vec<Index>,
        /// The indexes of the names by which `references` lead to a resource, besides its type and id.
        names: Vec<Index>,
        target_types: Vec<&'static str>,
        target: Box<Criterion>,
    },
    /// Resources that a resource satisfying `source` (which holds the source's type) refers to in one of `references`; only those of `target_type`.
    Has {
        references: Vec<Index>,
        /// As for a chain.
        names: Vec<Index>,
        target_type: &'static str,
        source_type: &'static str,
        source: Box<Criterion>,
    },
}

/// `_include` or `_revinclude`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Include {
    /// `_revinclude`: from others to the matches.
    pub reverse: bool,
    pub iterate: bool,
    /// The type that holds the reference; `None` for every type.
    pub source_type: Option<&'static str>,
    /// The reference indexes to follow (several for `*`).
    pub references: Vec<Index>,
    /// Only targets of these types; of every type where there are none.
    pub target_types: Vec<&'static str>,
    /// The types with canonical URLs that the references may lead to, each with the index of those names.
    pub names: Vec<(&'static str, Index)>,
}

/// `_contained`, <https://hl7.org/fhir/R4/search.html#contained>: whether resources inside others are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Contained {
    #[default]
    False,
    /// Only those.
    True,
    Both,
}

/// `_total`, <https://hl7.org/fhir/R4/search.html#total>.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Total {
    Accurate,
    /// Also when nothing is said.
    #[default]
    Estimate,
    None,
}

/// `_summary`, <https://hl7.org/fhir/R4/search.html#summary>.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Summary {
    #[default]
    False,
    True,
    Text,
    Data,
    Count,
}

impl Query {
    /// All resources of the types.
    pub(crate) fn new(types: Vec<&'static str>) -> Query {
        Query {
            types,
            criterion: Criterion::Filter(Filter::nothing()),
            sort: Vec::new(),
            first: None,
            sorts_by_names: false,
            includes: Vec::new(),
            count: None,
            total: Total::default(),
            summary: Summary::default(),
            contained: Contained::default(),
            contained_alone: false,
            explain: false,
            elements: Vec::new(),
            warnings: Vec::new(),
            applied: Vec::new(),
        }
    }
}

impl Include {
    /// Whether it leads to resources of a type.
    pub fn leads_to(&self, resource_type: &str) -> bool {
        self.target_types.is_empty() || self.target_types.contains(&resource_type)
    }
}

impl Criterion {
    /// What satisfies all; the filters among them become one.
    pub(crate) fn all(criteria: Vec<Criterion>) -> Criterion {
        let mut filter = Filter::everything();
        let mut joins = Vec::new();
        let flat = criteria.into_iter().flat_map(|criterion| match criterion {
            Criterion::All(inner) => inner,
            criterion => vec![criterion],
        });
        for criterion in flat {
            match criterion {
                Criterion::Filter(more) => filter = filter.and(more),
                join => joins.push(join),
            }
        }
        if joins.is_empty() {
            return Criterion::Filter(filter);
        }
        joins.insert(0, Criterion::Filter(filter));
        Criterion::All(joins)
    }

    /// What it amounts to for who may know of all that it names; `None` where that rests on other resources or definitions.
    pub fn of_rows(self) -> Option<Filter> {
        let each = |criteria: Vec<Criterion>| criteria.into_iter().map(Criterion::of_rows).collect::<Option<Vec<_>>>();
        match self {
            Criterion::Filter(filter) => Some(filter),
            Criterion::Named(named) => Some(named.filter),
            Criterion::All(criteria) => {
                Some(each(criteria)?.into_iter().fold(Filter::everything(), |all, filter| all.and(filter)))
            }
            Criterion::Any(criteria) => each(criteria).map(Filter::Any),
            Criterion::Not(inner) => inner.of_rows().map(Filter::not),
            Criterion::Terms(_) | Criterion::Chain { .. } | Criterion::Has { .. } => None,
        }
    }

    /// How many filters it has.
    pub(crate) fn size(&self) -> usize {
        match self {
            Criterion::Filter(_) | Criterion::Named(_) | Criterion::Terms(_) => 1,
            Criterion::All(criteria) | Criterion::Any(criteria) => criteria.iter().map(Criterion::size).sum(),
            Criterion::Not(inner) | Criterion::Chain { target: inner, .. } | Criterion::Has { source: inner, .. } => {
                1 + inner.size()
            }
        }
    }

    /// What satisfies any.
    pub(crate) fn any(mut criteria: Vec<Criterion>) -> Criterion {
        if criteria.len() == 1 {
            return criteria.remove(0);
        }
        let mut filters = Vec::new();
        let mut joins = Vec::new();
        for criterion in criteria {
            match criterion {
                Criterion::Filter(filter) => filters.push(filter),
                join => joins.push(join),
            }
        }
        if joins.is_empty() {
            return Criterion::Filter(Filter::Any(filters));
        }
        if !filters.is_empty() {
            joins.insert(0, Criterion::Filter(Filter::Any(filters)));
        }
        Criterion::Any(joins)
    }
}
