//! All search parameters, compiled.

use std::sync::{Arc, OnceLock};

use fhir::definitions::SearchKind;
use fhir::fhirpath::ElementNode;
use fhir::json::Document;
use fhir::{Definitions, Instant, IssueType, Outcome};
use rustc_hash::{FxHashMap, FxHashSet};
use store::{Filter, Index, Key, Row};

use crate::addition::{Addition, Progress};
use crate::compile::Purpose;
use crate::contained::Held;
use crate::extract::Extraction;
use crate::parameter::{self, Definition, Indexed, Site, special};
use crate::row::{self, ROWS_MAX};
use crate::text;
use crate::{Dialect, Handling, Query, Scope, canonical, compartment, compile, contained, union};

/// The search parameters of all resource types. Expressions are compiled on first use of a type.
///
/// A clone is cheap and shares what is compiled.
#[derive(Clone)]
pub struct Registry {
    definitions: &'static Definitions,
    base_url: Arc<str>,
    dialect: Dialect,
    tables: FxHashMap<&'static str, Arc<OnceLock<Table>>>,
    /// Those that resources state.
    additions: Vec<Added>,
}

/// A search parameter that a resource states, and how far it is on the types that are not done.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the struct's text says it")]
pub struct Added {
    pub addition: Arc<Addition>,
    pub pending: Vec<(&'static str, Arc<Progress>)>,
}

impl Added {
    fn progress(&self, resource_type: &str) -> Option<&Arc<Progress>> {
        self.pending.iter().find(|(pending, _)| *pending == resource_type).map(|(_, progress)| progress)
    }
}

/// A parameter as it is served: for the CapabilityStatement and for messages.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are those of SearchParameter")]
pub struct Parameter {
    pub code: String,
    /// Empty for one that R4 defines by words alone.
    pub url: String,
    pub kind: SearchKind,
    pub description: String,
    /// Of a reference: the types that it may lead to.
    pub targets: Vec<&'static str>,
}

/// The parameters of one type.
pub(crate) struct Table {
    /// Sorted by code.
    pub(crate) parameters: Vec<Indexed>,
    extraction: OnceLock<Extraction>,
    /// What [`Registry::patient_indexes`] tells.
    patients: OnceLock<Vec<Index>>,
}

/// What the store keeps of a resource to find it by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// Sorted, without duplicates.
    pub rows: Vec<Row>,
    /// The words of its texts, folded: those that full-text searches look for.
    pub words: Vec<Row>,
}

impl Rows {
    /// Rows and words in one list, as [`store::Filter::accepts`] judges them.
    pub fn together(mut self) -> Vec<Row> {
        self.rows.append(&mut self.words);
        self.rows
    }
}

/// How many rows a resource has room for before its list grows.
const ROWS_EXPECTED: usize = 64;

impl Registry {
    /// The standard parameters of R4. `base_url` (without a final `/`) is this server's own: absolute references below it count as relative ones.
    pub fn new(definitions: &'static Definitions, base_url: &str) -> Registry {
        let tables = definitions.resource_types().iter().map(|name| (*name, Arc::default())).collect();
        Registry { definitions, base_url: base_url.into(), dialect: Dialect::default(), tables, additions: Vec::new() }
    }

    /// The parameters that are always there with these beside them: of one code on one type the first counts.
    pub fn with_additions(&self, additions: Vec<Added>) -> Registry {
        let changed = |resource_type: &str| {
            let is_about = |added: &Added| added.addition.definition.base.contains(&resource_type);
            additions.iter().chain(&self.additions).any(is_about)
        };
        let tables = self.tables.iter().map(|(name, table)| match changed(name) {
            true => (*name, Arc::default()),
            false => (*name, table.clone()),
        });
        Registry { tables: tables.collect(), additions, ..self.clone() }
    }

    /// Whether a query may use one of the additions: cautiously, by their codes alone.
    pub fn rests_on_additions(&self, parameters: &[(String, String)]) -> bool {
        let names = |text: &str| self.additions.iter().any(|added| text.contains(&*added.addition.definition.code));
        parameters.iter().any(|(name, value)| {
            names(name) || name.starts_with('_') && (names(value) || value.ends_with('*') && !self.additions.is_empty())
        })
    }

