use std::path::{Path, PathBuf};

use super::bench::Bench;

/// How many records are imported here; the load tool imports all.
const RECORDS: usize = 3;

#[test]
fn imports_synthea_twice() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/synthea");
    let Ok(entries) = folder.read_dir() else {
        println!("no records of Synthea here: 0 imported");
        return;
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "gz"));
    paths.sort();
    let paths: Vec<_> = paths[..RECORDS].iter().map(|path| path.to_str().expect("UTF-8")).collect();
    let bench = Bench::new();
    bench.import(&paths);
    let resources = bench.resources();
    println!("{} resources from {RECORDS} records of Synthea", resources.len());
    bench.import(&paths);
    assert_eq!(bench.resources(), resources);
}
