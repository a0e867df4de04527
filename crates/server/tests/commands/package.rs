use std::fs;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::bench::Bench;

/// Writes a package of one value set.
fn write_package(bench: &Bench, file: &str, name: &str, dependencies: &str) {
    let manifest = format!(
        r#"{{"name":"{name}","version":"1","title":"T","fhirVersions":["4.0.1"],"dependencies":{{{dependencies}}}}}"#
    );
    let value_set =
        format!(r#"{{"resourceType":"ValueSet","id":"{name}","url":"http://p.example/{name}","status":"active"}}"#);
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, text) in [("package/package.json", manifest), ("package/ValueSet-v.json", value_set)] {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        archive.append_data(&mut header, path, text.as_bytes()).expect("memory");
    }
    fs::write(bench.path(file), archive.into_inner().and_then(GzEncoder::finish).expect("memory")).expect("a file");
}

#[test]
fn adds_lists_and_removes() {
    let bench = Bench::new();
    write_package(&bench, "a.tgz", "a", r#""hl7.fhir.r4.core":"4.0.1""#);
    write_package(&bench, "b.tgz", "b", r#""a":"1","c":"2""#);
    bench.write("broken.tgz", "broken");

    let ran = bench.run("package", &["list"]);
    assert!(ran.code == 1 && ran.err.contains("there is no store"), "{ran:?}");
    let ran = bench.run("package", &["add", "a.tgz", "b.tgz"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.out, "added the package `a@1`: 1 ValueSet\nadded the package `b@1`: 1 ValueSet\n");
    assert_eq!(ran.err, "the package `c@2` is needed and not here: add it as well\n");
    assert_eq!(bench.run("package", &["list"]).out, "a@1 (1 resources) T\nb@1 (1 resources) T\n");
    assert_eq!(bench.resources().keys().collect::<Vec<_>>(), ["ValueSet/a", "ValueSet/b"]);

    for (arguments, message) in [
        (&["remove", "a@1"][..], "the package `b@1` needs `a@1`"),
        (&["remove", "a"], "`a` is no package such as"),
        (&["remove", "c@1"], "there is no package `c@1`"),
        (&["add", "broken.tgz"], "`broken.tgz`: invalid: this is no FHIR package"),
        (&["add", "none.tgz"], "`none.tgz`: No such file"),
    ] {
        let ran = bench.run("package", arguments);
        assert!(ran.code == 1 && ran.err.contains(message), "{ran:?}");
    }
    let ran = bench.run("package", &["remove", "b@1", "a@1"]);
    assert_eq!(ran.out, "removed the package `b@1` and 1 resources\nremoved the package `a@1` and 1 resources\n");
    assert!(bench.resources().is_empty());
    let ran = bench.run("package", &["add", "--strict", "b.tgz"]);
    assert!(ran.code == 1 && ran.err.contains("the package `c@2` is needed"), "{ran:?}");
    assert_eq!(bench.run("package", &["list"]).out, "");
}
