//! Where the server of a test keeps its data.

use std::path::Path;

use store::testing::Mongod;
use tempfile::TempDir;

/// Names the store of all tests over HTTP: `mongodb`, or the embedded one when it is not set.
const STORE: &str = "FLINT_TEST_STORE";

/// A directory, and a database where the store is one; both go with it.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Place {
        Place(TempDir::new().expect("a directory"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// The URL of the database; none where the store is in the directory.
    pub(crate) fn store(&self) -> Option<String> {
        database(self.path())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(url) = self.store().filter(|_| !std::thread::panicking()) {
            mongod().drop_database(&url);
        }
    }
}

/// The URL of the database of a directory, which servers find again when they restart.
pub(crate) fn database(directory: &Path) -> Option<String> {
    std::env::var_os(STORE)?;
    let name = directory.file_name().expect("a name").as_encoded_bytes();
    let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(mongod().database(&name))
}

/// Whether the tests' servers keep their data elsewhere than in their directories.
pub fn is_database() -> bool {
    std::env::var_os(STORE).is_some()
}

fn mongod() -> &'static Mongod {
    Mongod::shared().expect("a program for the store that is to be tested")
}
