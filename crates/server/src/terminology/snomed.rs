//! SNOMED CT in its release format 2, snapshot files: <https://confluence.ihtsdotools.org/display/DOCRELFMT>. What becomes of it in
//! FHIR: <https://hl7.org/fhir/R4/snomedct.html>.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use fhir::terminology::{Builder, CodeSystem, Coded, Content, Declared, Designation, Header, PropertyValue};
use rustc_hash::{FxHashMap, FxHashSet};

use super::table::{Form, Table};
use super::{ImportError, name};
use crate::progress::Progress;

/// The canonical url of SNOMED CT.
pub(super) const URL: &str = "http://snomed.info/sct";

const INTERNATIONAL_EDITION: &str = "900000000000207008";
const DEFINED: &str = "900000000000073002";
const FULLY_SPECIFIED_NAME: &str = "900000000000003001";
const SYNONYM: &str = "900000000000013009";
const PREFERRED: &str = "900000000000548007";
const IS_A: &str = "116680003";
const STATED: &str = "900000000000010007";

/// Language reference sets in the order in which one is taken where none is asked for: English of the UK (clinical, pharmacy), of Great
/// Britain, of the US.
const LANGUAGES: [&str; 4] = ["999001261000000100", "999000691000001104", "900000000000508004", "900000000000509007"];

/// The files of a release that are read.
#[derive(Debug, Default)]
pub(super) struct Files {
    concepts: Vec<PathBuf>,
    descriptions: Vec<PathBuf>,
    relationships: Vec<PathBuf>,
    languages: Vec<PathBuf>,
    refsets: Vec<PathBuf>,
}

impl Files {
    /// The files among these; `None` when there are no concepts.
    pub(super) fn of(paths: &[PathBuf]) -> Option<Files> {
        let mut files = Files::default();
        for path in paths {
            // Files of a release that is not final begin with `x`.
            let name = name(path).trim_start_matches('x');
            let kind = match name {
                _ if !name.ends_with(".txt") || !name.contains("Snapshot") => continue,
                _ if name.starts_with("sct2_Concept_") => &mut files.concepts,
                _ if name.starts_with("sct2_Description_") => &mut files.descriptions,
                _ if name.starts_with("sct2_Relationship_") => &mut files.relationships,
                _ if name.starts_with("der2_cRefset_") && name.contains("Language") => &mut files.languages,
                _ if name.starts_with("der2_Refset_") => &mut files.refsets,
                _ => continue,
            };
            kind.push(path.clone());
        }
        (!files.concepts.is_empty()).then_some(files)
    }

    pub(super) fn paths(&self) -> Vec<&Path> {
        let kinds = [&self.concepts, &self.languages, &self.descriptions, &self.relationships, &self.refsets];
        kinds.into_iter().flatten().map(PathBuf::as_path).collect()
    }

    /// Reads everything.
    pub(super) fn read(
        &self,
        version: Option<&str>,
        language: Option<&str>,
        progress: &Progress,
    ) -> Result<CodeSystem, ImportError> {
        if self.descriptions.is_empty() || self.relationships.is_empty() {
            let text = "beside the concepts of SNOMED CT their descriptions (`sct2_Description_*Snapshot*.txt`) and relationships (`sct2_Relationship_*Snapshot*.txt`) are needed";
            return Err(ImportError::new(text));
        }
        let header = Header {
            url: URL.to_owned(),
            version: Some(version.map_or_else(|| self.version(), |version| Ok(version.to_owned()))?),
            name: Some("SNOMED_CT".to_owned()),
            title: Some("SNOMED CT".to_owned()),
            content: Content::Complete,
            value_set: Some(format!("{URL}?fhir_vs")),
            is_case_sensitive: true,
            language: Some("en".to_owned()),
            ..Header::default()
        };
        let mut reading = Reading { builder: Builder::new(header), progress, names: FxHashMap::default() };
        declare(&mut reading.builder);
        self.concepts.iter().try_for_each(|path| reading.concepts(path))?;
        let preferred = reading.preferred(&self.languages, language)?;
        self.descriptions.iter().try_for_each(|path| reading.descriptions(path, &preferred))?;
        drop(preferred);
        reading.name_rest();
        self.relationships.iter().try_for_each(|path| reading.relationships(path))?;
        let mut sets = BTreeSet::new();
        self.refsets.iter().try_for_each(|path| reading.refset(path, &mut sets))?;
        for set in sets {
            reading.builder.property(set, "refset-concept", PropertyValue::Boolean(true));
        }
        reading.builder.build().map_err(|outcome| ImportError::new(outcome.to_string()))
    }

