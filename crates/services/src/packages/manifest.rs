//! `package.json`, <https://confluence.hl7.org/display/FHIR/NPM+Package+Specification>: what a package says about itself.

use std::fmt;

use fhir::json::{Document, Node};
use fhir::outcome::quoted;
use fhir::{IssueType, Outcome};

/// How long the name or version of a package is at most.
const NAME_LENGTH_MAX: usize = 200;

/// How many packages one may depend on.
const DEPENDENCIES_MAX: usize = 200;

/// The versions of FHIR whose packages can be used here.
const FHIR_VERSIONS: [&str; 3] = ["4.0.1", "4.0.0", "4.0"];

/// Packages that hold R4's own definitions, which are always there.
const OWN: [&str; 4] = ["hl7.fhir.r4.core", "hl7.fhir.r4.corexml", "hl7.fhir.r4.expansions", "hl7.fhir.r4.examples"];

/// `NAME@VERSION`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Id {
    /// Such as `fhir.r4.ukcore.stu2`.
    pub name: String,
    /// Such as `2.0.1`; of a dependency it may say which are right: `2.0.x`.
    pub version: String,
}

/// What is read of the manifest.
#[derive(Clone, Debug)]
pub(super) struct Manifest {
    pub(super) id: Id,
    pub(super) title: String,
    pub(super) dependencies: Vec<Id>,
}

impl Id {
    /// Reads `NAME@VERSION`, or `NAME#VERSION` as packages are also written.
    pub fn parse(text: &str) -> Result<Id, Outcome> {
        let parts = text.rsplit_once(['@', '#']).filter(|(name, version)| is_name(name) && is_version(version));
        let (name, version) = parts.ok_or_else(|| {
            let text = format!("{} is no package such as `hl7.fhir.uv.ips@1.1.0`", quoted(text));
            Outcome::new(IssueType::BadRequest, text)
        })?;
        Ok(Id { name: name.to_owned(), version: version.to_owned() })
    }

    /// Whether this dependency is met by a package: `x` and `*` stand for any part, and some words for any version.
    pub(super) fn is_met_by(&self, package: &Id) -> bool {
        if self.name != package.name {
            return false;
        }
        if matches!(self.version.as_str(), "latest" | "current" | "dev" | "*" | "x") {
            return true;
        }
        let (mut wanted, mut found) = (self.version.split('.'), package.version.split('.'));
        loop {
            match (wanted.next(), found.next()) {
                (None, None) => return true,
                (Some("x" | "*"), _) => {}
                (Some(wanted), Some(found)) if wanted == found => {}
                _ => return false,
            }
        }
    }

