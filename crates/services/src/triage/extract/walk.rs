//! From the items of a response to Observations.

use std::collections::HashMap;

use fhir::json::{Node, quote};
use fhir::{IssueType, Outcome};
use repository::Key;

use super::super::extension::{extension, extensions};
use super::super::questionnaire::{kind, unit};
use super::super::refusal::Reason;
use super::observation::{Common, Observation, value};

/// <http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-observationExtract>: true for an Observation that stands alone, a code
/// for one that belongs to that of the item around it.
const EXTRACT: &str = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-observationExtract";
const CATEGORY: &str = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-observation-extract-category";

/// A response gives at most so many Observations.
const OBSERVATIONS_MAX: usize = 1_000;

/// How what comes of an item stands to the Observation of the item around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Alone,
    Member,
    Component,
    Derived,
}

/// What the questionnaire says of an item.
struct Marked<'q> {
    node: Node<'q>,
    /// How it is extracted; `None` when it is not.
    relation: Option<Relation>,
    codes: String,
    categories: String,
}

/// What holds for the items in an item unless they say otherwise.
#[derive(Clone)]
struct Inherited {
    relation: Option<Relation>,
    categories: String,
}

/// The entries of the transaction.
pub(super) fn observations(form: Node<'_>, response: Node<'_>, origin: Option<&Key>) -> Result<Vec<String>, Outcome> {
    let mut marks = HashMap::new();
    let inherited = Inherited { relation: None, categories: String::new() }.overlaid(form)?;
    mark(form, &inherited, &mut marks)?;
    if marks.values().all(|marked| marked.relation.is_none()) {
        let name = form.get("url").and_then(Node::as_str).unwrap_or_default();
        return Err(Reason::NothingMarked.refuse(name, "Questionnaire"));
    }
    let mut extracted = Extracted { marks, observations: Vec::new() };
    extracted.walk(response, None)?;
    Ok(extracted.entries(response, origin))
}

impl Inherited {
    /// What holds in an item, by its extensions.
    fn overlaid(&self, item: Node<'_>) -> Result<Inherited, Outcome> {
        let relation = match extension(item, EXTRACT) {
            Some(extension) => relation(extension, item)?,
            None => self.relation,
        };
        let own: Vec<_> =
            extensions(item, CATEGORY).filter_map(|it| it.get("valueCodeableConcept")).map(Node::raw).collect();
        let categories = match own.is_empty() {
            true => self.categories.clone(),
            false => format!(r#","category":[{}]"#, own.join(",")),
        };
        Ok(Inherited { relation, categories })
    }
}

fn relation(extension: Node<'_>, item: Node<'_>) -> Result<Option<Relation>, Outcome> {
    let code = extension.get("valueCode").and_then(Node::as_str);
    match (extension.get("valueBoolean").and_then(Node::as_bool), code.as_deref()) {
        (Some(true), _) | (None, Some("independent")) => Ok(Some(Relation::Alone)),
        (None, Some("member")) => Ok(Some(Relation::Member)),
        (None, Some("component")) => Ok(Some(Relation::Component)),
        (None, Some("derived")) => Ok(Some(Relation::Derived)),
        (Some(false), _) => Ok(None),
        (None, other) => {
            let link_id = item.get("linkId").and_then(Node::as_str).unwrap_or_default();
            let other = fhir::outcome::quoted(other.unwrap_or_default());
            let text = format!("the item `{link_id}` is to be extracted as {other}, which is not known");
            Err(Outcome::new(IssueType::NotSupported, text).at("Questionnaire.item.extension"))
        }
    }
}

/// The depth of JSON bounds the recursion.
fn mark<'q>(node: Node<'q>, inherited: &Inherited, marks: &mut HashMap<String, Marked<'q>>) -> Result<(), Outcome> {
    for item in node.get("item").into_iter().flat_map(Node::items) {
        let mut own = inherited.overlaid(item)?;
        let codes = || item.get("code").into_iter().flat_map(Node::items);
        // Codes that are marked themselves are meant alone.
        let chosen: Vec<_> = codes()
            .filter_map(|code| Some((code, extension(code, EXTRACT)?)))
            .map(|(code, extension)| Ok((code, relation(extension, item)?)))
            .collect::<Result<_, Outcome>>()?;
        let chosen: Vec<_> = chosen.into_iter().filter_map(|(code, relation)| Some((code, relation?))).collect();
        let mut relation = own.relation;
        let mut meant: Vec<_> = codes().collect();
        if let Some((_, first)) = chosen.first() {
            relation = Some(*first);
            meant = chosen.into_iter().map(|(code, _)| code).collect();
        }
        let is_extracted = !meant.is_empty() && kind(item) != "display";
        let codes = meant.into_iter().map(coding).collect::<Vec<_>>().join(",");
        let link_id = item.get("linkId").and_then(Node::as_str).unwrap_or_default().into_owned();
        let relation = relation.filter(|_| is_extracted);
        marks.insert(link_id, Marked { node: item, relation, codes, categories: own.categories.clone() });
        // How an item stands to the one around it is said of each.
        own.relation = own.relation.map(|_| Relation::Alone);
        mark(item, &own, marks)?;
    }
    Ok(())
}

