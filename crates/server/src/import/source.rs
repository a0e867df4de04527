//! The files to import: which, in which order, and how they are read.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

/// Bytes read from a file at one time.
const BUFFER_BYTES: usize = 256 << 10;

/// How deep folders may lie in one another.
const DEPTH_MAX: usize = 32;

/// Parts of the names of the files that others refer to, as Synthea writes them: these go first.
const FIRST: [&str; 2] = ["hospitalInformation", "practitionerInformation"];

/// A file to import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) form: Form,
    gzip: bool,
    /// On disk.
    pub(super) bytes: u64,
}

/// What is in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One Bundle or one resource.
    Json,
    /// One resource a line.
    Ndjson,
}

/// All files that the paths name, folders read to their depths, in order of their names.
pub(super) fn find(paths: &[PathBuf]) -> Result<Vec<Source>, String> {
    let mut sources = Vec::new();
    for path in paths {
        let metadata = fs::metadata(path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
        if metadata.is_dir() {
            let found = sources.len();
            walk(path, DEPTH_MAX, &mut sources)?;
            if sources.len() == found {
                return Err(format!("`{}` has no file whose name ends in {ENDINGS}", path.display()));
            }
        } else {
            let source = Source::new(path, metadata.len());
            let source = source
                .ok_or_else(|| format!("`{}` is not imported: its name must end in {ENDINGS}", path.display()))?;
            sources.push(source);
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources.dedup_by(|a, b| a.path == b.path);
    Ok(sources)
}

/// Adds what lies below a folder. Links to folders are not followed, for they may lead back.
fn walk(folder: &Path, depth: usize, sources: &mut Vec<Source>) -> Result<(), String> {
    let unreadable = |error: io::Error| format!("cannot read `{}`: {error}", folder.display());
    let Some(depth) = depth.checked_sub(1) else {
        return Err(format!("`{}` lies more than {DEPTH_MAX} folders deep", folder.display()));
    };
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if entry.file_type().map_err(unreadable)?.is_dir() {
            walk(&path, depth, sources)?;
        } else if let Ok(metadata) = fs::metadata(&path)
            && metadata.is_file()
        {
            sources.extend(Source::new(&path, metadata.len()));
        }
    }
    Ok(())
}

const ENDINGS: &str = ".json, .ndjson, .json.gz or .ndjson.gz";

impl Source {
    /// `None` when the name does not say what is in the file.
    fn new(path: &Path, bytes: u64) -> Option<Source> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let (stem, gzip) = match name.strip_suffix(".gz") {
            Some(stem) => (stem, true),
            None => (name.as_str(), false),
        };
        let form = match stem.rsplit_once('.')?.1 {
            "json" => Form::Json,
            "ndjson" => Form::Ndjson,
            _ => return None,
        };
        Some(Source { path: path.to_owned(), form, gzip, bytes })
    }

    /// Whether other files refer to what is in this one.
    pub(super) fn goes_first(&self) -> bool {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        FIRST.iter().any(|part| name.contains(part))
    }

    /// The content's fingerprint: that of the bytes on disk.
    pub(super) fn hash(&self) -> io::Result<blake3::Hash> {
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(File::open(&self.path)?)?;
        Ok(hasher.finalize())
    }

    /// The content, decompressed. `passed` is told the number of bytes on disk as they are read.
    pub(super) fn open<'a>(&self, passed: impl Fn(u64) + Send + 'a) -> io::Result<Box<dyn BufRead + Send + 'a>> {
        let file = Counted { file: File::open(&self.path)?, passed };
        let file = BufReader::with_capacity(BUFFER_BYTES, file);
        if self.gzip {
            Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(file))))
        } else {
            Ok(Box::new(file))
        }
    }

    /// The whole content, unless it is longer than `bytes_max`.
    pub(super) fn read(&self, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
        let mut content = Vec::with_capacity(bytes_max.min(self.bytes as usize + 1));
        self.open(|_| ())?.take(bytes_max as u64 + 1).read_to_end(&mut content)?;
        Ok((content.len() <= bytes_max).then_some(content))
    }
}

/// A file that tells how much of it was read.
struct Counted<F> {
    file: File,
    passed: F,
}

impl<F: Fn(u64)> Read for Counted<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        (self.passed)(count as u64);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_forms_by_name() {
        let cases = [
            ("a.json", Some((Form::Json, false))),
            ("a.JSON.GZ", Some((Form::Json, true))),
            ("Patient.000.ndjson", Some((Form::Ndjson, false))),
            ("a.ndjson.gz", Some((Form::Ndjson, true))),
            ("a.xml", None),
            ("json", None),
            ("a.gz", None),
            ("a.json.bak", None),
        ];
        for (name, expected) in cases {
            let source = Source::new(Path::new(name), 0);
            assert_eq!(source.map(|source| (source.form, source.gzip)), expected, "{name}");
        }
    }

    #[test]
    fn finds_files_in_folders() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("b/c")).expect("folders");
        fs::create_dir_all(path("empty")).expect("folders");
        for name in ["z.json", "b/c/a.ndjson", "b/notes.txt", ".hidden.json", "b/hospitalInformation1.json"] {
            fs::write(path(name), "{}").expect("a file");
        }
        let found = |paths: &[&str]| {
            let paths: Vec<_> = paths.iter().map(|name| path(name)).collect();
            let sources = find(&paths)?;
            let name = |source: &Source| source.path.strip_prefix(folder.path()).expect("below").display().to_string();
            Ok::<_, String>(sources.iter().map(|source| (name(source), source.goes_first())).collect::<Vec<_>>())
        };
        let all = [("b/c/a.ndjson", false), ("b/hospitalInformation1.json", true), ("z.json", false)];
        let all: Vec<_> = all.iter().map(|(name, first)| ((*name).to_owned(), *first)).collect();
        assert_eq!(found(&[""]), Ok(all.clone()));
        assert_eq!(found(&["z.json", "", "b"]), Ok(all));
        for (name, reason) in [("gone", "cannot read"), ("b/notes.txt", "must end in .json"), ("empty", "has no file")]
        {
            assert!(found(&[name]).is_err_and(|text| text.contains(reason)), "{name}");
        }
    }

    #[test]
    fn reads_up_to_the_limit() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.json");
        fs::write(&path, "12345").expect("a file");
        let source = Source::new(&path, 5).expect("JSON");
        assert_eq!(source.read(5).expect("readable").as_deref(), Some(b"12345".as_slice()));
        assert_eq!(source.read(4).expect("readable"), None);
    }
}
