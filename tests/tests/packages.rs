use std::fs;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use flint_tests::{Flint, Reply};
use serde_json::{Value, json};

pub(crate) const GZIP: &str = "application/gzip";

/// A package of these resources; each becomes a file named by its type and id.
pub(crate) fn package(name: &str, more: Value, resources: &[Value]) -> Vec<u8> {
    let (name, version) = name.split_once('@').expect("a version");
    let mut manifest = json!({"name": name, "version": version, "fhirVersions": ["4.0.1"]});
    for (name, value) in more.as_object().expect("members") {
        manifest[name.as_str()] = value.clone();
    }
    let file = |resource: &Value| {
        let text = |name: &str| resource[name].as_str().unwrap_or_default().to_owned();
        (format!("package/{}-{}.json", text("resourceType"), text("id")), resource.to_string())
    };
    let manifest = ("package/package.json".to_owned(), manifest.to_string());
    packed(&std::iter::once(manifest).chain(resources.iter().map(file)).collect::<Vec<_>>())
}

fn packed(files: &[(String, String)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, text) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, text.as_bytes()).expect("memory");
    }
    archive.into_inner().and_then(GzEncoder::finish).expect("memory")
}

fn add(flint: &Flint, packed: &[u8]) -> Reply {
    flint.call("POST /$package-add").body(GZIP, packed).send()
}

fn remove(flint: &Flint, name: &str) -> Reply {
    flint.call(&format!("POST /$package-remove?package={name}")).send()
}

/// The texts of an answer's issues, each after its severity.
fn told(reply: Reply, status: u16) -> Vec<String> {
    let outcome = reply.expect(status).json();
    let issues = outcome["issue"].as_array().expect("issues").iter();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    issues.map(|issue| format!("{}: {}", text(&issue["severity"]), text(&issue["details"]["text"]))).collect()
}

fn listed(flint: &Flint) -> Vec<String> {
    let answer = flint.get("/$package-list").expect(200).json();
    let packages = answer["parameter"].as_array().cloned().unwrap_or_default();
    let part = |package: &Value, name: &str| -> Vec<String> {
        let parts = package["part"].as_array().expect("parts").iter().filter(|part| part["name"] == name);
        let text = |part: &Value| {
            part["valueString"].as_str().or(part["valueReference"]["reference"].as_str()).map(str::to_owned)
        };
        parts.filter_map(text).collect()
    };
    let line = |package: &Value| {
        let names = ["name", "version", "dependency", "resource"].map(|name| part(package, name).join(" "));
        names.join("|")
    };
    packages.iter().map(line).collect()
}

fn value_set(id: &str, version: &str, code: &str) -> Value {
    json!({"resourceType": "ValueSet", "id": id, "url": format!("http://p.example/ValueSet/{id}"), "version": version, "status": "active",
        "compose": {"include": [{"system": "http://p.example/codes", "concept": [{"code": code}]}]}})
}

/// A profile that demands a birth date.
pub(crate) fn profile() -> Value {
    json!({"resourceType": "StructureDefinition", "id": "born", "url": "http://p.example/StructureDefinition/born", "version": "1",
        "name": "Born", "status": "active", "fhirVersion": "4.0.1", "kind": "resource", "abstract": false, "type": "Patient",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient", "derivation": "constraint",
        "differential": {"element": [{"id": "Patient.birthDate", "path": "Patient.birthDate", "min": 1}]}})
}

fn search_parameter() -> Value {
    json!({"resourceType": "SearchParameter", "id": "eyes", "url": "http://p.example/SearchParameter/eyes", "name": "Eyes",
        "status": "active", "description": "The color of the eyes", "code": "eyes", "base": ["Patient"], "type": "token",
        "expression": "Patient.extension.where(url='http://p.example/eyes').value"})
}