    /// The version of the international edition, by the date in the files' names.
    fn version(&self) -> Result<String, ImportError> {
        let dates = self.concepts.iter().map(|path| {
            let parts: Vec<_> = name(path).trim_end_matches(".txt").rsplit('_').take(2).collect();
            match parts[..] {
                [date, "INT"] if date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit()) => Some(date),
                _ => None,
            }
        });
        let dates: Option<Vec<_>> = dates.collect();
        match dates.and_then(|dates| dates.into_iter().max()) {
            Some(date) => Ok(format!("{URL}/{INTERNATIONAL_EDITION}/version/{date}")),
            None => Err(ImportError::new(format!(
                "this is not the international edition of SNOMED CT: name what it is with --version, such as `{URL}/83821000000107/version/20260401`"
            ))),
        }
    }
}

/// A release that is being read.
struct Reading<'a> {
    builder: Builder,
    progress: &'a Progress,
    /// The fully specified names of concepts that have no preferred term yet; none of those that have one.
    names: FxHashMap<u32, Option<Box<str>>>,
}

impl Reading<'_> {
    fn open(&self, path: &Path) -> Result<Table<'_>, ImportError> {
        Table::open(path, Form::Tabs, self.progress)
    }

    fn concepts(&mut self, path: &Path) -> Result<(), ImportError> {
        let mut table = Table::open(path, Form::Tabs, self.progress)?;
        let [id, active, module, status] = table.columns(["id", "active", "moduleId", "definitionStatusId"])?;
        while table.advance()? {
            let code = table.field(id)?;
            if !is_identifier(code) {
                return Err(table.refuse(&format!("`{code}` is no identifier of SNOMED CT")));
            }
            let concept = self.builder.concept(code);
            let mut say = |name, value| self.builder.property(concept, name, value);
            say("inactive", PropertyValue::Boolean(table.field(active)? != "1"));
            say("moduleId", PropertyValue::Code(table.field(module)?));
            say("sufficientlyDefined", PropertyValue::Boolean(table.field(status)? == DEFINED));
            self.progress.count(1);
        }
        Ok(())
    }

    /// The descriptions that are preferred in a language.
    fn preferred(&self, paths: &[PathBuf], language: Option<&str>) -> Result<FxHashSet<u64>, ImportError> {
        let mut sets: BTreeMap<u64, FxHashSet<u64>> = BTreeMap::new();
        for path in paths {
            let mut table = self.open(path)?;
            let names = ["active", "refsetId", "referencedComponentId", "acceptabilityId"];
            let [active, set, description, acceptability] = table.columns(names)?;
            while table.advance()? {
                let is_preferred = table.field(active)? == "1" && table.field(acceptability)? == PREFERRED;
                if let (true, Some(set), Some(description)) =
                    (is_preferred, number(table.field(set)?), number(table.field(description)?))
                {
                    sets.entry(set).or_default().insert(description);
                }
                self.progress.count(1);
            }
        }
        let Some(language) = language else {
            let known = LANGUAGES.iter().find_map(|language| sets.remove(&number(language)?));
            return Ok(known.or_else(|| sets.pop_first().map(|(_, set)| set)).unwrap_or_default());
        };
        number(language).and_then(|language| sets.remove(&language)).ok_or_else(|| {
            let known: Vec<_> = sets.keys().map(u64::to_string).collect();
            ImportError::new(format!("there is no language reference set `{language}`, only {}", known.join(", ")))
        })
    }

    fn descriptions(&mut self, path: &Path, preferred: &FxHashSet<u64>) -> Result<(), ImportError> {
        let mut table = Table::open(path, Form::Tabs, self.progress)?;
        let names = ["id", "active", "conceptId", "languageCode", "typeId", "term"];
        let [id, active, concept, language, kind, term] = table.columns(names)?;
        while table.advance()? {
            self.progress.count(1);
            let found = self.builder.find(table.field(concept)?);
            let (Some(concept), "1") = (found, table.field(active)?) else { continue };
            let (kind, value) = (table.field(kind)?, table.field(term)?);
            let is_preferred = number(table.field(id)?).is_some_and(|id| preferred.contains(&id));
            match kind {
                SYNONYM if is_preferred => {
                    self.builder.display(concept, value);
                    self.names.insert(concept, None);
                }
                FULLY_SPECIFIED_NAME => {
                    self.names.entry(concept).or_insert_with(|| Some(value.into()));
                }
                _ => {}
            }
            let display = match kind {
                FULLY_SPECIFIED_NAME => "Fully specified name",
                SYNONYM => "Synonym",
                _ => continue,
            };
            let usage = Coded { system: Some(URL), version: None, code: kind, display: Some(display) };
            let language = Some(table.field(language)?);
            self.builder.designation(concept, Designation { language, usage: Some(usage), value });
        }
        Ok(())
    }

    /// Gives concepts without a preferred term their fully specified name.
    fn name_rest(&mut self) {
        for (concept, name) in std::mem::take(&mut self.names) {
            name.into_iter().for_each(|name| self.builder.display(concept, &name));
        }
    }

    /// What a concept is, and what else it is related to. Relationships as stated by authors only repeat some of the inferred ones.
    fn relationships(&mut self, path: &Path) -> Result<(), ImportError> {
        let mut table = Table::open(path, Form::Tabs, self.progress)?;
        let names = ["active", "sourceId", "destinationId", "typeId", "characteristicTypeId"];
        let [active, source, destination, kind, characteristic] = table.columns(names)?;
        while table.advance()? {
            self.progress.count(1);
            if table.field(active)? != "1" || table.field(characteristic)? == STATED {
                continue;
            }
            let Some(source) = self.builder.find(table.field(source)?) else { continue };
            let target = table.field(destination)?;
            match table.field(kind)? {
                IS_A => {
                    if let Some(above) = self.builder.find(target) {
                        self.builder.put_below(source, above);
                    }
                }
                kind => self.builder.property(source, kind, PropertyValue::Code(target)),
            }
        }
        Ok(())
    }

    /// Of which simple reference sets a concept is a member. The concepts that are such sets go to `sets`.
    fn refset(&mut self, path: &Path, sets: &mut BTreeSet<u32>) -> Result<(), ImportError> {
        let mut table = Table::open(path, Form::Tabs, self.progress)?;
        let [active, set, member] = table.columns(["active", "refsetId", "referencedComponentId"])?;
        while table.advance()? {
            self.progress.count(1);
            let found = self.builder.find(table.field(member)?);
            if let (Some(concept), "1") = (found, table.field(active)?) {
                let set = table.field(set)?;
                self.builder.property(concept, "refset", PropertyValue::Code(set));
                sets.extend(self.builder.find(set));
            }
        }
        Ok(())
    }
}

fn declare(builder: &mut Builder) {
    let properties = [
        (
            "inactive",
            "http://snomed.info/field/Concept.active",
            "whether the concept is not to be used any more",
            "boolean",
        ),
        (
            "sufficientlyDefined",
            "http://snomed.info/field/Concept.definitionStatusId",
            "whether its definition tells it from all others",
            "boolean",
        ),
        ("moduleId", "http://snomed.info/field/Concept.moduleId", "the module that maintains it", "code"),
        ("refset", "", "a simple reference set that it is a member of", "code"),
        ("refset-concept", "", "whether it is itself such a reference set with members here", "boolean"),
    ];
    for (code, uri, description, kind) in properties {
        builder.declare(Declared {
            code: code.to_owned(),
            uri: (!uri.is_empty()).then(|| uri.to_owned()),
            description: Some(description.to_owned()),
            kind: kind.to_owned(),
        });
    }
}

fn is_identifier(code: &str) -> bool {
    (6..=18).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit())
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok()
}
