//! How patients' documents would spread over the shards of a cluster by the key that `sharding.md` chooses.

use md5::{Digest, Md5};
use mongodb::bson::doc;

use super::*;
use crate::testing::Random;

const SHARDS: usize = 32;

/// Patients of the spread, when not so many as the test has: `100000000`.
const PATIENTS: &str = "FLINT_SHARD_PATIENTS";

const PATIENTS_DEFAULT: u64 = 200_000;

/// How many resources Synthea's records have: every fifth of 117 by size, and the largest.
const SIZES: [u64; 25] = [
    92, 110, 129, 146, 156, 165, 177, 187, 189, 193, 199, 228, 237, 246, 276, 289, 308, 348, 378, 417, 447, 508, 557,
    608, 954,
];

/// One patient in so many has a record that is so many times as large: Synthea knows none as ill as the most ill.
const RARE: u64 = 1_000;
const RARE_TIMES: u64 = 20;

/// What the database makes of a text in a hashed index: the first half of the MD5 of a seed, the order of its type, and the text as BSON has
/// it.
fn hashed(text: &str) -> i64 {
    const SEED: i32 = 0;
    const TEXTS: i32 = 15;
    let mut hasher = Md5::new();
    hasher.update(SEED.to_le_bytes());
    hasher.update(TEXTS.to_le_bytes());
    hasher.update((text.len() as i32 + 1).to_le_bytes());
    hasher.update(text.as_bytes());
    hasher.update([0]);
    let hash = hasher.finalize();
    i64::from_le_bytes(std::array::from_fn(|at| hash[at]))
}

/// Each shard has one of equal ranges of the hash, as a new collection with a hashed key is split.
fn shard(hash: i64) -> usize {
    ((hash as u64 ^ 1 << 63) / (u64::MAX / SHARDS as u64 + 1)) as usize
}

/// How many documents of these patients, who have numbers one after another, come to each shard.
fn spread(patients: std::ops::Range<u64>) -> [u64; SHARDS] {
    let mut random = Random::new(patients.start);
    let mut documents = [0; SHARDS];
    for number in patients {
        let times = if random.one_in(RARE) { RARE_TIMES } else { 1 };
        documents[shard(hashed(&format!("Patient/{number}")))] += times * *random.pick(&SIZES);
    }
    documents
}

#[test]
fn patients_spread_evenly() {
    let patients = std::env::var(PATIENTS).ok().map_or(PATIENTS_DEFAULT, |text| text.parse().expect("a number"));
    let halves: Vec<_> = [0..patients / 2, patients / 2..patients]
        .map(|half| std::thread::spawn(|| spread(half)))
        .into_iter()
        .map(|half| half.join().expect("no panic"))
        .collect();
    let documents: Vec<u64> = (0..SHARDS).map(|at| halves.iter().map(|half| half[at]).sum()).collect();
    let (least, most) = (documents.iter().min().copied(), documents.iter().max().copied());
    let total: u64 = documents.iter().sum();
    let mean = total as f64 / SHARDS as f64;
    let beyond = |documents: Option<u64>| (documents.unwrap_or(0) as f64 / mean - 1.0) * 100.0;
    println!("{patients} patients, {total} documents, {SHARDS} shards");
    let (from, to) = (least.unwrap_or(0), most.unwrap_or(0));
    println!("documents of a shard: {from} to {to}, mean {mean:.0}: {:+.3} % to {:+.3} %", beyond(least), beyond(most));
    // What chance does with records of such sizes, and no key can better.
    let square = SIZES.iter().map(|size| (size * size) as f64).sum::<f64>() / SIZES.len() as f64;
    let square = square * (1.0 + (RARE_TIMES * RARE_TIMES - 1) as f64 / RARE as f64);
    let deviation = 100.0 * (square * patients as f64 / SHARDS as f64).sqrt() / mean;
    println!("by chance a shard is {deviation:.3} % away from the mean");
    assert!(beyond(most) < 4.0 * deviation && beyond(least) > -4.0 * deviation, "{documents:?}");
}

#[test]
fn the_database_hashes_alike() {
    let Some(mongod) = Mongod::shared() else { return };
    let temporary = Temporary::open(mongod, TestClock::new(NOON));
    for text in ["", "Patient/0", "Patient/99999999", "Practitioner/\u{e4}\u{1f600}", &"x".repeat(300)] {
        let command = doc! { "_hashBSONElement": text, "seed": 0 };
        let answer = temporary.store().connection.command(command).unwrap();
        assert_eq!(answer.get_i64("out").ok(), Some(hashed(text)), "{text}: {answer}");
    }
}
