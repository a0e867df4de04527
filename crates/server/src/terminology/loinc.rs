//! LOINC as it is released: the core table, and with it parts, hierarchy and answer lists where they are there. What becomes of it in FHIR:
//! <https://hl7.org/fhir/R4/loinc.html>.

use std::path::{Path, PathBuf};

use fhir::terminology::{Builder, Canonical, CodeSystem, Content, Declared, Designation, Header, PropertyValue};

use super::table::{Form, Table};
use super::{ImportError, name};
use crate::progress::Progress;

/// The canonical url of LOINC.
pub(super) const URL: &str = "http://loinc.org";

/// The columns of the core table that are properties, as strings.
const PROPERTIES: [(&str, &str); 12] = [
    ("COMPONENT", "what is measured, evaluated, or observed"),
    ("PROPERTY", "the characteristic of it, such as a mass concentration"),
    ("TIME_ASPCT", "over which time it is observed"),
    ("SYSTEM", "in what it is observed, such as serum"),
    ("SCALE_TYP", "the scale of the result"),
    ("METHOD_TYP", "how it is observed"),
    ("CLASS", "what it belongs to, such as hematology"),
    ("CLASSTYPE", "1 laboratory, 2 clinical, 3 claims attachments, 4 surveys"),
    ("STATUS", "ACTIVE, TRIAL, DISCOURAGED or DEPRECATED"),
    ("ORDER_OBS", "whether it is for orders, for observations or both"),
    ("VersionLastChanged", "the version of LOINC that changed it last"),
    ("VersionFirstReleased", "the version of LOINC that has it first"),
];

/// The property of an answer that names the answer lists which have it.
const ANSWER_LIST: &str = "LIST";

/// The files of a release that are read.
#[derive(Debug, Default)]
pub(super) struct Files {
    core: Option<PathBuf>,
    parts: Option<PathBuf>,
    hierarchy: Option<PathBuf>,
    answers: Option<PathBuf>,
}

impl Files {
    /// The files among these; `None` when there is no core table.
    pub(super) fn of(paths: &[PathBuf]) -> Option<Files> {
        let mut files = Files::default();
        for path in paths {
            let kind = match name(path) {
                "Loinc.csv" => &mut files.core,
                "Part.csv" => &mut files.parts,
                "ComponentHierarchyBySystem.csv" | "MultiAxialHierarchy.csv" | "LoincHierarchy.csv" => {
                    &mut files.hierarchy
                }
                "AnswerList.csv" => &mut files.answers,
                _ => continue,
            };
            kind.get_or_insert(path.clone());
        }
        files.core.is_some().then_some(files)
    }

    pub(super) fn paths(&self) -> Vec<&Path> {
        [&self.core, &self.parts, &self.hierarchy, &self.answers].into_iter().flatten().map(PathBuf::as_path).collect()
    }

    /// Reads everything.
    pub(super) fn read(&self, version: Option<&str>, progress: &Progress) -> Result<CodeSystem, ImportError> {
        let found = match version {
            Some(version) => version.to_owned(),
            None => self.version()?,
        };
        let header = Header {
            url: URL.to_owned(),
            version: Some(found),
            name: Some("LOINC".to_owned()),
            title: Some("LOINC".to_owned()),
            content: Content::Complete,
            value_set: Some(format!("{URL}/vs")),
            language: Some("en".to_owned()),
            is_case_sensitive: false,
            ..Header::default()
        };
        let mut reading = Reading { builder: Builder::new(header), progress };
        declare(&mut reading.builder);
        let Files { core, parts, hierarchy, answers } = self;
        core.iter().try_for_each(|path| reading.core(path))?;
        parts.iter().try_for_each(|path| reading.parts(path))?;
        hierarchy.iter().try_for_each(|path| reading.hierarchy(path))?;
        answers.iter().try_for_each(|path| reading.answers(path))?;
        reading.builder.build().map_err(|outcome| ImportError::new(outcome.to_string()))
    }

    /// The latest version that a row of the core table names.
    fn version(&self) -> Result<String, ImportError> {
        let needed =
            || ImportError::new("the core table does not say its version: name it with --version, such as `2.81`");
        let Some(core) = &self.core else { return Err(needed()) };
        // The bytes are counted when the rows are read for good.
        let unseen = Progress::of("rows", 0);
        let mut table = Table::open(core, Form::Commas, &unseen)?;
        let column = table.column("VersionLastChanged").ok_or_else(needed)?;
        let mut latest: Option<String> = None;
        while table.advance()? {
            let version = Some(table.field(column)?).filter(|version| !version.is_empty());
            if Canonical::compare_versions(version, latest.as_deref()).is_gt() {
                latest = version.map(str::to_owned);
            }
        }
        unseen.finish();
        latest.ok_or_else(needed)
    }
}

