//! The parameter types of R4: what rows a value gives, and what filter a query gives, side by side in a file for each type,
//! <https://hl7.org/fhir/R4/search.html#ptypes>.

mod code;
mod composite;
mod date;
mod item;
mod near;
mod number;
mod quantity;
mod reference;
pub(crate) mod special;
mod string;
mod token;
mod uri;

pub(crate) use composite::{Component, composite_kinds};
pub(crate) use date::{overlapping, overlapping_moment, within};
pub(crate) use item::resolve_extension;
use item::resource;
pub(crate) use reference::{local_value, push_reference};
pub(crate) use string::{ending, fold};
pub(crate) use token::{Wanted, codes_filter, identity, identity_value};
pub(crate) use uri::same_uri;

use std::ops::Deref;
use std::sync::Arc;

use fhir::definitions::{SearchKind, SearchParameter};
use fhir::fhirpath::{Context, ElementNode, Item};
use fhir::{Definitions, Instant, IssueType, Outcome, Reference};
use store::{Filter, Index};

use crate::addition::{Addition, Limits, Progress};
use crate::escape::{is_escaped_well, split, unescape};
use crate::refusal::Refusal;
use crate::row::{self, HELD, OTHER, Rows};
use crate::shape::Shape;
use crate::terms::{Relation, Terms};
use crate::text;
use crate::{Criterion, Named};

/// How many values one parameter may list.
pub const VALUES_MAX: usize = 2_000;

/// A search parameter of one resource type, and where its rows stand.
pub(crate) struct Indexed {
    pub(crate) definition: Definition,
    pub(crate) resource_type: &'static str,
    /// Its number, and where its rows stand unless `parts` have them.
    pub(crate) index: Index,
    /// The parameters of which it is the union: it has no rows of its own then. See [`crate::union`].
    pub(crate) parts: Vec<Index>,
    pub(crate) kind: Kind,
    pub(crate) shape: Shape,
    /// How far its rows are, when some are still missing.
    pub(crate) pending: Option<Arc<Progress>>,
}

/// What a parameter is, as stated by R4 or at run time.
pub(crate) enum Definition {
    Standard(&'static SearchParameter),
    Added(Arc<Addition>),
}

impl Deref for Definition {
    type Target = SearchParameter;

    fn deref(&self) -> &SearchParameter {
        match self {
            Definition::Standard(definition) => definition,
            Definition::Added(addition) => &addition.definition,
        }
    }
}

/// How a parameter is searched.
#[derive(PartialEq)]
pub(crate) enum Kind {
    Simple(SearchKind),
    /// `_lastUpdated`: rows that the store itself keeps.
    LastUpdated,
    /// `_text` and `_content`: words that do not come from an expression.
    Words,
    Composite(Vec<SearchKind>),
    /// `near`: places.
    Near,
    /// Not served.
    Special,
}

/// What rows and filters depend on besides the parameter.
#[derive(Clone, Copy)]
pub(crate) struct Site<'a> {
    pub(crate) definitions: &'static Definitions,
    /// This server's own base URL without a final `/`: absolute references below it are local.
    pub(crate) base_url: &'a str,
    /// Identifiers are compared as they are written, not without case: for conditions that decide about writes.
    pub(crate) as_written: bool,
}

impl Site<'_> {
    /// The type and id of the resource of this server that a reference names.
    pub(crate) fn local(self, reference: &str) -> Option<(&str, &str)> {
        match Reference::parse(reference)? {
            Reference::Relative { resource_type, id, .. } => Some((resource_type, id)),
            Reference::Absolute { base, resource_type, id, .. } if base == self.base_url => Some((resource_type, id)),
            _ => None,
        }
    }
}

