//! A package as a file: a gzipped tar whose folder `package` has the manifest and the resources. Nothing of it is ever written to a path that
//! it names, and everything about it is bounded: it may come from anywhere.

use std::io::Read;

use fhir::json::Document;
use fhir::{IssueType, Outcome};
use flate2::read::MultiGzDecoder;

use super::manifest::Manifest;

/// How many files a package has at most, those that are passed over counted.
const FILES_MAX: usize = 50_000;

/// How many bytes it has at most when it is unpacked.
const UNPACKED_MAX: u64 = 512 << 20;

/// How many bytes one file has at most.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// How many bytes all resources have at most.
const RESOURCE_BYTES_MAX: usize = 256 << 20;

/// How many bytes a path has at most that is looked at.
const PATH_LENGTH_MAX: usize = 300;

/// The types that make a package useful here; examples and pages are passed over.
const TYPES: [&str; 9] = [
    "StructureDefinition",
    "ValueSet",
    "CodeSystem",
    "ConceptMap",
    "SearchParameter",
    "Questionnaire",
    "NamingSystem",
    "OperationDefinition",
    "CapabilityStatement",
];

/// What is in a package.
pub(super) struct Archive {
    pub(super) manifest: Manifest,
    pub(super) resources: Vec<Resource>,
    /// The files that cannot be used, and why.
    pub(super) unusable: Vec<String>,
}

/// A resource and its file.
pub(super) struct Resource {
    pub(super) resource_type: &'static str,
    pub(super) file: String,
    pub(super) document: Document,
}

impl Archive {
    /// Unpacks a package.
    pub(super) fn read(packed: &mut dyn Read) -> Result<Archive, Outcome> {
        Archive::read_within(packed, UNPACKED_MAX)
    }

    fn read_within(packed: &mut dyn Read, unpacked_max: u64) -> Result<Archive, Outcome> {
        let mut reader = Reader { manifest: None, resources: Vec::new(), unusable: Vec::new(), bytes: 0 };
        // One byte more than may be there, so that the end is told from the limit.
        let mut limited = MultiGzDecoder::new(packed).take(unpacked_max + 1);
        let read = reader.files(&mut limited);
        if limited.limit() == 0 {
            return Err(too_long(format!("the package has more than {unpacked_max} bytes when it is unpacked")));
        }
        read?;
        let Reader { manifest, resources, unusable, .. } = reader;
        let manifest = manifest.ok_or_else(|| damaged("it has no `package/package.json`"))?;
        Ok(Archive { manifest, resources, unusable })
    }
}

struct Reader {
    manifest: Option<Manifest>,
    resources: Vec<Resource>,
    unusable: Vec<String>,
    /// Of all resources.
    bytes: usize,
}

impl Reader {
    fn files(&mut self, unpacked: &mut dyn Read) -> Result<(), Outcome> {
        let broken = |error: std::io::Error| damaged(&error.to_string());
        let mut archive = tar::Archive::new(unpacked);
        for (at, entry) in archive.entries().map_err(broken)?.enumerate() {
            let mut entry = entry.map_err(broken)?;
            if at == FILES_MAX {
                return Err(too_long(format!("the package has more than {FILES_MAX} files")));
            }
            let path = entry.path_bytes();
            let Some(file) = file_of(&path).filter(|_| entry.header().entry_type().is_file()) else { continue };
            let file = file.to_owned();
            if entry.size() > FILE_BYTES_MAX {
                return Err(too_long(format!("the file `{file}` has more than {FILE_BYTES_MAX} bytes")));
            }
            let mut text = Vec::new();
            entry.by_ref().take(FILE_BYTES_MAX).read_to_end(&mut text).map_err(broken)?;
            match file.as_str() {
                "package.json" => self.manifest = Some(Manifest::parse(&text)?),
                _ => self.resource(file, &text)?,
            }
        }
        Ok(())
    }

    fn resource(&mut self, file: String, text: &[u8]) -> Result<(), Outcome> {
        let document = match Document::parse(text) {
            Ok(document) => document,
            Err(error) => {
                self.unusable.push(format!("`{file}` is not JSON: {error}"));
                return Ok(());
            }
        };
        let found = document.root().resource_type();
        let Some(resource_type) = TYPES.into_iter().find(|name| found == Some(name)) else { return Ok(()) };
        self.bytes += text.len();
        if self.bytes > RESOURCE_BYTES_MAX {
            return Err(too_long(format!("the package has more than {RESOURCE_BYTES_MAX} bytes of resources")));
        }
        self.resources.push(Resource { resource_type, file, document });
        Ok(())
    }
}