/// A Coding without its extensions, which tell only how it is extracted.
fn coding(coding: Node<'_>) -> String {
    let members = coding.members().filter(|(name, _)| *name != "extension");
    let members = members.map(|(name, value)| format!("{}:{}", quote(name), value.raw()));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

struct Extracted<'q> {
    marks: HashMap<String, Marked<'q>>,
    observations: Vec<Observation>,
}

impl Extracted<'_> {
    /// The items of a response, an item or an answer; `around` is the Observation of the nearest item around that has one.
    fn walk(&mut self, node: Node<'_>, around: Option<usize>) -> Result<(), Outcome> {
        for item in node.get("item").into_iter().flat_map(Node::items) {
            let link_id = item.get("linkId").and_then(Node::as_str).unwrap_or_default();
            let relation = self.marks.get(link_id.as_ref()).and_then(|marked| marked.relation);
            let is_group = self.marks.get(link_id.as_ref()).is_some_and(|marked| kind(marked.node) == "group");
            let Some(relation) = relation else {
                self.walk(item, around)?;
                for answer in item.get("answer").into_iter().flat_map(Node::items) {
                    self.walk(answer, around)?;
                }
                continue;
            };
            if is_group {
                let own = self.add(&link_id, None, relation, around)?;
                self.walk(item, own.or(around))?;
            }
            for answer in item.get("answer").into_iter().flat_map(Node::items) {
                let value = value(answer, unit(self.marks[link_id.as_ref()].node), &link_id)?;
                let own = match value {
                    Some(value) => self.add(&link_id, Some(value), relation, around)?,
                    None => None,
                };
                self.walk(answer, own.or(around))?;
            }
        }
        Ok(())
    }

    /// Adds what comes of an item, to the Observation around it where it belongs there; its position, where it is an Observation itself.
    fn add(
        &mut self,
        link_id: &str,
        value: Option<String>,
        relation: Relation,
        around: Option<usize>,
    ) -> Result<Option<usize>, Outcome> {
        let marked = &self.marks[link_id];
        if let (Relation::Component, Some(around)) = (relation, around) {
            let value = value.map_or(String::new(), |value| format!(",{value}"));
            let component = format!(r#"{{"code":{{"coding":[{}]}}{value}}}"#, marked.codes);
            self.observations[around].components.push(component);
            return Ok(None);
        }
        let at = self.observations.len();
        if at == OBSERVATIONS_MAX {
            let text = format!("the response gives more than {OBSERVATIONS_MAX} Observations");
            return Err(Outcome::new(IssueType::TooCostly, text));
        }
        let derived_from = around.filter(|_| relation == Relation::Derived);
        let (codes, categories) = (marked.codes.clone(), marked.categories.clone());
        let (members, components) = (Vec::new(), Vec::new());
        self.observations.push(Observation { codes, categories, value, members, components, derived_from });
        if let (Relation::Member, Some(around)) = (relation, around) {
            self.observations[around].members.push(at);
        }
        Ok(Some(at))
    }

    /// One entry for each Observation that says anything.
    fn entries(&self, response: Node<'_>, origin: Option<&Key>) -> Vec<String> {
        let common = Common::of(response);
        // A group says only what belongs to it does, and that comes after it.
        let mut urls: Vec<Option<String>> = vec![None; self.observations.len()];
        for (at, observation) in self.observations.iter().enumerate().rev() {
            let says = observation.value.is_some()
                || !observation.components.is_empty()
                || observation.members.iter().any(|member| urls[*member].is_some());
            urls[at] = says.then(|| full_url(response, at));
        }
        let entry = |(observation, url): (&Observation, &Option<String>)| {
            let resource = observation.written(&common, &urls, origin);
            let url = quote(url.as_ref()?);
            Some(format!(
                r#"{{"fullUrl":{url},"resource":{resource},"request":{{"method":"POST","url":"Observation"}}}}"#
            ))
        };
        self.observations.iter().zip(&urls).filter_map(entry).collect()
    }
}

/// A name for an Observation: a UUID (version 8) that follows from the response, so that extracting again gives the same.
fn full_url(response: Node<'_>, at: usize) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(response.raw().as_bytes()).update(&at.to_be_bytes());
    let hash = hasher.finalize().to_hex();
    format!("urn:uuid:{}-{}-8{}-8{}-{}", &hash[..8], &hash[8..12], &hash[12..15], &hash[15..18], &hash[18..30])
}
