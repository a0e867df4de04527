//! Code systems, <https://hl7.org/fhir/R4/codesystem.html>: concepts with their texts and properties, and their hierarchy, compact
//! enough for a clinical terminology of several hundred thousand concepts.

mod build;
mod bytes;
mod hierarchy;
mod places;
mod read;
mod texts;

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;

pub use build::Builder;

use super::Coded;
use hierarchy::{Hierarchy, Lists};
use places::Places;
use texts::Texts;

/// The concepts of a code system, and which stands below which. A concept is named by its position in the definition.
///
/// Concepts inside others stand below them unless `hierarchyMeaning` says otherwise than `is-a`; the properties `parent`,
/// `child` and `subsumedBy` put them below others in any case. A link that would close a circle counts for nothing.
#[derive(Clone, Default)]
pub struct CodeSystem {
    header: Header,
    declared: Vec<Declared>,
    texts: Texts,
    rows: Vec<Row>,
    properties: Lists<PropertyRow>,
    designations: Lists<DesignationRow>,
    by_code: Places,
    hierarchy: Hierarchy,
}

/// What a code system says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Its canonical url, without version.
    pub url: String,
    pub version: Option<String>,
    pub name: Option<String>,
    pub title: Option<String>,
    /// The language of its displays.
    pub language: Option<String>,
    /// How much of it is here.
    pub content: Content,
    /// The code system that this one adds to.
    pub supplements: Option<String>,
    /// The canonical url of the value set of all its concepts.
    pub value_set: Option<String>,
    /// Whether codes that differ in case only are two codes.
    pub is_case_sensitive: bool,
}

/// How much of a code system is here, <https://hl7.org/fhir/R4/valueset-codesystem-content-mode.html>.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of R4")]
pub enum Content {
    #[default]
    NotPresent,
    Example,
    Fragment,
    Complete,
    Supplement,
}

/// A property that a code system declares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of R4")]
pub struct Declared {
    pub code: String,
    pub uri: Option<String>,
    pub description: Option<String>,
    /// The code of its type, such as `dateTime`.
    pub kind: String,
}

