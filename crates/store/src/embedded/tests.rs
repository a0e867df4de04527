//! The embedded backend against the contract.

use std::cell::RefCell;

use super::*;
use crate::testing;

#[test]
fn keeps_the_contract() {
    let directories = RefCell::new(Vec::new());
    testing::contract(&|clock| {
        let directory = tempfile::tempdir().unwrap();
        let store = Embedded::open(directory.path(), clock).unwrap();
        directories.borrow_mut().push(directory);
        Box::new(store)
    });
}