    /// The type on which an addition would have an index number that another parameter has already; that is chance, and very rare.
    pub fn collision(&self, addition: &Addition) -> Option<&'static str> {
        let name = |resource_type: &str| row::parameter_index(resource_type, &addition.index_name());
        let own: FxHashSet<Index> = addition.definition.base.iter().map(|resource_type| name(resource_type)).collect();
        let mut taken = FxHashSet::default();
        for resource_type in self.definitions.resource_types() {
            taken.insert(row::type_index(resource_type));
            let parameters = self.table(resource_type).map_or(&[][..], |table| &table.parameters);
            let others = parameters.iter().filter(|parameter| !own.contains(&parameter.index));
            taken.extend(others.flat_map(|parameter| row::all_of(parameter.index)));
        }
        let collides = |resource_type: &&&str| row::all_of(name(resource_type)).any(|index| taken.contains(&index));
        addition.definition.base.iter().find(collides).copied()
    }

    /// The same, which understands the spellings of a dialect.
    pub fn with_dialect(self, dialect: Dialect) -> Registry {
        Registry { dialect, ..self }
    }

    /// Which spellings are understood.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The index rows of a resource, sorted and without duplicates; more than [`ROWS_MAX`] are refused. `document` has been validated
    /// and has an id.
    pub fn rows(&self, document: &Document) -> Result<Rows, Outcome> {
        let root = ElementNode::resource(self.definitions, document.root());
        let Some(resource) = root.filter(|root| self.tables.contains_key(root.structure.name)) else {
            return Err(Outcome::new(IssueType::Invalid, "the resource has no known `resourceType`"));
        };
        let mut rows = row::Rows::with_capacity(ROWS_EXPECTED);
        let held = self.add_rows(resource, &mut rows);
        contained::rows(self, resource, &held, &mut rows);
        self.add_words(resource, &mut rows);
        rows.finish().ok_or_else(|| {
            let text = format!("the resource has more than {ROWS_MAX} values and combinations of values to search for");
            Outcome::new(IssueType::TooCostly, text)
        })
    }

    /// Adds the rows of one resource, what it contains and holds left out; gives what it holds.
    pub(crate) fn add_rows<'a>(&'a self, resource: ElementNode<'a>, rows: &mut row::Rows) -> Vec<Held<'a>> {
        let structure = resource.structure;
        let Some(table) = self.table(structure.name) else { return Vec::new() };
        rows.push(row::type_index(structure.name), Vec::new());
        let extraction =
            table.extraction.get_or_init(|| Extraction::new(self.definitions, structure, &table.parameters));
        let held = extraction.rows(self.site(), &table.parameters, resource, rows);
        canonical::rows(self.site(), resource, rows);
        held
    }

    /// Adds the words of one resource's texts: those of what it contains are its own as well.
    pub(crate) fn add_words(&self, resource: ElementNode<'_>, rows: &mut row::Rows) {
        let table = self.table(resource.structure.name);
        let index = |code: &str| table?.get(code).map(|parameter| parameter.index);
        text::index_content(self.definitions, resource, index("_content"), index("_text"), &mut rows.words);
    }

    /// The filter that whatever contains a resource of this type satisfies: what it contains has its rows there.
    pub fn containers(&self, resource_type: &str) -> Filter {
        contained::containers(resource_type)
    }

    /// The index in which the store keeps the commit time of a type's resources: `_lastUpdated`.
    pub fn time_index(&self, resource_type: &str) -> Index {
        row::parameter_index(resource_type, "_lastUpdated")
    }

    /// All resources of a type.
    pub fn all_of(&self, resource_type: &str) -> Filter {
        row::of_type(resource_type)
    }

    /// What an index is about, for messages: `Patient.birthdate` for the main and all further indexes of that parameter, `Patient` for
    /// the one that holds all resources of the type.
    pub fn name_of(&self, index: Index) -> Option<String> {
        self.definitions.resource_types().iter().find_map(|resource_type| {
            if row::type_index(resource_type) == index {
                return Some((*resource_type).to_owned());
            }
            let parameters = &self.table(resource_type)?.parameters;
            let parameter = parameters.iter().find(|parameter| row::all_of(parameter.index).any(|of| of == index))?;
            Some(format!("{resource_type}.{}", parameter.definition.code))
        })
    }

    /// Compiles a query: names and values already percent-decoded, in order. `now` is the time that `ap` measures dates from.
    pub fn query(
        &self,
        scope: &Scope,
        parameters: &[(String, String)],
        handling: Handling,
        now: Instant,
    ) -> Result<Query, Outcome> {
        compile::compile(self, scope, parameters, handling, Purpose::Selection, now)
    }

    /// Compiles what a client searches for: as [`Registry::query`], with what the dialect demands of searches.
    pub fn search(
        &self,
        scope: &Scope,
        parameters: &[(String, String)],
        handling: Handling,
        now: Instant,
    ) -> Result<Query, Outcome> {
        compile::compile(self, scope, parameters, handling, Purpose::Search, now)
    }

    /// Compiles a query that decides about a write: strictly, and identifiers are compared as they are written.
    pub fn condition(
        &self,
        resource_type: &'static str,
        parameters: &[(String, String)],
        now: Instant,
    ) -> Result<Query, Outcome> {
        let scope = Scope { resource_type: Some(resource_type), compartment: None };
        compile::compile(self, &scope, parameters, Handling::Strict, Purpose::Condition, now)
    }

    /// The parameters served for a type, sorted by code.
    pub fn parameters(&self, resource_type: &str) -> Vec<Parameter> {
        let of_type = self.served(resource_type).map(|Indexed { definition, .. }| Parameter {
            code: definition.code.to_string(),
            url: definition.url.to_string(),
            kind: definition.kind,
            description: definition.description.to_string(),
            targets: definition.targets.clone(),
        });
        let is_type = self.tables.contains_key(resource_type);
        let apart = special::APART.iter().filter(|_| is_type).map(|(code, url)| Parameter {
            code: (*code).to_owned(),
            url: (*url).to_owned(),
            kind: SearchKind::Special,
            description: String::new(),
            targets: Vec::new(),
        });
        let mut parameters: Vec<_> = of_type.chain(apart).collect();
        parameters.sort_by(|one, other| one.code.cmp(&other.code));
        parameters
    }

    /// The references served by `_include` for a type: `Observation:subject`, ...
    pub fn includes(&self, resource_type: &str) -> Vec<String> {
        let references = self.served(resource_type).filter(|parameter| parameter.is_reference());
        references.map(|parameter| format!("{resource_type}:{}", parameter.definition.code)).collect()
    }

    /// The resource of this server that a row of a reference names by type and id.
    pub fn target(&self, value: &[u8]) -> Option<Key> {
        Key::from_link(value).filter(|key| fhir::reference::is_id(key.id()))
    }

    /// The filter that all resources of a type satisfy.
    pub fn of_type(&self, resource_type: &str) -> Filter {
        row::of_type(resource_type)
    }

    /// The filter that the definitions of a type with this canonical url satisfy, whatever their version.
    pub fn by_url(&self, resource_type: &str, url: &str) -> Filter {
        let parameter = self.table(resource_type).and_then(|table| table.get("url"));
        let places = parameter.map_or(&[][..], Indexed::places);
        row::of_type(resource_type).and(row::any(places.iter().map(|index| parameter::same_uri(*index, url)).collect()))
    }

    /// The filter that only this resource satisfies: how a known set of resources is brought into a search.
    pub fn identity(&self, key: &Key) -> Filter {
        parameter::identity(row::parameter_index(key.collection(), "_id"), key.id())
    }

    /// The indexes whose rows name the patients that resources of a type are about; none for a Patient, and for what is about no patient.
    pub fn patient_indexes(&self, resource_type: &str) -> &[Index] {
        let table = self.table(resource_type);
        table.map_or(&[], |table| table.patients.get_or_init(|| compartment::patient_indexes(self, resource_type)))
    }

    /// Every resource type.
    pub fn resource_types(&self) -> &'static [&'static str] {
        self.definitions.resource_types()
    }

    /// The indexes in which the rows of a parameter stand; none for a parameter that the type does not have.
    pub fn indexes(&self, resource_type: &str, code: &str) -> &[Index] {
        self.table(resource_type).and_then(|table| table.get(code)).map_or(&[], Indexed::places)
    }

    /// The filter that the resources of a type satisfy which are about this patient.
    pub fn about(&self, patient: &Key, resource_type: &str) -> Filter {
        compartment::about(self, patient, resource_type)
    }

    /// The filter that the resources of a type satisfy which are about any patient.
    pub fn about_anybody(&self, resource_type: &str) -> Filter {
        compartment::about_anybody(self, resource_type)
    }

    /// The filter that the resources of a type satisfy which are about another patient as well, or whose subject is not this one.
    pub fn about_another(&self, patient: &Key, resource_type: &str) -> Filter {
        compartment::about_another(self, patient, resource_type)
    }

    pub(crate) fn served(&self, resource_type: &str) -> impl Iterator<Item = &Indexed> {
        let parameters = self.table(resource_type).map_or(&[][..], |table| &table.parameters);
        parameters.iter().filter(|parameter| !parameter.is_special() && parameter.pending.is_none())
    }

    pub(crate) fn site(&self) -> Site<'_> {
        Site { definitions: self.definitions, base_url: &self.base_url, as_written: false }
    }

    /// The parameters of a type; `None` when it is no concrete resource type.
    pub(crate) fn table(&self, resource_type: &str) -> Option<&Table> {
        let (name, table) = self.tables.get_key_value(resource_type)?;
        Some(table.get_or_init(|| Table::new(self.definitions, name, &self.additions)))
    }
}