/// What is said of a concept besides its text. Digits and dates are as they were written.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names are those of R4")]
pub enum PropertyValue<'a> {
    Code(&'a str),
    Coding(Coded<'a>),
    String(&'a str),
    Integer(&'a str),
    Boolean(bool),
    DateTime(&'a str),
    Decimal(&'a str),
}

/// Another text for a concept.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the names are those of R4")]
pub struct Designation<'a> {
    pub language: Option<&'a str>,
    pub usage: Option<Coded<'a>>,
    pub value: &'a str,
}

/// One concept of a code system.
#[derive(Clone, Copy)]
pub struct Concept<'a> {
    system: &'a CodeSystem,
    at: u32,
}

/// Numbers of texts, and flags.
#[derive(Clone, Copy)]
struct Row {
    code: u32,
    display: u32,
    definition: u32,
    flags: u32,
}

#[derive(Clone, Copy)]
struct PropertyRow {
    name: u32,
    kind: Kind,
    value: u32,
}

#[derive(Clone, Copy)]
struct DesignationRow {
    language: u32,
    usage: u32,
    value: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Code,
    Coding,
    String,
    Integer,
    Boolean,
    DateTime,
    Decimal,
}

const ABSTRACT: u32 = 1;
const INACTIVE: u32 = 2;

/// Stands between the parts of a Coding that is kept as one text.
const SEPARATOR: char = '\u{1f}';

impl Content {
    const ALL: [(&str, Content); 5] = [
        ("not-present", Content::NotPresent),
        ("example", Content::Example),
        ("fragment", Content::Fragment),
        ("complete", Content::Complete),
        ("supplement", Content::Supplement),
    ];

    /// The content of a code; what R4 does not have counts as not present.
    pub fn parse(code: &str) -> Content {
        Content::ALL.iter().find(|(name, _)| *name == code).map_or(Content::NotPresent, |(_, content)| *content)
    }

    /// Its code.
    pub fn code(self) -> &'static str {
        Content::ALL[self as usize].0
    }
}

impl CodeSystem {
    /// What it says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Its canonical url, without version.
    pub fn url(&self) -> &str {
        &self.header.url
    }

    /// Its version.
    pub fn version(&self) -> Option<&str> {
        self.header.version.as_deref()
    }

    /// Whether it holds all its concepts.
    pub fn is_complete(&self) -> bool {
        self.header.content == Content::Complete
    }

    /// The properties that it declares.
    pub fn declared(&self) -> &[Declared] {
        &self.declared
    }

    /// How many concepts there are.
    pub fn count(&self) -> u32 {
        self.rows.len() as u32
    }

    /// All concepts, in the order of the definition.
    pub fn concepts(&self) -> impl ExactSizeIterator<Item = Concept<'_>> {
        (0..self.count()).map(|at| Concept { system: self, at })
    }

    /// The concept at a position.
    pub fn concept(&self, at: u32) -> Option<Concept<'_>> {
        (at < self.count()).then_some(Concept { system: self, at })
    }

    /// The concept of a code.
    pub fn find(&self, code: &str) -> Option<Concept<'_>> {
        self.position(code).map(|at| Concept { system: self, at })
    }

    /// Where a code stands among the concepts.
    pub fn position(&self, code: &str) -> Option<u32> {
        let is = |at: u32| self.is_same(self.texts.get(self.rows[at as usize].code), code);
        self.by_code.find(self.hash(code), is)
    }

    /// Differs from process to process, so that nobody can choose codes that all have one place.
    fn hash(&self, code: &str) -> u64 {
        static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        let mut hasher = KEYS.build_hasher();
        match self.header.is_case_sensitive {
            true => hasher.write(code.as_bytes()),
            false => code.chars().flat_map(char::to_lowercase).for_each(|part| hasher.write_u32(part.into())),
        }
        hasher.finish()
    }

    fn is_same(&self, left: &str, right: &str) -> bool {
        left == right
            || !self.header.is_case_sensitive
                && left.chars().flat_map(char::to_lowercase).eq(right.chars().flat_map(char::to_lowercase))
    }

    /// The positions of the concepts below one, each once, itself not among them.
    pub fn descendants(&self, at: u32) -> Vec<u32> {
        self.hierarchy.below(at)
    }

    /// How many concepts stand below one.
    pub fn count_descendants(&self, at: u32) -> usize {
        self.hierarchy.count_below(at)
    }

    /// The positions of the concepts above one, nearest first, itself not among them.
    pub fn ancestors(&self, at: u32) -> Vec<u32> {
        self.hierarchy.above(at)
    }

    /// Whether one concept stands below another, by any way. It does not walk the hierarchy.
    pub fn is_below(&self, below: u32, above: u32) -> bool {
        self.hierarchy.is_below(below, above)
    }
}

impl fmt::Debug for CodeSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodeSystem").field("header", &self.header).field("concepts", &self.rows.len()).finish()
    }
}

impl fmt::Debug for Concept<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}|{}", self.system.url(), self.code())
    }
}

