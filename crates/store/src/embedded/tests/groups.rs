//! What a batch sees of the batches before it in the same group.

use super::group::Group;
use super::homes::Homes;
use super::*;
use crate::{Filter, Precondition};

/// Enough documents for counts to be kept.
const DOCUMENTS: u64 = 2_000;

/// Index 1 says of every document of `D` that it is one, index 2 that it is on.
#[test]
fn conditions_do_not_trust_counts_of_before_the_group() {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open(directory.path(), clock()).unwrap();
    let document = |id: u64, version: u64, state: &[u8]| put(&format!("D/{id}"), version, &[(1, b"d"), (2, state)]);
    write(&store, (0..DOCUMENTS).map(|id| document(id, 1, b"on")).collect());

    let marked_and_on = [(1, "d"), (2, "on"), (3, "x")].map(|(index, value)| Filter::equal(Index(index), value));
    let finds = |keys: &[&str]| Precondition::Finds {
        filter: Filter::All(marked_and_on.to_vec()),
        keys: keys.iter().map(|key| Key::parse(key).unwrap()).collect(),
    };
    let mut homes = Homes::default();
    let mut group = Group::begin(&store.files, &mut homes).unwrap();
    // One document more is on, and another one that is off is the only one marked: as many are on as there were documents.
    let marked = put("D/off", 1, &[(1, b"d"), (2, b"off"), (3, b"x")]);
    let writes = vec![document(DOCUMENTS, 1, b"on"), marked, document(0, 2, b"off")];
    let prepared = crate::prepare::prepare(Batch { preconditions: Vec::new(), writes }).unwrap();
    group.check(&prepared.batch).unwrap();
    group.apply(prepared, 2_000).unwrap();
    let check = |group: &mut Group<'_>, preconditions| group.check(&Batch { preconditions, writes: Vec::new() });
    assert_eq!(check(&mut group, vec![finds(&[])]), Ok(()));
    assert_eq!(check(&mut group, vec![finds(&["D/off"])]), Err(StoreError::Conflict(0)));
    group.commit().unwrap();
    assert_eq!(store.verify(), Ok(()));
}
