//! Our own definitions and their examples, from `profiles/nhs`.

use std::path::Path;

use super::errors;
use super::published::{files, read};

fn paths(folder: &str) -> Vec<std::path::PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles/nhs").join(folder);
    files(&folder).expect("a folder")
}

#[test]
fn definitions_and_examples_are_r4() {
    for path in paths("definitions").iter().chain(&paths("examples")) {
        assert_eq!(errors(&read(path)), [], "{}", path.display());
    }
}