/// A value that cannot be searched for; the text says what would be right.
#[derive(Debug)]
pub(crate) struct BadValue(pub(crate) &'static str);

impl Indexed {
    pub(crate) fn new(
        definitions: &'static Definitions,
        definition: Definition,
        resource_type: &'static str,
    ) -> Indexed {
        let kind = match definition.kind {
            _ if matches!(definition.code.as_ref(), "_text" | "_content") => Kind::Words,
            _ if definition.expression.is_empty() => Kind::Special,
            SearchKind::Special if definition.url == near::URL => Kind::Near,
            SearchKind::Special => Kind::Special,
            SearchKind::Composite => match &definition {
                Definition::Added(addition) => Kind::Composite(addition.kinds.clone()),
                Definition::Standard(definition) => {
                    composite::kinds(definitions, &definition.components).map_or(Kind::Special, Kind::Composite)
                }
            },
            _ if definition.code == "_lastUpdated" => Kind::LastUpdated,
            kind => Kind::Simple(kind),
        };
        let index = match &definition {
            Definition::Standard(definition) => row::parameter_index(resource_type, &definition.code),
            Definition::Added(addition) => row::parameter_index(resource_type, &addition.index_name()),
        };
        let shape = Shape::new(definitions, &definition, resource_type);
        Indexed { definition, resource_type, index, parts: Vec::new(), kind, shape, pending: None }
    }

    /// The main indexes in which its rows stand.
    pub(crate) fn places(&self) -> &[Index] {
        if self.parts.is_empty() { std::slice::from_ref(&self.index) } else { &self.parts }
    }

    /// Refuses a parameter for which rows are still missing.
    pub(crate) fn ready(&self) -> Result<(), Refusal> {
        let Some(progress) = &self.pending else { return Ok(()) };
        let text = format!(
            "parameter `{}` of {} is being indexed, {} % are done; search by it when all are",
            self.definition.code,
            self.resource_type,
            progress.percent()
        );
        Err(Refusal::Unknown(Outcome::new(IssueType::NotSupported, text)))
    }

    /// What the definition leaves out, where it is one that says.
    pub(crate) fn limits(&self) -> Option<&Limits> {
        match &self.definition {
            Definition::Standard(_) => None,
            Definition::Added(addition) => Some(&addition.limits),
        }
    }

    /// The rows of the items that the parameter's expression gave. `target_type` leaves out references to other types.
    pub(crate) fn rows<'a>(
        &self,
        site: Site<'_>,
        components: &'a [Component],
        context: &Context<'a>,
        items: &[Item<'a>],
        target_type: Option<&str>,
        rows: &mut Rows,
    ) {
        let start = rows.len();
        for item in items {
            match &self.kind {
                Kind::Simple(kind) => {
                    simple_rows(*kind, site, item, self.shape, target_type, self.index, rows);
                    if *kind == SearchKind::Token {
                        token::words(item, self.index, &mut rows.words);
                    }
                }
                Kind::Composite(_) => composite::rows(site, components, context, item, self.index, rows),
                Kind::Near => near::rows(item, self.index, rows),
                Kind::LastUpdated | Kind::Words | Kind::Special => return,
            }
        }
        if let Kind::Simple(SearchKind::String) = &self.kind {
            string::words(self.index, rows.with_words(start));
        }
        // Not every component may be there, nor every reference be one to the type.
        let is_there = match (&self.kind, target_type) {
            (Kind::Composite(_), _) | (_, Some(_)) => rows.len() > start,
            (Kind::Simple(SearchKind::Reference), None) => items.iter().any(|item| self.takes(item)),
            _ => !items.is_empty(),
        };
        if is_there && !rows.has_since(start, self.index) {
            rows.push(row::secondary(self.index, OTHER), Vec::new());
        }
    }

    /// The resources among the items of a reference parameter, of the types that it leads to.
    pub(crate) fn held<'a>(&self, items: &[Item<'a>]) -> impl Iterator<Item = ElementNode<'a>> {
        let items = if self.is_reference() { items } else { &[] };
        items.iter().filter(|item| self.takes(item)).filter_map(resource)
    }

    /// Whether an item of a reference parameter is none that it leaves out: a resource of another type.
    fn takes(&self, item: &Item<'_>) -> bool {
        resource(item).is_none_or(|resource| self.leads_to(resource.structure.name))
    }

    /// The condition of one `name:modifier=value`; the values separated by commas are alternatives.
    pub(crate) fn criterion(
        &self,
        site: Site<'_>,
        modifier: Option<&str>,
        value: &str,
        now: Instant,
    ) -> Result<Criterion, Refusal> {
        let relation = modifier.and_then(Relation::parse).filter(|_| self.definition.kind == SearchKind::Token);
        match (relation, modifier) {
            (Some(relation), Some(modifier)) => self.terms(site, relation, modifier, value).map(Criterion::Terms),
            _ => self.condition(site, modifier, value, now),
        }
    }

    fn terms(&self, site: Site<'_>, relation: Relation, modifier: &str, value: &str) -> Result<Terms, Refusal> {
        self.check_modifier(site, Some(modifier))?;
        self.check_values(value)?;
        let name = format!("{}:{modifier}", self.definition.code);
        Terms::parse(name, self.places(), self.shape, relation, value)
            .map_err(|(value, BadValue(form))| Refusal::bad_value(&self.definition.code, value, form))
    }

    /// Refuses values that are not escaped well, or too many.
    fn check_values(&self, value: &str) -> Result<(), Refusal> {
        let code = &self.definition.code;
        if !is_escaped_well(value) {
            return Err(Refusal::bad_value(code, value, r"`\` only before `,` `|` `$` `\`"));
        }
        match split(value, b',').count() <= VALUES_MAX {
            true => Ok(()),
            false => Err(Refusal::too_costly(format!("parameter `{code}` lists more than {VALUES_MAX} values"))),
        }
    }

    fn condition(
        &self,
        site: Site<'_>,
        modifier: Option<&str>,
        value: &str,
        now: Instant,
    ) -> Result<Criterion, Refusal> {
        if let Kind::Special = self.kind {
            return Err(Refusal::Unknown(special::refuse(self.resource_type, &self.definition.code)));
        }
        let narrowing = Narrowing { named_type: self.check_modifier(site, modifier)?, shape: self.shape, now };
        let bad = |value: &str, BadValue(form): BadValue| Refusal::bad_value(&self.definition.code, value, form);
        self.check_values(value)?;
        if modifier == Some("missing") {
            return match value {
                "true" => Ok(Criterion::Filter(self.present().not())),
                "false" => Ok(Criterion::Filter(self.present())),
                _ => Err(bad(value, BadValue("`true` or `false`"))),
            };
        }
        let mut filters = Vec::new();
        let mut criteria = Vec::new();
        for value in split(value, b',') {
            let each = self.places().iter().map(|index| self.value_filter(site, modifier, narrowing, *index, value));
            let each = each.collect::<Result<Vec<_>, _>>().map_err(|form| bad(value, form))?;
            match self.named(site, modifier, value) {
                None => filters.extend(each),
                Some((name, indexes)) => {
                    let (resource_type, filter) = (self.resource_type, row::any(each));
                    let named = Named { name, resource_type, indexes, filter, is_unequal: false };
                    criteria.push(Criterion::Named(Box::new(named)));
                }
            }
        }
        if !filters.is_empty() || criteria.is_empty() {
            let filter = row::any(filters);
            criteria.push(Criterion::Filter(if modifier == Some("not") { filter.not() } else { filter }));
        }
        Ok(Criterion::any(criteria))
    }

    fn value_filter(
        &self,
        site: Site<'_>,
        modifier: Option<&str>,
        narrowing: Narrowing,
        index: Index,
        value: &str,
    ) -> Result<Filter, BadValue> {
        match &self.kind {
            Kind::Simple(SearchKind::Reference) if !site.definitions.is_a(self.resource_type, "DomainResource") => {
                // Only such resources hold others outside `contained`.
                let filter = |index| reference::filter(site, modifier, narrowing, index, value);
                Ok(Filter::Any(vec![filter(index)?, filter(row::secondary(index, HELD))?]))
            }
            Kind::Simple(kind) => simple_filter(*kind, site, modifier, narrowing, index, value),
            Kind::Words => text::filter(index, &unescape(value)),
            Kind::LastUpdated => date::moment_filter(index, value, narrowing.now),
            Kind::Composite(kinds) => composite::filter(site, kinds, narrowing.now, index, value),
            Kind::Near => near::filter(index, value),
            Kind::Special => Err(BadValue("another parameter")),
        }
    }

    /// Resources with any value for this parameter.
    fn present(&self) -> Filter {
        let present = |index: &Index| [Filter::present(*index), Filter::present(row::secondary(*index, OTHER))];
        Filter::Any(self.places().iter().flat_map(present).collect())
    }

    /// Refuses a modifier that the type does not have; gives the type that a modifier such as `:Patient` names.
    fn check_modifier(&self, site: Site<'_>, modifier: Option<&str>) -> Result<Option<&'static str>, Refusal> {
        let Some(modifier) = modifier else { return Ok(None) };
        if self.modifiers().contains(&modifier) {
            return Ok(None);
        }
        let is_reference = self.definition.kind == SearchKind::Reference;
        match site.definitions.resource_type(modifier).filter(|_| is_reference) {
            Some(target_type) if self.leads_to(target_type) => Ok(Some(target_type)),
            Some(target_type) => Err(Refusal::bad(format!(
                "parameter `{}` of {} does not lead to {target_type}, but to {}",
                self.definition.code,
                self.resource_type,
                self.definition.targets.join(", ")
            ))),
            None => Err(Refusal::modifier(self, modifier)),
        }
    }

    pub(crate) fn modifiers(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::Simple(SearchKind::Token) => token::modifiers(self.shape.values),
            Kind::Simple(kind) => modifiers(kind),
            Kind::LastUpdated => date::MODIFIERS,
            Kind::Composite(_) => composite::MODIFIERS,
            Kind::Near => near::MODIFIERS,
            Kind::Words | Kind::Special => &[],
        }
    }

    /// Whether a reference of this parameter may name a resource of this type.
    pub(crate) fn leads_to(&self, resource_type: &str) -> bool {
        let targets = &self.definition.targets;
        self.is_reference() && (targets.is_empty() || targets.contains(&resource_type))
    }

    pub(crate) fn is_special(&self) -> bool {
        matches!(self.kind, Kind::Special)
    }

    pub(crate) fn is_reference(&self) -> bool {
        matches!(self.kind, Kind::Simple(SearchKind::Reference))
    }
}