#[test]
fn definitions_come_and_go_with_their_package() {
    let flint = Flint::start_with(|config| config.indexes = false);
    let ann = json!({"resourceType": "Patient", "id": "ann", "meta": {"profile": ["http://p.example/StructureDefinition/born"]},
        "extension": [{"url": "http://p.example/eyes", "valueCode": "blue"}]});
    flint.send("PUT /Patient/ann", ann.clone()).expect(201);
    let parts = [profile(), value_set("v", "1", "a"), search_parameter()];
    let packed =
        package("p.example@1.0.0", json!({"title": "P", "dependencies": {"hl7.fhir.r4.core": "4.0.1"}}), &parts);
    assert_eq!(
        told(add(&flint, &packed), 200),
        ["information: added the package `p.example@1.0.0`: 1 SearchParameter, 1 StructureDefinition, 1 ValueSet"]
    );
    assert_eq!(
        listed(&flint),
        ["p.example|1.0.0|hl7.fhir.r4.core@4.0.1|StructureDefinition/born ValueSet/v SearchParameter/eyes"]
    );
    flint.get("/ValueSet?url=http://p.example/ValueSet/v").expect(200).facts(&[("/total", "1")]);
    let refused = flint
        .send("PUT /Patient/ann", json!({"resourceType": "Patient", "id": "ann", "active": true, "meta": ann["meta"]}));
    refused.expect(422).facts(&[("/issue/0/expression/0", "Patient.birthDate")]);
    flint.index();
    flint.get("/Patient?eyes=blue").expect(200).facts(&[("/total", "1")]);
    assert_eq!(
        told(add(&flint, &packed), 200),
        ["information: the package `p.example@1.0.0` is there already: remove it to add it anew"]
    );

    assert_eq!(
        told(remove(&flint, "p.example@1.0.0"), 200),
        ["information: removed the package `p.example@1.0.0` and 3 resources"]
    );
    assert!(listed(&flint).is_empty());
    flint.get("/ValueSet/v").expect(410);
    flint.get("/Patient?eyes=blue").expect(400);
    flint
        .send("PUT /Patient/ann", json!({"resourceType": "Patient", "id": "ann", "active": true, "meta": ann["meta"]}))
        .expect(200);
    add(&flint, &packed).expect(200);
    flint.get("/ValueSet/v").expect(200).facts(&[("/meta/versionId", "3")]);
    let flint = flint.restart();
    assert_eq!(listed(&flint).len(), 1);
}

#[test]
fn a_package_comes_in_a_binary_as_well() {
    use base64::Engine;
    let flint = Flint::start();
    let data = |name: &str| {
        let packed = package(name, json!({}), &[]);
        json!({"resourceType": "Binary", "contentType": GZIP, "data": base64::engine::general_purpose::STANDARD.encode(packed)})
    };
    flint.send("POST /$package-add", data("a@1")).expect(200);
    let parameters = json!({"resourceType": "Parameters", "parameter": [{"name": "package", "resource": data("b@1")},
        {"name": "strict", "valueBoolean": true}]});
    flint.send("POST /$package-add", parameters).expect(200);
    assert_eq!(listed(&flint), ["a|1||", "b|1||"]);
}

#[test]
fn says_what_it_leaves_out() {
    let flint = Flint::start();
    flint
        .send(
            "PUT /ValueSet/mine",
            value_set("v", "1", "mine")
                .as_object()
                .map(|it| {
                    let mut it = it.clone();
                    it.insert("id".to_owned(), json!("mine"));
                    Value::Object(it)
                })
                .expect("an object"),
        )
        .expect(201);
    flint.send("PUT /ValueSet/w", json!({"resourceType": "ValueSet", "id": "w", "status": "draft"})).expect(201);
    flint.send("PUT /ValueSet/same", value_set("same", "1", "a")).expect(201);
    let broken = json!({"resourceType": "ValueSet", "id": "broken", "url": "urn:broken", "status": "?"});
    let resources = [
        value_set("v", "1", "a"),
        value_set("w", "1.2", "a"),
        value_set("same", "1", "a"),
        broken,
        value_set("x", "1", "a"),
    ];
    let packed = package("a@1", json!({"dependencies": {"b": "2.x"}}), &resources);
    let strict = flint.call("POST /$package-add?strict=true").body(GZIP, packed.clone()).send();
    let refused = told(strict, 422);
    assert_eq!(refused.len(), 3, "{refused:?}");
    assert!(listed(&flint).is_empty());
    flint.get("/ValueSet/x").expect(404);

    let answer = told(add(&flint, &packed), 200);
    assert_eq!(answer[0], "information: added the package `a@1`: 2 ValueSet");
    assert_eq!(answer[1], "warning: the package `b@2.x` is needed and not here: add it as well");
    assert_eq!(
        answer[2],
        "warning: `ValueSet-v.json` is left out: `ValueSet/mine` has its url and version and other content"
    );
    assert!(answer[3].starts_with("warning: `ValueSet-broken.json` is left out: code-invalid: "), "{answer:?}");
    assert_eq!(answer.len(), 4);
    assert_eq!(listed(&flint), ["a|1|b@2.x|ValueSet/w-1-2 ValueSet/x"]);
    assert_eq!(told(remove(&flint, "a@1"), 200), ["information: removed the package `a@1` and 2 resources"]);
    flint.get("/ValueSet/same").expect(200);
}