impl<'a> Concept<'a> {
    fn row(self) -> &'a Row {
        &self.system.rows[self.at as usize]
    }

    /// Where it stands in its system.
    pub fn position(self) -> u32 {
        self.at
    }

    /// The system it belongs to.
    pub fn system(self) -> &'a CodeSystem {
        self.system
    }

    /// Its code, as the system writes it.
    pub fn code(self) -> &'a str {
        self.system.texts.get(self.row().code)
    }

    /// Its text.
    pub fn display(self) -> Option<&'a str> {
        self.system.texts.maybe(self.row().display)
    }

    /// Its text in a language such as `de` or `de-CH`: a designation, else that of the system.
    pub fn display_in(self, language: &str) -> Option<&'a str> {
        let is = |spoken: &str| speaks(spoken, language);
        if self.system.header.language.as_deref().is_some_and(is) {
            return self.display();
        }
        let spoken = self.designations().filter(|designation| designation.language.is_some_and(is));
        let (mut displays, mut others) = (None, None);
        for designation in spoken {
            let is_display =
                designation.usage.is_none_or(|usage| matches!(usage.code, "display" | "900000000000013009"));
            if is_display { &mut displays } else { &mut others }.get_or_insert(designation.value);
        }
        displays.or(others).or(self.display())
    }

    /// What it means.
    pub fn definition(self) -> Option<&'a str> {
        self.system.texts.maybe(self.row().definition)
    }

    /// Whether it only groups others, and is not to be used itself.
    pub fn is_abstract(self) -> bool {
        self.row().flags & ABSTRACT != 0
    }

    /// Whether it is not to be used any more.
    pub fn is_inactive(self) -> bool {
        self.row().flags & INACTIVE != 0
    }

    /// Name and value of what else is said of it.
    pub fn properties(self) -> impl Iterator<Item = (&'a str, PropertyValue<'a>)> {
        let texts = &self.system.texts;
        let rows = self.system.properties.of(self.at).iter();
        rows.map(|row| (texts.get(row.name), PropertyValue::new(row.kind, texts.get(row.value))))
    }

    /// Its other texts.
    pub fn designations(self) -> impl Iterator<Item = Designation<'a>> {
        let texts = &self.system.texts;
        self.system.designations.of(self.at).iter().map(|row| Designation {
            language: texts.maybe(row.language),
            usage: texts.maybe(row.usage).map(coding),
            value: texts.get(row.value),
        })
    }

    /// The concepts just above it.
    pub fn parents(self) -> impl Iterator<Item = Concept<'a>> {
        self.system.hierarchy.parents(self.at).iter().map(move |at| Concept { at: *at, ..self })
    }

    /// The concepts just below it.
    pub fn children(self) -> impl Iterator<Item = Concept<'a>> {
        self.system.hierarchy.children(self.at).iter().map(move |at| Concept { at: *at, ..self })
    }
}

impl<'a> PropertyValue<'a> {
    fn new(kind: Kind, text: &'a str) -> PropertyValue<'a> {
        match kind {
            Kind::Code => PropertyValue::Code(text),
            Kind::Coding => PropertyValue::Coding(coding(text)),
            Kind::String => PropertyValue::String(text),
            Kind::Integer => PropertyValue::Integer(text),
            Kind::Boolean => PropertyValue::Boolean(text == "true"),
            Kind::DateTime => PropertyValue::DateTime(text),
            Kind::Decimal => PropertyValue::Decimal(text),
        }
    }

    /// What filters compare: the code of a Coding, the value as written of anything else.
    pub fn text(self) -> &'a str {
        match self {
            PropertyValue::Code(text)
            | PropertyValue::String(text)
            | PropertyValue::Integer(text)
            | PropertyValue::DateTime(text)
            | PropertyValue::Decimal(text) => text,
            PropertyValue::Coding(coding) => coding.code,
            PropertyValue::Boolean(value) => match value {
                true => "true",
                false => "false",
            },
        }
    }
}

/// Whether a text in language `spoken` serves who asks for `wanted`: the same, or a kind of it.
pub(super) fn speaks(spoken: &str, wanted: &str) -> bool {
    spoken.get(..wanted.len()).is_some_and(|start| start.eq_ignore_ascii_case(wanted))
        && matches!(spoken.as_bytes().get(wanted.len()), None | Some(b'-'))
}

fn coding(text: &str) -> Coded<'_> {
    let mut parts = text.splitn(4, SEPARATOR);
    let mut part = || parts.next().filter(|part| !part.is_empty());
    let (system, version, code) = (part(), part(), part());
    Coded { system, version, code: code.unwrap_or_default(), display: part() }
}

fn coding_text(coding: &Coded<'_>) -> String {
    let parts = [coding.system, coding.version, Some(coding.code), coding.display];
    parts.map(Option::unwrap_or_default).join(&SEPARATOR.to_string())
}

#[cfg(test)]
mod tests;