fn modifiers(kind: SearchKind) -> &'static [&'static str] {
    match kind {
        SearchKind::Number => number::MODIFIERS,
        SearchKind::Date => date::MODIFIERS,
        SearchKind::String => string::MODIFIERS,
        SearchKind::Reference => reference::MODIFIERS,
        SearchKind::Composite => composite::MODIFIERS,
        SearchKind::Quantity => quantity::MODIFIERS,
        SearchKind::Uri => uri::MODIFIERS,
        SearchKind::Token | SearchKind::Special => &[],
    }
}

fn simple_rows(
    kind: SearchKind,
    site: Site<'_>,
    item: &Item<'_>,
    shape: Shape,
    target_type: Option<&str>,
    index: Index,
    rows: &mut Rows,
) {
    match kind {
        SearchKind::Number => number::rows(item, index, rows),
        SearchKind::Date => date::rows(item, index, rows),
        SearchKind::String => string::rows(item, index, rows),
        SearchKind::Token => token::rows(item, shape.system, index, rows),
        SearchKind::Reference => reference::rows(site, item, target_type, index, rows),
        SearchKind::Quantity => quantity::rows(item, index, rows),
        SearchKind::Uri => uri::rows(item, index, rows),
        SearchKind::Composite | SearchKind::Special => {}
    }
}

