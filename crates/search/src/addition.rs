//! Search parameters that are stated by resources, <https://hl7.org/fhir/R4/searchparameter.html>, beside those that are always there.

mod limits;

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

use fhir::definitions::{SearchKind, SearchParameter};
use fhir::fhirpath::Expression;
use fhir::json::{Document, Node};
use fhir::{Definitions, IssueType, Outcome};

pub(crate) use self::limits::Limits;
use crate::extract::{Source, branches};
use crate::parameter::composite_kinds;
use crate::refusal::shortened;

/// How many bytes a code, an expression and a url may have.
const CODE_MAX: usize = 64;
const EXPRESSION_MAX: usize = 4_000;
const URL_MAX: usize = 1_000;

/// How many components a composite may have.
const COMPONENTS_MAX: usize = 8;

/// A search parameter as its resource states it, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addition {
    /// Its facts; `base` names concrete types only.
    pub definition: SearchParameter,
    /// The kinds of its components.
    pub(crate) kinds: Vec<SearchKind>,
    pub(crate) limits: Limits,
}

/// How far the rows of a type are made anew. Shared between a registry and what indexes.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    total: AtomicU64,
}

impl Progress {
    /// So many of so many resources.
    pub fn new(done: u64, total: u64) -> Progress {
        Progress { done: done.into(), total: total.into() }
    }

    /// Notes how many resources are done.
    pub fn set_done(&self, done: u64) {
        self.done.store(done, Ordering::Relaxed);
    }

    /// How many resources are done.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// How many there were when it began, at least as many as are done.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed).max(self.done())
    }

    /// 0 to 100; 100 only when all is done.
    pub fn percent(&self) -> u64 {
        (self.done() * 100).checked_div(self.total()).unwrap_or(0)
    }
}

impl Addition {
    /// What a SearchParameter resource states; `None` when it states nothing to index by: it is not active, or it restates a parameter that
    /// is always there (by its url, or by `derivedFrom`). `known` gives the kind of another addition by its url.
    ///
    /// Refused, naming the element: what cannot be indexed here, and a code that R4 gives another meaning on the same type.
    pub fn read(
        definitions: &'static Definitions,
        document: &Document,
        known: impl Fn(&str) -> Option<SearchKind>,
    ) -> Result<Option<Addition>, Outcome> {
        let root = document.root();
        if !root.get("status").is_some_and(|status| status.is_str("active")) {
            return Ok(None);
        }
        let url = text(root, "url");
        if definitions.search_parameter(&url).is_some() {
            return Ok(None);
        }
        let code = text(root, "code");
        check_code(&code)?;
        if url.is_empty() || url.len() > URL_MAX {
            return Err(bad("url", format!("the url `{}` is not 1 to {URL_MAX} bytes", shortened(&url))));
        }
        let base = base(definitions, root)?;
        if is_restated(definitions, root, &code, &base)? {
            return Ok(None);
        }
        let kind = kind(&text(root, "type"))?;
        let expression = text(root, "expression");
        let parsed = check_expression(&expression)?;
        for resource_type in &base {
            check_about(definitions, resource_type, &expression, &parsed)?;
        }
        let components = components(root)?;
        let kinds = match kind {
            SearchKind::Composite => check_components(definitions, &components, known)?,
            _ => Vec::new(),
        };
        let definition = SearchParameter {
            code: code.into(),
            url: url.into(),
            kind,
            base,
            expression: expression.into(),
            targets: targets(definitions, root)?,
            components,
            description: text(root, "description").into(),
        };
        Ok(Some(Addition { definition, kinds, limits: Limits::read(root) }))
    }

    /// What its indexes are numbered by, beside the type: another content has others.
    pub(crate) fn index_name(&self) -> String {
        format!("{}#{}", self.definition.code, self.content_id())
    }

    /// Stands for what its rows are made of: when it changes, the rows of old are of no use.
    pub fn content_id(&self) -> String {
        let SearchParameter { code, kind, expression, targets, components, .. } = &self.definition;
        let text = format!("{code}\0{kind:?}\0{expression}\0{targets:?}\0{components:?}\0{:?}", self.kinds);
        blake3::hash(text.as_bytes()).to_hex()[..16].to_owned()
    }
}

fn text(node: Node<'_>, name: &str) -> String {
    node.get(name).and_then(|value| value.as_str()).unwrap_or_default().into_owned()
}

fn items<'a>(root: Node<'a>, name: &str) -> impl Iterator<Item = Cow<'a, str>> {
    root.get(name).into_iter().flat_map(Node::items).filter_map(|item| item.as_str())
}

