//! Published snapshots as the oracle.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::json::{Document, Node};
use crate::profile::{Profile, snapshot};
use crate::published;
use crate::terminology::{Canonical, CodeSystem, Coded, Membership, Source, ValueSet};
use crate::{Library, Outcome};

/// Definitions of a folder, and R4's own.
#[derive(Default)]
struct Folder {
    own: HashMap<String, Arc<Document>>,
    published: Mutex<HashMap<String, Option<Arc<Document>>>>,
}

impl Source for Folder {
    fn code_system(&self, _: Canonical<'_>) -> Result<Option<Arc<CodeSystem>>, Outcome> {
        Ok(None)
    }

    fn value_set(&self, _: Canonical<'_>) -> Result<Option<Arc<ValueSet>>, Outcome> {
        Ok(None)
    }
}

impl Library for Folder {
    fn structure_definition(&self, canonical: Canonical<'_>) -> Result<Option<Arc<Document>>, Outcome> {
        if let Some(own) = self.own.get(canonical.url) {
            return Ok(Some(own.clone()));
        }
        let mut published = self.published.lock().expect("not poisoned");
        let find = || published::resource("StructureDefinition", canonical.url).map(Arc::new);
        Ok(published.entry(canonical.url.to_owned()).or_insert_with(find).clone())
    }

    fn profile(&self, _: Canonical<'_>) -> Result<Option<Arc<Profile>>, Outcome> {
        Ok(None)
    }

    fn questionnaire(&self, _: Canonical<'_>) -> Result<Option<Arc<Document>>, Outcome> {
        Ok(None)
    }

    fn member(&self, _: Canonical<'_>, _: &Coded<'_>) -> Membership {
        Membership::Unknown(String::new())
    }

    fn resource(&self, _: &str) -> Option<Arc<Document>> {
        None
    }
}

/// What is compared of an element: all that validation goes by.
fn facts(element: Node<'_>) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    for (name, value) in element.members() {
        let fact = match name {
            "path" | "sliceName" | "min" | "max" | "contentReference" | "maxLength" => value.raw().to_owned(),
            "mustSupport" | "isModifier" if value.as_bool() == Some(true) => value.raw().to_owned(),
            "type" => {
                let texts = |it: Node<'_>, member: &str| {
                    let mut all: Vec<_> = it.get(member).into_iter().flat_map(Node::items).map(Node::raw).collect();
                    all.sort();
                    all.join(",")
                };
                let mut types: Vec<_> = value
                    .items()
                    .map(|it| {
                        format!(
                            "{} {} {}",
                            it.get("code").map_or("", Node::raw),
                            texts(it, "profile"),
                            texts(it, "targetProfile")
                        )
                    })
                    .collect();
                types.sort();
                types.join(";")
            }
            "binding" => ["strength", "valueSet"].map(|member| value.get(member).map_or("", Node::raw)).join(" "),
            "constraint" => {
                let mut keys: Vec<_> = value.items().filter_map(|it| it.get("key")).map(Node::raw).collect();
                keys.sort();
                keys.join(",")
            }
            "slicing" => {
                let discriminators = value.get("discriminator").into_iter().flat_map(Node::items);
                let discriminators = discriminators
                    .map(|it| ["type", "path"].map(|member| it.get(member).map_or("", Node::raw)).join(":"));
                format!("{} {}", discriminators.collect::<Vec<_>>().join(","), value.get("rules").map_or("", Node::raw))
            }
            name if ["fixed", "pattern", "minValue", "maxValue"].iter().any(|it| name.starts_with(it)) => {
                value.raw().to_owned()
            }
            _ => continue,
        };
        facts.insert(name.to_owned(), fact);
    }
    facts
}

fn elements(definition: &Document) -> Vec<(String, BTreeMap<String, String>)> {
    let elements = definition.root().path(&["snapshot", "element"]).into_iter().flat_map(Node::items);
    elements.map(|it| (it.get("id").and_then(Node::as_str).unwrap_or_default().into_owned(), facts(it))).collect()
}