    /// Whether it holds what is here without any package.
    pub(super) fn is_own(&self) -> bool {
        OWN.contains(&self.name.as_str())
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

/// Letters, digits and the signs between them, so that a name is never more than a name.
fn is_name(text: &str) -> bool {
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || b".-_+/@*".contains(&byte);
    (1..=NAME_LENGTH_MAX).contains(&text.len()) && text.bytes().all(is_sign)
}

/// What stands behind the last `@`.
fn is_version(text: &str) -> bool {
    is_name(text) && !text.contains(['@', '/'])
}

impl Manifest {
    /// Reads a manifest; refuses a package of another version of FHIR.
    pub(super) fn parse(text: &[u8]) -> Result<Manifest, Outcome> {
        let refuse = |text: String| Outcome::new(IssueType::Invalid, text);
        let document = Document::parse(text).map_err(|error| refuse(format!("package.json is not JSON: {error}")))?;
        let root = document.root();
        let text = |name: &str| root.get(name).and_then(Node::as_str).map(String::from);
        let named = |name: &str, is_right: fn(&str) -> bool| {
            let value = text(name).unwrap_or_default();
            match is_right(&value) {
                true => Ok(value),
                false => Err(refuse(format!("package.json has {} as its {name}, which is none", quoted(&value)))),
            }
        };
        let id = Id { name: named("name", is_name)?, version: named("version", is_version)? };
        let versions = root.get("fhirVersions").or_else(|| root.get("fhir-version-list")).into_iter();
        let versions: Vec<_> = versions.flat_map(Node::each).filter_map(Node::as_str).collect();
        if !versions.is_empty() && !versions.iter().any(|version| FHIR_VERSIONS.contains(&&**version)) {
            let versions = versions.join(", ");
            return Err(refuse(format!("the package `{id}` is of FHIR {}, not of R4 (4.0.1)", quoted(&versions))));
        }
        if id.is_own() {
            return Err(refuse(format!("the package `{id}` holds R4's own definitions, which are always here")));
        }
        let dependencies = root.get("dependencies").into_iter().flat_map(Node::members).map(|(name, version)| Id {
            name: name.to_owned(),
            version: version.as_str().map_or_else(String::new, String::from),
        });
        let dependencies: Vec<_> = dependencies.take(DEPENDENCIES_MAX + 1).collect();
        if dependencies.len() > DEPENDENCIES_MAX {
            return Err(refuse(format!("the package `{id}` depends on more than {DEPENDENCIES_MAX} others")));
        }
        if let Some(other) = dependencies.iter().find(|other| !is_name(&other.name) || !is_version(&other.version)) {
            let other = quoted(&other.to_string());
            return Err(refuse(format!("the package `{id}` depends on {other}, which is no name and version")));
        }
        let title = text("title").or_else(|| text("description")).unwrap_or_default();
        Ok(Manifest { id, title, dependencies })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_package_is() {
        let text = br#"{"name":"a.b","version":"1.0.0-beta","title":"A","fhirVersions":["4.0.1"],"dependencies":{"hl7.fhir.r4.core":"4.0.1","c.d":"2.0.x"}}"#;
        let Manifest { id, title, dependencies } = Manifest::parse(text).expect("good");
        assert_eq!((id.to_string().as_str(), title.as_str()), ("a.b@1.0.0-beta", "A"));
        let dependencies: Vec<_> = dependencies.iter().map(Id::to_string).collect();
        assert_eq!(dependencies, ["hl7.fhir.r4.core@4.0.1", "c.d@2.0.x"]);
        for (text, message) in [
            ("{", "package.json is not JSON"),
            ("[]", "package.json has `` as its name"),
            (r#"{"name":"a"}"#, "package.json has `` as its version"),
            (r#"{"name":"a b","version":"1"}"#, "package.json has `a b` as its name"),
            (r#"{"name":"a","version":"1","fhirVersions":["5.0.0"]}"#, "`a@1` is of FHIR `5.0.0`, not of R4 (4.0.1)"),
            (r#"{"name":"a","version":"1","fhir-version-list":["4.3.0"]}"#, "`a@1` is of FHIR `4.3.0`"),
            (r#"{"name":"hl7.fhir.r4.core","version":"4.0.1"}"#, "R4's own definitions, which are always here"),
            (r#"{"name":"a","version":"1","dependencies":{"b c":"1"}}"#, "depends on `b c@1`"),
            (r#"{"name":"a","version":"1","dependencies":{"b":1}}"#, "depends on `b@`"),
        ] {
            let refused = Manifest::parse(text.as_bytes()).expect_err(text).to_string();
            assert!(refused.contains(message), "{text}: {refused}");
        }
    }

    #[test]
    fn knows_what_meets_a_dependency() {
        for (wanted, found, expected) in [
            ("a@1.0.0", "a@1.0.0", true),
            ("a@1.0.0", "a@1.0.1", false),
            ("a@1.0.x", "a@1.0.7", true),
            ("a@1.x", "a@1", true),
            ("a@1.x", "a@2.0", false),
            ("a@latest", "a@9", true),
            ("a@1.0", "b@1.0", false),
            ("a@1.0", "a@1.0.0", false),
        ] {
            let (wanted, found) = (Id::parse(wanted).expect("an id"), Id::parse(found).expect("an id"));
            assert_eq!(wanted.is_met_by(&found), expected, "{wanted} {found}");
        }
        for text in ["", "a", "a@", "@1", "a b@1", "a@1\n"] {
            assert!(Id::parse(text).is_err(), "{text}");
        }
        assert_eq!(Id::parse("a#1").expect("an id").to_string(), "a@1");
    }
}