/// The name of a file that stands in the folder `package` itself and may be a resource: examples are in folders below.
fn file_of(path: &[u8]) -> Option<&str> {
    let path = std::str::from_utf8(path).ok().filter(|path| path.len() <= PATH_LENGTH_MAX)?;
    let file = path.strip_prefix("./").unwrap_or(path).strip_prefix("package/")?;
    let is_resource = file.ends_with(".json") && !file.starts_with('.') && !file.contains(['/', '\\']);
    is_resource.then_some(file)
}

fn damaged(why: &str) -> Outcome {
    Outcome::new(IssueType::Invalid, format!("this is no FHIR package (a gzipped tar): {why}"))
}

fn too_long(text: String) -> Outcome {
    Outcome::new(IssueType::TooLong, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packages::testing::{gzip, packed};

    fn told(packed: &[u8]) -> Result<(usize, Vec<String>), String> {
        let read = Archive::read(&mut &packed[..]).map_err(|outcome| outcome.to_string())?;
        Ok((read.resources.len(), read.unusable))
    }

    const MANIFEST: (&str, &str) = ("package/package.json", r#"{"name":"a","version":"1"}"#);
    const CODES: &str = r#"{"resourceType":"CodeSystem"}"#;

    #[test]
    fn takes_resources_and_leaves_the_rest() {
        let files = [
            MANIFEST,
            ("package/.index.json", "{"),
            ("package/CodeSystem-a.json", CODES),
            ("./package/CodeSystem-b.json", CODES),
            ("package/example/CodeSystem-c.json", CODES),
            ("package/other/CodeSystem-d.json", CODES),
            ("other/CodeSystem-e.json", CODES),
            ("CodeSystem-f.json", CODES),
            ("package/Patient-g.json", r#"{"resourceType":"Patient"}"#),
            ("package/x.schema.json", "{}"),
            ("package/readme.md", "# A"),
            ("package/broken.json", "{"),
        ];
        let (count, unusable) = told(&packed(&files)).expect("a package");
        assert_eq!(count, 2);
        assert!(unusable.len() == 1 && unusable[0].starts_with("`broken.json` is not JSON"), "{unusable:?}");
    }

    #[test]
    fn refuses_what_is_no_package() {
        let whole = packed(&[MANIFEST, ("package/CodeSystem-a.json", CODES)]);
        let huge = format!("{{{}}}", " ".repeat(FILE_BYTES_MAX as usize));
        let many: Vec<_> = (0..FILES_MAX + 1).map(|_| ("x", "")).collect();
        let cases: [(&str, Vec<u8>, &str); 9] = [
            ("nothing", Vec::new(), "no FHIR package"),
            ("text", b"hello".to_vec(), "no FHIR package"),
            ("no tar", gzip(b"hello"), "no FHIR package"),
            ("cut", whole[..whole.len() / 2].to_vec(), "no FHIR package"),
            ("empty", packed(&[]), "it has no `package/package.json`"),
            ("elsewhere", packed(&[("package.json", MANIFEST.1)]), "it has no `package/package.json`"),
            ("up", packed(&[("package/../package.json", MANIFEST.1)]), "it has no `package/package.json`"),
            ("long", packed(&[MANIFEST, ("package/x.json", &huge)]), "`x.json` has more than"),
            ("many", packed(&many), "more than 50000 files"),
        ];
        for (name, packed, message) in cases {
            let refused = told(&packed).expect_err(name);
            assert!(refused.contains(message), "{name}: {refused}");
        }
    }

    #[test]
    fn ends_bombs() {
        let blank = " ".repeat(1 << 20);
        let bomb = packed(&[MANIFEST, ("package/pages.html", &blank), ("package/CodeSystem-a.json", CODES)]);
        assert!(bomb.len() < 10_000);
        assert!(Archive::read_within(&mut &bomb[..], 2 << 20).is_ok());
        let refused = Archive::read_within(&mut &bomb[..], 1 << 20).err().map(|outcome| outcome.issues[0].code);
        assert_eq!(refused, Some(IssueType::TooLong));
    }
}