/// What differs, in words.
fn differences(published: &Document, made: &Document) -> Vec<String> {
    let (published, made) = (elements(published), elements(made));
    let mut found = Vec::new();
    let made_by_id: HashMap<_, _> = made.iter().map(|(id, facts)| (id, facts)).collect();
    let published_by_id: HashMap<_, _> = published.iter().map(|(id, facts)| (id, facts)).collect();
    for (id, facts) in &published {
        match made_by_id.get(id) {
            None => found.push(format!("{id} is missing")),
            Some(made) if *made != facts => {
                let names: std::collections::BTreeSet<_> = facts.keys().chain(made.keys()).collect();
                for name in names.into_iter().filter(|name| facts.get(*name) != made.get(*name)) {
                    found.push(format!("{id} {name}: published {:?}, made {:?}", facts.get(name), made.get(name)));
                }
            }
            Some(_) => {}
        }
    }
    found
        .extend(made.iter().filter(|(id, _)| !published_by_id.contains_key(id)).map(|(id, _)| format!("{id} is made")));
    let order = |elements: &[(String, _)]| elements.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>();
    if found.is_empty() && order(&published) != order(&made) {
        found.push("the order differs".to_owned());
    }
    found
}

fn definitions(folder: &Path) -> Vec<(PathBuf, Arc<Document>)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    paths.sort();
    let is_definition = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("StructureDefinition-"))
    };
    let read = |path: PathBuf| {
        let bytes = std::fs::read(&path).expect("a readable file");
        let document = Document::parse(&bytes).expect("a valid text");
        (path, Arc::new(document))
    };
    paths.into_iter().filter(is_definition).map(read).collect()
}

fn compare(
    all: &[(PathBuf, Arc<Document>)],
    library: &Folder,
    wanted: impl Fn(Node<'_>) -> bool,
) -> (usize, BTreeMap<String, Vec<String>>) {
    let mut equal = 0;
    let mut unequal = BTreeMap::new();
    for (path, definition) in all.iter().filter(|(_, it)| it.root().get("snapshot").is_some() && wanted(it.root())) {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let differences = match snapshot(library, definition) {
            Ok(made) => differences(definition, &made),
            Err(outcome) => vec![outcome.to_string()],
        };
        match differences.is_empty() {
            true => equal += 1,
            false => drop(unequal.insert(name, differences)),
        }
    }
    (equal, unequal)
}

#[test]
fn r4_snapshots_are_made_as_published() {
    let folder = std::env::var("FLINT_R4_EXAMPLES").unwrap_or_default();
    let all = definitions(Path::new(&folder));
    if all.is_empty() {
        return println!("no R4 definitions at hand: skipped");
    }
    let library = Folder::default();
    for derivation in ["constraint", "specialization"] {
        let started = std::time::Instant::now();
        let (equal, unequal) =
            compare(&all, &library, |it| it.get("derivation").is_some_and(|it| it.is_str(derivation)));
        println!("{derivation}: {equal} equal, {} not, {:?}", unequal.len(), started.elapsed());
        for (name, differences) in &unequal {
            println!("{name}: {} differences", differences.len());
            for difference in differences.iter().take(6) {
                println!("    {difference}");
            }
        }
    }
}

#[test]
fn ips_snapshots_are_made_as_published() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/nhs/ips-1.1.0");
    let all = definitions(&folder);
    let mut library = Folder::default();
    for (_, definition) in &all {
        let url = definition.root().get("url").and_then(Node::as_str).expect("a url").into_owned();
        library.own.insert(url, definition.clone());
    }
    let (equal, unequal) = compare(&all, &library, |_| true);
    println!("IPS: {equal} equal, {} not", unequal.len());
    for (name, differences) in &unequal {
        println!("{name}: {} differences", differences.len());
        for difference in differences.iter().take(8) {
            println!("    {difference}");
        }
    }
}
