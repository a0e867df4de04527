//! Data of any size from a few published records: copies with other ids, dates and names, and the facts that answers are checked by.
//!
//! Invariants:
//! - The same seed and number of resources give the same bytes.
//! - A patient's record is copied as a whole, its dates moved by the same number of days: references lead somewhere, and what came
//!   first comes first.

mod facts;
mod random;
mod template;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

pub(crate) use facts::{Encounter, Facts, Observation, Patient};
pub(crate) use random::Random;
use template::{Change, Record};

/// By how many days a copy's dates may be moved, either way.
const DAYS_MAX: u64 = 1_500;

/// How many family names each published one gives.
const NAMES_MAX: u64 = 1_000;

/// Published records to make copies of.
pub(crate) struct Scale {
    records: Vec<Record>,
    families: Vec<String>,
    codes: Vec<String>,
}

impl Scale {
    /// Reads a folder of transaction bundles, a patient's record each.
    pub(crate) fn read(folder: &Path) -> Result<Scale, Box<dyn std::error::Error>> {
        let mut paths: Vec<_> =
            std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
        paths.sort();
        let mut scale = Scale { records: Vec::new(), families: Vec::new(), codes: Vec::new() };
        for path in paths {
            let record =
                Record::read(&path, &mut scale.codes).map_err(|error| format!("{}: {error}", path.display()))?;
            scale.families.push(record.family.clone());
            scale.records.push(record);
        }
        match scale.records.is_empty() {
            true => Err(format!("{} has no bundles", folder.display()).into()),
            false => Ok(scale),
        }
    }

    /// Writes a file of gzipped NDJSON.
    pub(crate) fn write_file(&self, resources: u64, seed: u64, path: &Path) -> std::io::Result<Facts> {
        let mut out = GzEncoder::new(BufWriter::new(File::create(path)?), Compression::fast());
        let facts = self.write(resources, seed, &mut out)?;
        out.finish()?.flush()?;
        Ok(facts)
    }

    /// Writes at least `resources` resources as NDJSON: whole records, until there are enough.
    pub(crate) fn write(&self, resources: u64, seed: u64, out: &mut impl Write) -> std::io::Result<Facts> {
        let mut facts = Facts { codes: self.codes.clone(), ..Facts::default() };
        let mut random = Random::new(seed);
        let mut line = Vec::new();
        for record in self.records.iter().cycle() {
            if facts.resources >= resources {
                break;
            }
            let family = &self.families[random.below(self.families.len() as u64) as usize];
            let change = Change {
                key: u128::from(random.next()) << 64 | u128::from(random.next()),
                days: random.below(2 * DAYS_MAX) as i32 - DAYS_MAX as i32,
                family: format!("{family}{:03}", random.below(NAMES_MAX)),
            };
            for template in &record.templates {
                line.clear();
                template.write(&change, &mut line);
                line.push(b'\n');
                out.write_all(&line)?;
                facts.add(template, &change);
            }
        }
        Ok(facts)
    }
}
