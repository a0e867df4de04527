use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use tempfile::TempDir;

/// A folder of its own for one test.
pub(crate) struct Bench {
    folder: TempDir,
    exports: std::cell::Cell<u32>,
}

/// What a run of the program came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Bench {
    pub(crate) fn new() -> Bench {
        Bench { folder: tempfile::tempdir().expect("a folder"), exports: 0.into() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, compressed if its name says so.
    pub(crate) fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("below the folder")).expect("folders");
        let mut bytes = content.as_bytes().to_vec();
        if name.ends_with(".gz") {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&bytes).expect("memory");
            bytes = encoder.finish().expect("memory");
        }
        fs::write(path, bytes).expect("a file");
    }

    pub(crate) fn command(&self, command: &str, arguments: &[&str]) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_flint"));
        program.current_dir(self.folder.path()).arg(command).args(arguments);
        program.env_clear().args(["--data", "data"]).stdin(Stdio::null());
        program
    }

    pub(crate) fn run(&self, command: &str, arguments: &[&str]) -> Ran {
        let output = self.command(command, arguments).output().expect("the program runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let code = output.status.code().expect("it ends by itself");
        Ran { code, out: text(output.stdout), err: text(output.stderr) }
    }

    /// Imports what must be accepted whole.
    pub(crate) fn import(&self, arguments: &[&str]) -> Ran {
        let ran = self.run("import", arguments);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran
    }

    /// Starts the program and does not wait for it.
    pub(crate) fn start(&self, command: &str, arguments: &[&str]) -> Child {
        self.command(command, arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts")
    }

    /// Everything in the store, by `Type/id`, as an export tells it.
    pub(crate) fn resources(&self) -> BTreeMap<String, Value> {
        let name = format!("export-{}", self.exports.replace(self.exports.get() + 1));
        let ran = self.run("export", &[&name]);
        assert_eq!(ran.code, 0, "{ran:?}");
        read(&self.path(&name))
    }
}

/// The resources in a folder of NDJSON files.
pub(crate) fn read(folder: &Path) -> BTreeMap<String, Value> {
    let mut resources = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        for line in fs::read_to_string(&path).expect("readable").lines() {
            let resource: Value = serde_json::from_str(line).expect("JSON");
            let text = |name: &str| resource[name].as_str().expect("a string").to_owned();
            let key = format!("{}/{}", text("resourceType"), text("id"));
            let of_type = format!("{}.ndjson", text("resourceType"));
            assert_eq!(path.file_name().and_then(|name| name.to_str()), Some(of_type.as_str()));
            assert!(resources.insert(key.clone(), resource).is_none(), "{key} stands there twice");
        }
    }
    resources
}
