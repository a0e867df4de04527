//! `$expand`: the codes of a value set, <https://hl7.org/fhir/R4/valueset-operation-expand.html>.

use std::fmt::Write;
use std::iter;

use bytes::Bytes;
use fhir::Outcome;
use fhir::json::{Document, quote};
use fhir::outcome::quoted;
use fhir::terminology::{Contained, Expansion, ExpansionRequest};
use repository::{Session, new_id};

use super::answer::coding;
use super::code::bad;
use super::terms::{Asked, TX_RESOURCE, Terms};
use super::{DATE_REFUSED, elsewhere};
use crate::inputs::Inputs;
use crate::{Invocation, Operation};

/// The inputs that say how a value set is expanded.
pub const EXPANSION_INPUTS: &[&str] = &[
    "filter",
    "offset",
    "count",
    "includeDesignations",
    "designation",
    "includeDefinition",
    "activeOnly",
    "excludeNested",
    "excludeNotForUI",
    "excludePostCoordinated",
    "displayLanguage",
    "exclude-system",
    "system-version",
    "check-system-version",
    "force-system-version",
];

/// Those that say which one.
const WHICH: &[&str] = &["url", "valueSet", "valueSetVersion", "context", "contextDirection", "date", TX_RESOURCE];

/// What an expansion repeats of the definition unless all of it is asked for.
const METADATA: &[&str] =
    &["url", "version", "name", "title", "status", "experimental", "date", "publisher", "copyright"];

/// Said of an expansion that is not whole.
const UNCLOSED: &str =
    r#""extension":[{"url":"http://hl7.org/fhir/StructureDefinition/valueset-unclosed","valueBoolean":true}],"#;

pub(crate) struct Expand;

impl Operation for Expand {
    fn code(&self) -> &'static str {
        "expand"
    }

    fn definition(&self) -> &'static str {
        "http://hl7.org/fhir/OperationDefinition/ValueSet-expand"
    }

    fn at_types(&self) -> &'static [&'static str] {
        &["ValueSet"]
    }

    fn at_instances(&self) -> &'static [&'static str] {
        &["ValueSet"]
    }

    fn affects_state(&self) -> bool {
        false
    }

    fn run(&self, session: &Session<'_>, invocation: &Invocation) -> Result<Bytes, Outcome> {
        let inputs = Inputs::of(invocation).known(&[WHICH, EXPANSION_INPUTS].concat())?;
        inputs.refuse("date", DATE_REFUSED)?;
        check_direction(&inputs)?;
        let request = request(&inputs)?;
        let has_definition = inputs.flag("includeDefinition")?.unwrap_or(false);
        let mut terms = Terms::new(session, "ValueSet", &inputs)?;
        let asked = Asked::value_set(&mut terms, session, invocation, &inputs)?;
        let members = terms.members(&asked);
        let expanded = members
            .as_ref()
            .map_err(Clone::clone)
            .and_then(|members| members.expansion(&request).map_err(|outcome| asked.unresolved(outcome)));
        match expanded {
            Ok(expansion) => {
                let time = session.now().to_string();
                Ok(written(&asked, &expansion, &inputs, has_definition, &time).into())
            }
            Err(outcome) if elsewhere::is_unknown(&outcome) => {
                let names = [&["contextDirection"], EXPANSION_INPUTS].concat();
                elsewhere::ask(
                    &terms,
                    "ValueSet/$expand",
                    &elsewhere::inputs(&inputs, &names, &[], Some(&asked)),
                    outcome,
                )
            }
            Err(outcome) => Err(outcome),
        }
    }
}

/// Elements are bound to one value set, for reading and for writing.
fn check_direction(inputs: &Inputs<'_>) -> Result<(), Outcome> {
    match inputs.text("contextDirection")?.as_deref() {
        None => Ok(()),
        Some(_) if inputs.text("context")?.is_none() => Err(bad("`contextDirection` needs `context`")),
        Some("incoming" | "outgoing") => Ok(()),
        Some(other) => {
            Err(bad(format!("the input `contextDirection` is {}, not `incoming` or `outgoing`", quoted(other))))
        }
    }
}

fn request(inputs: &Inputs<'_>) -> Result<ExpansionRequest, Outcome> {
    let all = |name: &str| inputs.texts(name).into_iter().map(|text| text.into_owned()).collect::<Vec<_>>();
    // There are no post-coordinated codes in an expansion, whatever is asked.
    inputs.flag("excludePostCoordinated")?;
    let designations = all("designation");
    Ok(ExpansionRequest {
        filter: inputs.text("filter")?.map(|text| text.into_owned()),
        offset: inputs.number("offset")?.unwrap_or(0),
        count: inputs.number("count")?,
        active_only: inputs.flag("activeOnly")?.unwrap_or(false),
        exclude_not_for_ui: inputs.flag("excludeNotForUI")?.unwrap_or(false),
        nested: inputs.flag("excludeNested")? == Some(false),
        include_designations: inputs.flag("includeDesignations")?.unwrap_or(!designations.is_empty()),
        designations,
        display_language: inputs.text("displayLanguage")?.map(|text| text.into_owned()),
        exclude_systems: all("exclude-system"),
    })
}