#[test]
fn what_others_need_stays() {
    let flint = Flint::start();
    let shared = value_set("shared", "1", "a");
    add(&flint, &package("base@1.0.0", json!({}), &[shared.clone(), value_set("own", "1", "a")])).expect(200);
    let user = package("user@1", json!({"dependencies": {"base": "1.0.x"}}), &[shared, value_set("used", "1", "a")]);
    assert_eq!(
        told(add(&flint, &user), 200),
        ["information: added the package `user@1`: 1 ValueSet; 1 resources of other packages are shared"]
    );
    assert_eq!(
        told(remove(&flint, "base@1.0.0"), 409),
        ["error: the package `user@1` needs `base@1.0.0`: remove that first"]
    );
    add(&flint, &package("base@1.0.1", json!({}), &[])).expect(200);
    assert_eq!(
        told(remove(&flint, "base@1.0.0"), 200),
        ["information: removed the package `base@1.0.0` and 1 resources; 1 stay, for other packages have them as well"]
    );
    flint.get("/ValueSet/shared").expect(200);
    flint.get("/ValueSet/own").expect(410);
    flint.send("PUT /ValueSet/used", value_set("used", "1", "changed")).expect(200);
    assert_eq!(
        told(remove(&flint, "user@1"), 200),
        [
            "information: removed the package `user@1` and 1 resources",
            "warning: `ValueSet/used` stays: it was changed since"
        ]
    );
    flint.get("/ValueSet/shared").expect(410);
    flint.get("/ValueSet/used").expect(200);
    remove(&flint, "user@1").expect(404);
    remove(&flint, "user").expect(400);
}

#[test]
fn refuses_what_is_no_package() {
    let flint = Flint::start();
    let many: Vec<_> = (0..10_001).map(|at| value_set(&format!("v{at}"), "1", "a")).collect();
    for (packed, status, message) in [
        (Vec::new(), 422, "*no FHIR package*"),
        (b"<html>".to_vec(), 422, "*no FHIR package*"),
        (
            package("a@1", json!({"fhirVersions": ["5.0.0"]}), &[]),
            422,
            "the package `a@1` is of FHIR `5.0.0`, not of R4 (4.0.1)",
        ),
        (package("a b@1", json!({}), &[]), 422, "package.json has `a b` as its name*"),
        (package("a@1", json!({}), &many), 400, "the package has more than 10000 resources"),
    ] {
        add(&flint, &packed).expect(status).facts(&[("/issue/0/details/text", message)]);
    }
    flint.call("POST /$package-add").body("text/plain", "x").send().expect(415);
    flint.call("POST /$package-add").send().expect(422);
    flint.get("/$package-add").expect(405);
    flint.call("POST /Patient").body(GZIP, "x").send().expect(415);
    assert!(listed(&flint).is_empty());
    flint.get("/ValueSet?_summary=count").expect(200).facts(&[("/total", "0")]);
}

/// Every resource in these folders of the published data, where it is present.
fn published(folders: &[String]) -> Option<Vec<Value>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/nhs");
    let files = |folder: &String| -> Option<Vec<PathBuf>> {
        let entries = fs::read_dir(root.join(folder)).ok()?;
        let mut files: Vec<_> =
            entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file()).collect();
        files.sort();
        Some(files)
    };
    let files = folders.iter().map(files).collect::<Option<Vec<_>>>()?.into_iter().flatten();
    let read = |path: PathBuf| serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON");
    Some(files.map(read).collect())
}

#[test]
fn takes_what_is_published() {
    let uk_core = ["structuredefinitions", "valuesets", "codesystems", "conceptmaps", "CapabilityStatement"];
    let uk_core = uk_core.map(|folder| format!("uk-core/{folder}"));
    let Some(resources) = published(&uk_core) else { return println!("the published data is not here: skipped") };
    let flint = Flint::start();
    let answer = told(add(&flint, &package("fhir.r4.ukcore@2.0.0", json!({}), &resources)), 200);
    assert_eq!(
        answer,
        [
            "information: added the package `fhir.r4.ukcore@2.0.0`: 1 CapabilityStatement, 88 CodeSystem, 3 ConceptMap, 153 StructureDefinition, 134 ValueSet"
        ]
    );
    println!("{} resources added", resources.len());
    if cfg!(debug_assertions) {
        return println!("the package of IPS is left out in a build without optimization");
    }
    let resources = published(&["ips-1.1.0".to_owned()]).expect("present");
    let started = std::time::Instant::now();
    let answer = told(add(&flint, &package("hl7.fhir.uv.ips@1.1.0", json!({}), &resources)), 200);
    println!("{} resources, {} left out, {:?}", resources.len(), answer.len() - 1, started.elapsed());
}