/// A release that is being read.
struct Reading<'a> {
    builder: Builder,
    progress: &'a Progress,
}

impl Reading<'_> {
    fn core(&mut self, path: &Path) -> Result<(), ImportError> {
        let mut table = Table::open(path, Form::Commas, self.progress)?;
        let [number, long, status] = table.columns(["LOINC_NUM", "LONG_COMMON_NAME", "STATUS"])?;
        let properties = PROPERTIES.iter().filter_map(|(name, _)| Some((*name, table.column(name)?)));
        let properties: Vec<_> = properties.collect();
        let names: Vec<_> = ["SHORTNAME", "CONSUMER_NAME"].into_iter().filter_map(|name| table.column(name)).collect();
        let definition = table.column("DefinitionDescription");
        while table.advance()? {
            let code = table.field(number)?;
            if code.is_empty() {
                return Err(table.refuse("there is no LOINC_NUM"));
            }
            let concept = self.builder.concept(code);
            self.builder.display(concept, table.field(long)?);
            for (name, column) in &properties {
                let value = table.field(*column)?;
                if !value.is_empty() {
                    self.builder.property(concept, name, PropertyValue::String(value));
                }
            }
            if table.field(status)? == "DEPRECATED" {
                self.builder.property(concept, "inactive", PropertyValue::Boolean(true));
            }
            for column in &names {
                let value = table.field(*column)?;
                if !value.is_empty() {
                    self.builder.designation(concept, Designation { value, ..Designation::default() });
                }
            }
            match definition.map(|column| table.field(column)).transpose()? {
                Some(text) if !text.is_empty() => self.builder.definition(concept, text),
                _ => {}
            }
            self.progress.count(1);
        }
        Ok(())
    }

    fn parts(&mut self, path: &Path) -> Result<(), ImportError> {
        let mut table = Table::open(path, Form::Commas, self.progress)?;
        let [number, text, status] = table.columns(["PartNumber", "PartName", "Status"])?;
        while table.advance()? {
            self.progress.count(1);
            let Some(concept) = self.named(&table, number, text)? else { continue };
            self.builder.property(concept, "STATUS", PropertyValue::String(table.field(status)?));
        }
        Ok(())
    }

    /// The codes below others. What is there already keeps its text.
    fn hierarchy(&mut self, path: &Path) -> Result<(), ImportError> {
        let mut table = Table::open(path, Form::Commas, self.progress)?;
        let [parent, code, text] = table.columns(["IMMEDIATE_PARENT", "CODE", "CODE_TEXT"])?;
        while table.advance()? {
            self.progress.count(1);
            let Some(concept) = self.named(&table, code, text)? else { continue };
            let above = table.field(parent)?;
            if !above.is_empty() {
                let above = self.builder.concept(above);
                self.builder.put_below(concept, above);
            }
        }
        Ok(())
    }

    fn answers(&mut self, path: &Path) -> Result<(), ImportError> {
        let mut table = Table::open(path, Form::Commas, self.progress)?;
        let [list, name, answer, text] =
            table.columns(["AnswerListId", "AnswerListName", "AnswerStringId", "DisplayText"])?;
        while table.advance()? {
            self.progress.count(1);
            self.named(&table, list, name)?;
            if let Some(concept) = self.named(&table, answer, text)? {
                self.builder.property(concept, ANSWER_LIST, PropertyValue::Code(table.field(list)?));
            }
        }
        Ok(())
    }

    /// The concept of a row; a new one gets the row's text. `None` where there is no code.
    fn named(&mut self, table: &Table<'_>, code: usize, text: usize) -> Result<Option<u32>, ImportError> {
        let code = table.field(code)?;
        if code.is_empty() {
            return Ok(None);
        }
        if let Some(known) = self.builder.find(code) {
            return Ok(Some(known));
        }
        let concept = self.builder.concept(code);
        self.builder.display(concept, table.field(text)?);
        Ok(Some(concept))
    }
}

fn declare(builder: &mut Builder) {
    let strings = PROPERTIES.iter().map(|(code, description)| (*code, *description, "string"));
    let others = [
        (ANSWER_LIST, "an answer list that has this answer", "code"),
        ("inactive", "whether it is not to be used any more", "boolean"),
    ];
    for (code, description, kind) in strings.chain(others) {
        builder.declare(Declared {
            code: code.to_owned(),
            uri: None,
            description: Some(description.to_owned()),
            kind: kind.to_owned(),
        });
    }
}