fn bad(element: &str, diagnostics: String) -> Outcome {
    Outcome::new(IssueType::Value, diagnostics).at(format!("SearchParameter.{element}"))
}

/// A code stands before `=`, `:` and `.` in a query, and names that begin with `_` are FHIR's.
fn check_code(code: &str) -> Result<(), Outcome> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let begins = code.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    if begins && code.len() <= CODE_MAX && code.bytes().all(is_plain) {
        return Ok(());
    }
    let shown = shortened(code);
    Err(bad("code", format!("the code `{shown}` is not a letter and up to {CODE_MAX} letters, digits, `-` and `_`")))
}

/// The concrete types; `Resource` and `DomainResource` stand for all theirs.
fn base(definitions: &'static Definitions, root: Node<'_>) -> Result<Vec<&'static str>, Outcome> {
    let mut types = Vec::new();
    for (at, name) in items(root, "base").enumerate() {
        let found = definitions.resource_types().iter().copied().filter(|found| definitions.is_a(found, &name));
        let before = types.len();
        types.extend(found);
        if types.len() == before {
            let text = format!("`{}` is no resource type of FHIR R4", shortened(&name));
            return Err(bad(&format!("base[{at}]"), text));
        }
    }
    types.sort_unstable();
    types.dedup();
    Ok(types)
}