/// The answer: the value set with its expansion.
fn written(asked: &Asked, expansion: &Expansion<'_>, inputs: &Inputs<'_>, has_definition: bool, time: &str) -> String {
    let mut out = String::from(r#"{"resourceType":"ValueSet""#);
    match &asked.definition {
        Some(definition) => copy(&mut out, definition, has_definition),
        None => {
            let _ = write!(out, r#","url":{},"status":"active""#, quote(&asked.canonical));
        }
    }
    let unclosed = if expansion.is_unclosed { UNCLOSED } else { "" };
    let identifier = new_id();
    let _ = write!(
        out,
        r#","expansion":{{{unclosed}"identifier":"urn:uuid:{identifier}","timestamp":"{time}","total":{}"#,
        expansion.total
    );
    if inputs.is_given("offset") || inputs.is_given("count") {
        let _ = write!(out, r#","offset":{}"#, expansion.offset);
    }
    let parameters = parameters(expansion, inputs);
    if !parameters.is_empty() {
        let _ = write!(out, r#","parameter":[{}]"#, parameters.join(","));
    }
    contains(&mut out, &expansion.contains);
    out.push_str("}}");
    out
}

fn copy(out: &mut String, definition: &Document, has_definition: bool) {
    let left_out = |name: &str| matches!(name, "resourceType" | "id" | "meta" | "text" | "expansion");
    for (name, value) in definition.root().members() {
        let is_wanted = if has_definition { !left_out(name) } else { METADATA.contains(&name) };
        if is_wanted {
            let _ = write!(out, ",{}:{}", quote(name), value.raw());
        }
    }
    if definition.root().get("status").is_none() {
        out.push_str(r#","status":"unknown""#);
    }
}

/// What the expansion was made with.
fn parameters(expansion: &Expansion<'_>, inputs: &Inputs<'_>) -> Vec<String> {
    let asked = EXPANSION_INPUTS.iter().flat_map(|name| {
        inputs.texts(name).into_iter().map(move |text| {
            elsewhere::input(name, &text).replace("valueCanonical", "valueUri").replace("valueCode", "valueString")
        })
    });
    let used = expansion.parameters.iter();
    let used = used.map(|it| format!(r#"{{"name":{},"valueUri":{}}}"#, quote(it.name), quote(&it.uri)));
    asked.chain(used).collect()
}

/// The codes, those inside others within them.
fn contains(out: &mut String, codes: &[Contained<'_>]) {
    if codes.is_empty() {
        return;
    }
    out.push_str(r#","contains":["#);
    let depths = codes.iter().map(|code| code.depth).skip(1).chain(iter::once(0));
    for (code, next) in codes.iter().zip(depths) {
        contained(out, code);
        match next > code.depth {
            true => out.push_str(r#","contains":["#),
            false => {
                out.push('}');
                (next..code.depth).for_each(|_| out.push_str("]}"));
                out.push(',');
            }
        }
    }
    out.pop();
    out.push(']');
}

/// One code, without its end.
fn contained(out: &mut String, code: &Contained<'_>) {
    let _ = write!(out, r#"{{"system":{}"#, quote(code.system));
    if code.is_abstract {
        out.push_str(r#","abstract":true"#);
    }
    if code.is_inactive {
        out.push_str(r#","inactive":true"#);
    }
    if let Some(version) = code.version {
        let _ = write!(out, r#","version":{}"#, quote(version));
    }
    let _ = write!(out, r#","code":{}"#, quote(code.code));
    if let Some(display) = code.display {
        let _ = write!(out, r#","display":{}"#, quote(display));
    }
    if !code.designations.is_empty() {
        let designations = code.designations.iter().map(|it| {
            let language = it.language.map_or(String::new(), |language| format!(r#""language":{},"#, quote(language)));
            let usage = it.usage.map(|usage| coding(usage.system, usage.version, usage.code, usage.display));
            let usage = usage.map_or(String::new(), |usage| format!(r#""use":{usage},"#));
            format!(r#"{{{language}{usage}"value":{}}}"#, quote(it.value))
        });
        let _ = write!(out, r#","designation":[{}]"#, designations.collect::<Vec<_>>().join(","));
    }
}