impl Table {
    fn new(definitions: &'static Definitions, resource_type: &'static str, additions: &[Added]) -> Table {
        let all = definitions.search_parameters(resource_type).iter();
        let all = all.map(|definition| Indexed::new(definitions, Definition::Standard(definition), resource_type));
        let added = additions.iter().filter(|added| added.addition.definition.base.contains(&resource_type));
        let added = added.map(|added| Indexed {
            pending: added.progress(resource_type).cloned(),
            ..Indexed::new(definitions, Definition::Added(added.addition.clone()), resource_type)
        });
        let mut parameters: Vec<_> = all.chain(added).collect();
        parameters.sort_by(|one, other| one.definition.code.cmp(&other.definition.code));
        parameters.dedup_by(|one, other| one.definition.code == other.definition.code);
        union::find(definitions, resource_type, &mut parameters);
        Table { parameters, extraction: OnceLock::new(), patients: OnceLock::new() }
    }

    /// A parameter by its code.
    pub(crate) fn get(&self, code: &str) -> Option<&Indexed> {
        let at = self.parameters.binary_search_by(|parameter| parameter.definition.code.as_ref().cmp(code)).ok()?;
        Some(&self.parameters[at])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rustc_hash::FxHashMap;

    use super::*;
    use crate::testing::registry;

    #[test]
    fn bounds_the_rows_of_a_resource() {
        // A code and a value of as many codings make a row for each pair, in several parameters.
        let observation = |count: usize| {
            let codings: Vec<_> = (0..count).map(|code| format!(r#"{{"code":"{code}"}}"#)).collect();
            let concept = format!(r#"{{"coding":[{}]}}"#, codings.join(","));
            let text = format!(
                r#"{{"resourceType":"Observation","id":"o","code":{concept},"valueCodeableConcept":{concept}}}"#
            );
            registry().rows(&Document::parse(text.as_bytes()).expect("JSON")).map(|rows| rows.rows.len())
        };
        assert!(observation(100).expect("few") > 100 * 100);
        let refused = observation(2_000).expect_err("many");
        assert_eq!(refused.issues[0].code, IssueType::TooCostly);
        for (count, fits) in [(ROWS_MAX, true), (ROWS_MAX + 1, false)] {
            let mut rows = row::Rows::default();
            (0..count).for_each(|_| rows.push(Index(1), Vec::new()));
            assert_eq!(rows.finish().is_some(), fits, "{count}");
        }
    }

    #[test]
    fn no_two_indexes_share_a_number() {
        let mut names = FxHashMap::default();
        let mut count = 0;
        let mut add = |index: Index, name: String| {
            count += 1;
            if let Some(other) = names.insert(index, name.clone()) {
                panic!("{name} and {other} share the number {}", index.0);
            }
        };
        for resource_type in Definitions::r4().resource_types() {
            add(row::type_index(resource_type), (*resource_type).to_owned());
            for parameter in &registry().table(resource_type).expect("a type").parameters {
                let name = format!("{resource_type}.{}", parameter.definition.code);
                for secondary in row::SECONDARY {
                    add(row::secondary(parameter.index, secondary), format!("{name}:{secondary}"));
                }
                add(parameter.index, name);
            }
        }
        assert!(count > 10_000, "{count}");
    }

    #[test]
    fn serves_all_but_what_has_no_expression() {
        let mut refused = BTreeSet::new();
        let mut served = 0;
        for resource_type in Definitions::r4().resource_types() {
            for parameter in &registry().table(resource_type).expect("a type").parameters {
                if parameter.is_special() {
                    refused.insert(parameter.definition.code.as_ref());
                } else {
                    served += 1;
                }
            }
        }
        assert_eq!(Vec::from_iter(refused), ["_filter", "_query"]);
        assert!(served > 2_000, "{served}");
    }

    #[test]
    fn names_what_an_index_is_about() {
        let birthdate = row::parameter_index("Patient", "birthdate");
        for (index, expected) in [
            (birthdate, Some("Patient.birthdate")),
            (row::secondary(birthdate, row::OTHER), Some("Patient.birthdate")),
            (
                row::secondary(row::parameter_index("Observation", "value-quantity"), "unit"),
                Some("Observation.value-quantity"),
            ),
            (row::type_index("Slot"), Some("Slot")),
            (registry().time_index("Slot"), Some("Slot._lastUpdated")),
            (Index(1), None),
        ] {
            assert_eq!(registry().name_of(index).as_deref(), expected);
        }
    }

    #[test]
    fn names_what_is_served() {
        let codes: Vec<_> = registry().parameters("Slot").into_iter().map(|parameter| parameter.code).collect();
        let expected = [
            "_content",
            "_filter",
            "_id",
            "_lastUpdated",
            "_list",
            "_profile",
            "_security",
            "_source",
            "_tag",
            "_text",
            "appointment-type",
            "bookable-by",
            "booking-window",
            "delivery-channel",
            "end",
            "identifier",
            "schedule",
            "service-category",
            "service-type",
            "specialty",
            "start",
            "status",
        ];
        assert_eq!(codes, expected);
        assert_eq!(registry().includes("Slot"), ["Slot:schedule"]);
        assert!(registry().parameters("Nothing").is_empty());
    }

    #[test]
    fn takes_parameters_beside_its_own() {
        let document = |expression: &str| {
            let text = format!(
                r#"{{"resourceType":"SearchParameter","url":"urn:eye","name":"Eye","status":"active","description":"d","code":"eye",
                    "base":["Patient"],"type":"token","expression":"{expression}"}}"#
            );
            Document::parse(text.as_bytes()).expect("JSON")
        };
        let with = |expression: &str, progress: Option<Progress>| {
            let addition =
                Addition::read(Definitions::r4(), &document(expression), |_| None).expect("valid").expect("active");
            let pending = progress.map(|progress| ("Patient", Arc::new(progress))).into_iter().collect();
            registry().with_additions(vec![Added { addition: Arc::new(addition), pending }])
        };
        let ask = |registry: &Registry, handling| {
            let scope = Scope { resource_type: Some("Patient"), compartment: None };
            registry.query(&scope, &[("eye".to_owned(), "blue".to_owned())], handling, crate::testing::NOW)
        };
        let by_url = "Patient.extension.where(url='urn:eye').value";
        let patient = r#"{"resourceType":"Patient","id":"p","extension":[{"url":"urn:eye","valueCode":"blue"}]}"#;
        let patient = Document::parse(patient.as_bytes()).expect("JSON");
        let codes = |registry: &Registry| registry.parameters("Patient").into_iter().map(|parameter| parameter.code);

        let active = with(by_url, None);
        let rows = active.rows(&patient).expect("rows").rows;
        let crate::Criterion::Filter(filter) = ask(&active, Handling::Strict).expect("active").criterion else {
            panic!()
        };
        assert!(filter.accepts(&rows) && !filter.accepts(&registry().rows(&patient).expect("rows").rows));
        assert!(codes(&active).any(|code| code == "eye"));
        assert!(!codes(&active.with_additions(Vec::new())).any(|code| code == "eye"));
        assert_eq!(
            active.name_of(active.table("Patient").and_then(|it| it.get("eye")).expect("there").index).as_deref(),
            Some("Patient.eye")
        );

        let pending = with(by_url, Some(Progress::new(41, 100)));
        assert_eq!(pending.rows(&patient).expect("rows").rows, rows, "all writes have the rows already");
        let refused = ask(&pending, Handling::Strict).expect_err("not all rows are there").to_string();
        assert!(refused.contains("parameter `eye` of Patient is being indexed, 41 % are done"), "{refused}");
        assert_eq!(ask(&pending, Handling::Lenient).expect("left out").warnings.len(), 1);
        assert!(!codes(&pending).any(|code| code == "eye"));

        // Another expression has other indexes: rows of the old one are found by nothing.
        let changed = with("Patient.extension.where(url='urn:iris').value", None);
        let crate::Criterion::Filter(filter) = ask(&changed, Handling::Strict).expect("active").criterion else {
            panic!()
        };
        assert!(!filter.accepts(&rows));
    }
}
