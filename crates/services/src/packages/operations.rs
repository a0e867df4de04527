//! `$package-add`, `$package-list` and `$package-remove`: for those who may do everything.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fhir::json::{Node, quote};
use fhir::{Instant, IssueType, Outcome};
use repository::Session;

use super::{Id, Package, add, list, remove};
use crate::inputs::Inputs;
use crate::{Invocation, Operation};

/// Takes the package as the body itself, or as a Binary: alone, or the input `package`. Input `strict`: refuses what cannot be used as a whole.
pub(crate) struct PackageAdd;

/// A part for each package: its name, version, title, when it was added, what it needs, and its resources.
pub(crate) struct PackageList;

/// Input `package`: `NAME@VERSION`.
pub(crate) struct PackageRemove;

/// The media types under which archives are sent.
const ARCHIVES: [&str; 6] = [
    "application/gzip",
    "application/x-gzip",
    "application/tar+gzip",
    "application/x-gtar",
    "application/x-tgz",
    "application/octet-stream",
];

impl Operation for PackageAdd {
    fn code(&self) -> &'static str {
        "package-add"
    }

    fn definition(&self) -> &'static str {
        "https://flint.example/fhir/OperationDefinition/package-add"
    }

    fn at_system(&self) -> bool {
        true
    }

    fn affects_state(&self) -> bool {
        true
    }

    fn takes(&self) -> &'static [&'static str] {
        &ARCHIVES
    }

    fn run(&self, session: &Session<'_>, invocation: &Invocation) -> Result<Bytes, Outcome> {
        let inputs = Inputs::of(invocation);
        let strict = inputs.flag("strict")?.unwrap_or(false);
        let decoded;
        let packed: &[u8] = match (&invocation.raw, inputs.resource("package")) {
            (Some(raw), _) => raw,
            (None, Some(binary)) => {
                decoded = content(binary)?;
                &decoded
            }
            (None, None) => {
                let text = "there is no package: send one as `application/gzip`, or as a Binary";
                return Err(Outcome::new(IssueType::BadRequest, text));
            }
        };
        Ok(add(session, &mut &*packed, strict)?.to_json().into())
    }
}

/// The bytes of a Binary.
fn content(binary: Node<'_>) -> Result<Vec<u8>, Outcome> {
    let data = binary.get("data").filter(|_| binary.resource_type() == Some("Binary")).and_then(Node::as_str);
    let data = data.ok_or_else(|| Outcome::new(IssueType::BadRequest, "the package must be a Binary with `data`"))?;
    let data: String = data.split_ascii_whitespace().collect();
    STANDARD
        .decode(data)
        .map_err(|error| Outcome::new(IssueType::Value, format!("`data` is not base64: {error}")).at("Binary.data"))
}

impl Operation for PackageList {
    fn code(&self) -> &'static str {
        "package-list"
    }

    fn definition(&self) -> &'static str {
        "https://flint.example/fhir/OperationDefinition/package-list"
    }

    fn at_system(&self) -> bool {
        true
    }

    fn affects_state(&self) -> bool {
        false
    }

    fn run(&self, session: &Session<'_>, _: &Invocation) -> Result<Bytes, Outcome> {
        let packages: Vec<_> = list(session)?.iter().map(part).collect();
        let packages = match packages.is_empty() {
            true => String::new(),
            false => format!(r#","parameter":[{}]"#, packages.join(",")),
        };
        Ok(format!(r#"{{"resourceType":"Parameters"{packages}}}"#).into())
    }
}

fn part(package: &Package) -> String {
    let Package { id, title, added, dependencies, resources } = package;
    let mut parts = vec![
        format!(r#"{{"name":"name","valueString":{}}}"#, quote(&id.name)),
        format!(r#"{{"name":"version","valueString":{}}}"#, quote(&id.version)),
    ];
    if !title.trim().is_empty() {
        parts.push(format!(r#"{{"name":"title","valueString":{}}}"#, quote(title)));
    }
    parts.push(format!(r#"{{"name":"added","valueInstant":"{}"}}"#, Instant::from_millis(*added)));
    let needs = dependencies.iter();
    parts.extend(needs.map(|id| format!(r#"{{"name":"dependency","valueString":{}}}"#, quote(&id.to_string()))));
    let resources = resources.iter();
    parts.extend(resources.map(|added| {
        format!(r#"{{"name":"resource","valueReference":{{"reference":{}}}}}"#, quote(added.key.as_str()))
    }));
    format!(r#"{{"name":"package","part":[{}]}}"#, parts.join(","))
}

impl Operation for PackageRemove {
    fn code(&self) -> &'static str {
        "package-remove"
    }

    fn definition(&self) -> &'static str {
        "https://flint.example/fhir/OperationDefinition/package-remove"
    }

    fn at_system(&self) -> bool {
        true
    }

    fn affects_state(&self) -> bool {
        true
    }

    fn run(&self, session: &Session<'_>, invocation: &Invocation) -> Result<Bytes, Outcome> {
        let package = Inputs::of(invocation).needed("package")?;
        Ok(remove(session, &Id::parse(&package)?)?.to_json().into())
    }
}
