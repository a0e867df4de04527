//! Backups of a store that a server writes to.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};

use flint_tests::{Client, Process, is_database};
use serde_json::json;
use store::StoreError;
use tempfile::TempDir;

/// Writes one patient after another until it is to stop; the ids of those that were acknowledged, each put there before it is told.
fn write(client: &Client, number: usize, stop: &AtomicBool, tell: &dyn Fn(String)) {
    for at in 0.. {
        let id = format!("p{number}-{at}");
        client
            .call(&format!("PUT /Patient/{id}"))
            .json(&json!({ "resourceType": "Patient", "id": id }))
            .send()
            .expect(201);
        tell(id);
        if stop.load(Ordering::Relaxed) {
            return;
        }
    }
}

fn ids(client: &Client) -> BTreeSet<String> {
    let mut url = "/Patient?_count=1000".to_owned();
    let mut ids = BTreeSet::new();
    loop {
        let page = client.call(&format!("GET {url}")).send().expect(200);
        ids.extend(page.keys("match").into_iter().map(|key| key.trim_start_matches("Patient/").to_owned()));
        match page.link("next") {
            Some(next) => url = next,
            None => return ids,
        }
    }
}

#[test]
fn a_backup_has_all_that_was_acknowledged_before() {
    // A database is backed up by its own tools.
    if is_database() {
        return;
    }
    let [data, copies] = [(); 2].map(|()| TempDir::new().expect("a directory"));
    let (process, client) = Process::start(data.path());
    let stop = AtomicBool::new(false);
    let (told, tell) = std::sync::mpsc::channel();
    let backups: Vec<_> = (0..3).map(|number| copies.path().join(format!("backup-{number}"))).collect();
    let before: Vec<BTreeSet<String>> = std::thread::scope(|scope| {
        for number in 0..4 {
            let (client, stop, told) = (&client, &stop, told.clone());
            scope.spawn(move || write(client, number, stop, &|id| told.send(id).expect("somebody listens")));
        }
        let mut acknowledged = BTreeSet::new();
        let before = backups.iter().map(|to| {
            acknowledged.extend(tell.iter().take(50));
            acknowledged.extend(tell.try_iter());
            fs::create_dir(to).expect("a directory");
            store::backup(data.path(), to).expect("a copy");
            acknowledged.clone()
        });
        let before = before.collect();
        stop.store(true, Ordering::Relaxed);
        before
    });
    drop(process);
    for (backup, before) in backups.iter().zip(&before) {
        let directory = TempDir::new().expect("a directory");
        let mut copied = 0;
        store::restore(backup, directory.path(), &mut |more| copied += more).expect("a store");
        assert_eq!(store::backup_length(backup), Ok(copied));
        let (_process, client) = Process::start(directory.path());
        let found = ids(&client);
        assert!(found.is_superset(before), "{:?} are missing", before.difference(&found));
        client.call("PUT /Patient/new").json(&json!({ "resourceType": "Patient", "id": "new" })).send().expect(201);
    }
}

#[test]
fn what_is_no_whole_backup_is_not_restored() {
    if is_database() {
        return;
    }
    let [data, copy] = [(); 2].map(|()| TempDir::new().expect("a directory"));
    let restore = |into: &TempDir| store::restore(copy.path(), into.path(), &mut |_| ());
    let refused = |result: Result<(), StoreError>, what: &str| {
        assert!(matches!(&result, Err(StoreError::Unusable(text)) if text.contains(what)), "{result:?}");
    };
    assert!(matches!(store::backup(data.path(), copy.path()), Err(StoreError::Unusable(_))));
    let (process, client) = Process::start(data.path());
    client.call("PUT /Patient/p").json(&json!({ "resourceType": "Patient", "id": "p" })).send().expect(201);
    store::backup(data.path(), copy.path()).expect("a copy");
    drop(process);
    let manifest = fs::read_to_string(copy.path().join("manifest")).expect("a manifest");
    let into = TempDir::new().expect("a directory");
    for text in ["", "flint backup 9\n", &manifest[..manifest.len() - 3], &manifest.replace("data.mdb", "../data.mdb")]
    {
        fs::write(copy.path().join("manifest"), text).expect("written");
        refused(restore(&into), "no backup");
    }
    fs::write(copy.path().join("manifest"), &manifest).expect("written");
    let bytes = fs::read(copy.path().join("data.mdb")).expect("data");
    let mut changed = bytes.clone();
    changed[5000] ^= 1;
    for wrong in [&bytes[..bytes.len() - 1], &changed] {
        fs::write(copy.path().join("data.mdb"), wrong).expect("written");
        let into = TempDir::new().expect("a directory");
        refused(restore(&into), "damaged");
        assert!(!into.path().join("data.mdb").exists());
    }
    fs::write(copy.path().join("data.mdb"), bytes).expect("written");
    restore(&into).expect("a store");
    for name in ["data.mdb", "journal"] {
        for directory in [&copy, &into] {
            let mode =
                fs::metadata(directory.path().join(name)).map_or(0o600, |file| file.permissions().mode() & 0o777);
            assert_eq!(mode, 0o600, "{name}");
        }
    }
    // A store is never written over.
    assert!(restore(&into).is_err());
}