/// What is known of the values that a query asks for.
#[derive(Clone, Copy)]
struct Narrowing {
    /// From a modifier such as `:Patient`.
    named_type: Option<&'static str>,
    shape: Shape,
    /// When the query was asked.
    now: Instant,
}

fn simple_filter(
    kind: SearchKind,
    site: Site<'_>,
    modifier: Option<&str>,
    narrowing: Narrowing,
    index: Index,
    value: &str,
) -> Result<Filter, BadValue> {
    match kind {
        SearchKind::Number => number::filter(index, value),
        SearchKind::Date => date::filter(index, value, narrowing.now),
        SearchKind::String => string::filter(index, modifier, value),
        SearchKind::Token => token::filter(site, index, modifier, narrowing.shape, value),
        SearchKind::Reference => reference::filter(site, modifier, narrowing, index, value),
        SearchKind::Quantity => quantity::filter(index, value),
        SearchKind::Uri => uri::filter(index, modifier, value),
        SearchKind::Composite | SearchKind::Special => Err(BadValue("a value of another type")),
    }
}

/// How a value compares, <https://hl7.org/fhir/R4/search.html#prefix>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prefix {
    Eq,
    Ne,
    Gt,
    Lt,
    Ge,
    Le,
    Sa,
    Eb,
    Ap,
}

impl Prefix {
    /// The prefix and the rest; `Eq` when there is none, and `None` when there is an unknown one.
    pub(crate) fn split(text: &str) -> Option<(Prefix, &str)> {
        let letters = text.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (prefix, rest) = text.split_at(letters);
        let prefix = match prefix {
            "" | "eq" => Prefix::Eq,
            "ne" => Prefix::Ne,
            "gt" => Prefix::Gt,
            "lt" => Prefix::Lt,
            "ge" => Prefix::Ge,
            "le" => Prefix::Le,
            "sa" => Prefix::Sa,
            "eb" => Prefix::Eb,
            "ap" => Prefix::Ap,
            _ => return None,
        };
        Some((prefix, rest))
    }
}
