use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use toml::Table;

/// Who may use whom: the house of the README's map.
const EDGES: [(&str, &[&str]); 7] = [
    ("fhir", &[]),
    ("store", &[]),
    ("search", &["fhir", "store"]),
    ("repository", &["fhir", "search", "store"]),
    ("smart", &["fhir", "repository"]),
    ("services", &["fhir", "repository", "search"]),
    ("server", &["fhir", "repository", "search", "services", "smart", "store"]),
];

#[test]
fn crates_use_only_whom_they_may() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let allowed: BTreeMap<_, _> = EDGES.into_iter().collect();
    let mut seen = 0;
    for directory in fs::read_dir(&crates).expect("the crates") {
        let path = directory.expect("an entry").path().join("Cargo.toml");
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let manifest: Table = text.parse().expect("TOML");
        let name = manifest["package"]["name"].as_str().expect("a name");
        let may = allowed.get(name).unwrap_or_else(|| panic!("crate `{name}` has no place in the house"));
        for section in ["dependencies", "build-dependencies", "dev-dependencies"] {
            let used = manifest.get(section).and_then(|section| section.as_table()).into_iter().flat_map(Table::keys);
            for used in used.filter(|used| allowed.contains_key(used.as_str())) {
                // Tests may open a real store, whose rows search makes.
                let opens_store = section == "dev-dependencies" && matches!(used.as_str(), "store" | "search");
                assert!(may.contains(&used.as_str()) || opens_store, "crate `{name}` may not use `{used}`");
            }
        }
        seen += 1;
    }
    assert_eq!(seen, EDGES.len());
}