/// Whether this states again what is always there, on all its types; refuses it where it means something else on one.
fn is_restated(
    definitions: &'static Definitions,
    root: Node<'_>,
    code: &str,
    base: &[&'static str],
) -> Result<bool, Outcome> {
    let standard = |resource_type: &str| {
        definitions.search_parameters(resource_type).iter().find(|parameter| parameter.code == code).copied()
    };
    let derived_from = text(root, "derivedFrom");
    let derived_from = derived_from.split('|').next().unwrap_or_default();
    let mut restated = 0;
    for resource_type in base {
        match standard(resource_type) {
            Some(parameter) if parameter.url == derived_from => restated += 1,
            Some(parameter) => {
                let text = format!(
                    "`{code}` of {resource_type} is `{}`, which stays as it is; take another code, or name it in derivedFrom",
                    parameter.url
                );
                return Err(Outcome::new(IssueType::Duplicate, text).at("SearchParameter.code"));
            }
            None => {}
        }
    }
    Ok(restated == base.len())
}

fn kind(code: &str) -> Result<SearchKind, Outcome> {
    SearchKind::parse(code).filter(|kind| *kind != SearchKind::Special).ok_or_else(|| {
        let text = format!(
            "the type `{}` cannot be indexed, only number, date, string, token, reference, composite, quantity and uri",
            shortened(code)
        );
        bad("type", text)
    })
}

/// The expression's alternatives, each with its text.
fn check_expression(expression: &str) -> Result<Vec<(&str, Expression)>, Outcome> {
    if expression.is_empty() {
        let text = "an active search parameter needs an expression to be indexed by".to_owned();
        return Err(Outcome::new(IssueType::Required, text).at("SearchParameter.expression"));
    }
    parse("expression", expression)?;
    branches(expression).map(|branch| Ok((branch, parse("expression", branch)?))).collect()
}

fn parse(element: &str, text: &str) -> Result<Expression, Outcome> {
    if text.len() > EXPRESSION_MAX {
        return Err(bad(
            element,
            format!("the expression has {} bytes, at most {EXPRESSION_MAX} are taken", text.len()),
        ));
    }
    let parsed = Expression::parse(text).map_err(|error| {
        bad(element, format!("the expression is not FHIRPath at byte {}: {}", error.at, error.message))
    })?;
    match parsed.outside() {
        None => Ok(parsed),
        Some(outside) => {
            let text = format!(
                "the expression rests on `{outside}`, which cannot be indexed: only elements of the resource itself can, \
                 and `resolve() is` a type"
            );
            Err(bad(element, text))
        }
    }
}

/// At least one alternative is about the type, and all those name what is there.
fn check_about(
    definitions: &'static Definitions,
    resource_type: &'static str,
    expression: &str,
    parsed: &[(&str, Expression)],
) -> Result<(), Outcome> {
    let Some(structure) = definitions.structure(resource_type) else { return Ok(()) };
    let mut is_about = false;
    for (text, parsed) in parsed {
        if Source::new(definitions, structure, text).is_none() {
            continue;
        }
        is_about = true;
        if let Some((name, owner)) = parsed.unknown_member(definitions, structure) {
            return Err(bad("expression", format!("the expression names `{name}`, which {owner} does not have")));
        }
    }
    match is_about {
        true => Ok(()),
        false => {
            let text = format!("the expression `{}` says nothing about {resource_type}", shortened(expression));
            Err(bad("expression", text))
        }
    }
}

type Components = Vec<(Cow<'static, str>, Cow<'static, str>)>;

fn components(root: Node<'_>) -> Result<Components, Outcome> {
    let nodes = root.get("component").into_iter().flat_map(Node::items);
    let mut components = Components::new();
    for (at, node) in nodes.enumerate() {
        let expression = text(node, "expression");
        parse(&format!("component[{at}].expression"), &expression)?;
        components.push((without_version(&text(node, "definition")).to_owned().into(), expression.into()));
    }
    match components.len() <= COMPONENTS_MAX {
        true => Ok(components),
        false => Err(bad("component", format!("there are more than {COMPONENTS_MAX} components"))),
    }
}

fn without_version(canonical: &str) -> &str {
    canonical.split_once('|').map_or(canonical, |(url, _)| url)
}

fn check_components(
    definitions: &Definitions,
    components: &Components,
    known: impl Fn(&str) -> Option<SearchKind>,
) -> Result<Vec<SearchKind>, Outcome> {
    let mut kinds = Vec::new();
    for (at, (url, _)) in components.iter().enumerate() {
        let kind = definitions.search_parameter(url).map(|parameter| parameter.kind).or_else(|| known(url));
        kinds.push(kind.ok_or_else(|| {
            let text = format!("`{}` is no search parameter that this server knows", shortened(url));
            bad(&format!("component[{at}].definition"), text)
        })?);
    }
    match composite_kinds(&kinds) {
        true => Ok(kinds),
        false => {
            let text =
                "a composite needs two components or more, and all but the last must be tokens, references or numbers";
            Err(bad("component", text.to_owned()))
        }
    }
}

fn targets(definitions: &'static Definitions, root: Node<'_>) -> Result<Vec<&'static str>, Outcome> {
    let mut targets = Vec::new();
    for (at, name) in items(root, "target").enumerate() {
        match definitions.resource_type(&name) {
            Some(target) => targets.push(target),
            None if name == "Resource" => return Ok(Vec::new()),
            None => {
                let text = format!("`{}` is no resource type of FHIR R4", shortened(&name));
                return Err(bad(&format!("target[{at}]"), text));
            }
        }
    }
    Ok(targets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::Refusal;

    fn read(members: &str) -> Result<Option<Addition>, Outcome> {
        let text = format!(
            r#"{{"resourceType":"SearchParameter","url":"https://a.example/SearchParameter/x","name":"x","status":"active","description":"d",{members}}}"#
        );
        Addition::read(Definitions::r4(), &Document::parse(text.as_bytes()).expect("JSON"), |_| None)
    }

    #[test]
    fn reads_what_can_be_indexed() {
        for members in [
            r#""code":"eye","base":["Patient"],"type":"token","expression":"Patient.extension.where(url='u').value""#,
            r#""code":"eye","base":["Patient"],"type":"token","expression":"extension('u').value.ofType(Coding)""#,
            r#""code":"x","base":["Patient","Practitioner"],"type":"string","expression":"Patient.name.text | Practitioner.name.text""#,
            r#""code":"x","base":["Resource"],"type":"token","expression":"Resource.meta.extension.value""#,
            r#""code":"x","base":["Observation"],"type":"reference","target":["Patient"],"expression":"Observation.subject.where(resolve() is Patient)""#,
            r#""code":"x","base":["Observation"],"type":"composite","expression":"Observation","component":[
                {"definition":"http://hl7.org/fhir/SearchParameter/clinical-code|4.0.1","expression":"code"},
                {"definition":"http://hl7.org/fhir/SearchParameter/Observation-value-quantity","expression":"value.as(Quantity)"}]"#,
        ] {
            assert!(read(members).unwrap_or_else(|error| panic!("{error} {members}")).is_some(), "{members}");
        }
        let all =
            read(r#""code":"x","base":["DomainResource"],"type":"uri","expression":"DomainResource.extension.url""#);
        assert!(all.expect("valid").expect("active").definition.base.len() > 140);
    }

    #[test]
    fn what_restates_r4_states_nothing_new() {
        let restated = r#""code":"birthdate","base":["Patient"],"type":"date","expression":"Patient.birthDate",
            "derivedFrom":"http://hl7.org/fhir/SearchParameter/individual-birthdate""#;
        assert_eq!(read(restated), Ok(None));
    }

    #[test]
    fn refuses_what_cannot_be_indexed() {
        let cases = [
            (r#""code":"a b","base":["Patient"],"type":"token","expression":"Patient.id""#, "code", "the code `a b`"),
            (r#""code":"_x","base":["Patient"],"type":"token","expression":"Patient.id""#, "code", "the code `_x`"),
            (r#""code":"a.b","base":["Patient"],"type":"token","expression":"Patient.id""#, "code", "the code `a.b`"),
            (
                r#""code":"x","base":["Patient","Pat"],"type":"token","expression":"Patient.id""#,
                "base[1]",
                "`Pat` is no resource type",
            ),
            (
                r#""code":"x","base":["Patient"],"type":"special","expression":"Patient.id""#,
                "type",
                "the type `special` cannot be indexed",
            ),
            (r#""code":"x","base":["Patient"],"type":"token""#, "expression", "needs an expression"),
            (
                r#""code":"x","base":["Patient"],"type":"token","expression":"Patient..id""#,
                "expression",
                "is not FHIRPath at byte 8",
            ),
            (
                r#""code":"x","base":["Patient"],"type":"token","expression":"Observation.code""#,
                "expression",
                "says nothing about Patient",
            ),
            (
                r#""code":"x","base":["Patient"],"type":"token","expression":"Patient.nmae""#,
                "expression",
                "names `nmae`, which Patient does not have",
            ),
            (
                r#""code":"x","base":["Patient"],"type":"token","expression":"Patient.generalPractitioner.resolve().name""#,
                "expression",
                "rests on `resolve()`",
            ),
            (
                r#""code":"x","base":["Patient"],"type":"token","expression":"Patient.birthDate < now()""#,
                "expression",
                "rests on `now()`",
            ),
            (
                r#""code":"x","base":["Patient"],"type":"token","expression":"Patient.id | %resource.id""#,
                "expression",
                "rests on `%resource`",
            ),
            (
                r#""code":"birthdate","base":["Patient"],"type":"date","expression":"Patient.birthDate""#,
                "code",
                "`birthdate` of Patient is `http://hl7.org/fhir/SearchParameter/individual-birthdate`",
            ),
            (
                r#""code":"x","base":["Patient"],"type":"reference","target":["Pat"],"expression":"Patient.link.other""#,
                "target[0]",
                "`Pat` is no resource type",
            ),
            (
                r#""code":"x","base":["Patient"],"type":"composite","expression":"Patient","component":[{"definition":"urn:x","expression":"id"}]"#,
                "component[0].definition",
                "`urn:x` is no search parameter",
            ),
            (
                r#""code":"x","base":["Patient"],"type":"composite","expression":"Patient","component":[{"definition":"http://hl7.org/fhir/SearchParameter/Resource-id","expression":"id"}]"#,
                "component",
                "needs two components",
            ),
        ];
        for (members, element, message) in cases {
            let outcome = read(members).expect_err(members);
            assert_eq!(outcome.issues[0].expression, [format!("SearchParameter.{element}")], "{outcome}");
            assert!(outcome.to_string().contains(message), "`{outcome}` lacks `{message}`");
        }
    }

    #[test]
    fn holds_to_what_the_definition_allows() {
        let addition = |members: &str| {
            let text = format!(
                r#""code":"x","base":["Patient"],"type":"date","expression":"Patient.birthDate","modifier":["missing","type"],{members}"#
            );
            read(&text).expect("valid").expect("active")
        };
        let addition = addition(r#""comparator":["ge","le"],"multipleOr":false,"chain":["name"]"#);
        for (modifier, value, refused) in [
            (None, "2020", None),
            (None, "ge2020", None),
            (None, "gt2020", Some("prefix `gt` of `x` is not allowed, only ge, le")),
            (None, "ge2020,le2021", Some("takes one value")),
            (Some("missing"), "true", None),
            (Some("Patient"), "1", None),
            (Some("exact"), "x", Some("modifier `:exact` of `x` is not allowed, only missing, type")),
        ] {
            let found = addition.limits.check(&addition.definition, modifier, value);
            assert_eq!(found.is_err(), refused.is_some(), "{value}");
            if let (Err(Refusal::Bad(outcome) | Refusal::Unknown(outcome)), Some(message)) = (found, refused) {
                assert!(outcome.to_string().contains(message), "{outcome}");
            }
        }
        assert!(
            addition.limits.check_chain("x", "name").is_ok() && addition.limits.check_chain("x", "family").is_err()
        );
    }

    #[test]
    fn tells_how_far_it_is() {
        for (done, total, percent) in [(0, 0, 0), (0, 3, 0), (1, 3, 33), (3, 3, 100), (5, 3, 100)] {
            assert_eq!(Progress::new(done, total).percent(), percent);
        }
    }
}
