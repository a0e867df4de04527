//! Packages of definitions: the tar is changed before it is packed, because a changed gzip ends at its checksum.

use std::io::Write;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use fhir::Definitions;
use flate2::Compression;
use flate2::write::GzEncoder;
use repository::{Access, EarlierVersions, Implicit, References, Repository, Setup, Validation, new_id};
use search::Registry;
use services::packages;
use store::{Embedded, SystemClock};
use tempfile::TempDir;

use super::Target;

pub(super) const TARGET: Target = Target {
    name: "package",
    corpus: || vec![archive(&[FILES[0]]), archive(&FILES), archive(&FILES[..3])],
    words: &[
        "package/",
        "../",
        "/etc/",
        "\0",
        "0000000",
        "7777777",
        "ustar",
        "package.json",
        "\"version\":\"\"",
        "\"dependencies\":{\"a\":\"1\"}",
        "\"fhirVersions\":[\"5.0.0\"]",
        "\"url\":\"http://x.example/s\"",
        "\"snapshot\":{\"element\":[]}",
        "\"differential\"",
        "\"path\":\"Patient.name.name.name\"",
        "\"sliceName\":\"a\"",
        "\"contentReference\":\"#Patient\"",
        "\"min\":4294967295",
        "\"baseDefinition\":\"http://x.example/s\"",
        "\"id\":\"Patient.extension:a/b/c\"",
        "\"key\":\"k\",\"expression\":\"(((((\"",
        "\u{202e}",
    ],
    run,
};

const FILES: [(&str, &str); 4] = [
    ("package/package.json", r#"{"name":"x.example","version":"1.0.0","fhirVersions":["4.0.1"],"dependencies":{}}"#),
    (
        "package/StructureDefinition-x.json",
        r#"{"resourceType":"StructureDefinition","id":"x","url":"http://x.example/s","name":"S","status":"active","kind":"resource",
            "abstract":false,"type":"Patient","baseDefinition":"http://hl7.org/fhir/StructureDefinition/Patient","derivation":"constraint",
            "differential":{"element":[{"id":"Patient.name","path":"Patient.name","slicing":{"discriminator":[{"type":"value","path":"use"}],
            "rules":"open"},"min":1},{"id":"Patient.name:a","path":"Patient.name","sliceName":"a","max":"1","constraint":[{"key":"k",
            "severity":"error","human":"h","expression":"given.exists()"}]},{"id":"Patient.name:a.use","path":"Patient.name.use",
            "fixedCode":"official"}]}}"#,
    ),
    (
        "package/ValueSet-x.json",
        r#"{"resourceType":"ValueSet","id":"x","url":"http://x.example/v","status":"active","compose":{"include":[{"system":"http://x.example/c",
            "filter":[{"property":"concept","op":"is-a","value":"a"}]}]}}"#,
    ),
    (
        "package/SearchParameter-x.json",
        r#"{"resourceType":"SearchParameter","id":"x","url":"http://x.example/p","name":"P","status":"active","description":"d","code":"eye",
            "base":["Patient"],"type":"token","expression":"Patient.extension('u').value"}"#,
    ),
];

/// A patient who names the profile of the package.
const PATIENT: &str =
    r#"{"resourceType":"Patient","meta":{"profile":["http://x.example/s"]},"name":[{"use":"official","family":"x"}]}"#;

/// A server's data that packages come to.
struct House {
    repository: Repository,
    _directory: TempDir,
}

static HOUSE: LazyLock<House> = LazyLock::new(|| {
    let directory = TempDir::new().expect("a directory");
    let store = Embedded::open(directory.path(), Arc::new(SystemClock)).expect("a store");
    let base_url = "http://flint.example/fhir".to_owned();
    let repository = Repository::new(Setup {
        store: Arc::new(store),
        definitions: Definitions::r4(),
        registry: Registry::new(Definitions::r4(), &base_url),
        rules: Arc::new(services::Services::default()).rules(),
        clock: Arc::new(SystemClock),
        ids: Arc::new(new_id),
        base_url,
        references: References::Check,
        validation: Validation::default(),
        consent: Implicit::default(),
        earlier_versions: EarlierVersions::default(),
        terminology: None,
        search_time: Duration::from_secs(10),
    });
    House { repository: repository.expect("a repository"), _directory: directory }
});

fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, text) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, text.as_bytes()).expect("memory");
    }
    archive.into_inner().expect("memory")
}

fn run(input: &[u8]) {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(input).expect("memory");
    let packed = encoder.finish().expect("memory");
    let session = HOUSE.repository.open(Access::full());
    let added = packages::add(&session, &mut &packed[..], false);
    let session = session.renewed();
    if added.is_ok() {
        let library = session.library();
        let patient = fhir::json::Document::parse(PATIENT.as_bytes()).expect("a patient");
        drop(library.validator(fhir::validate::Depth::Full).validate(&patient, &[]));
    }
    for package in packages::list(&session).expect("a list") {
        packages::remove(&session, &package.id).expect("what is there can be removed");
    }
}
