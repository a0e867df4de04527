use flint_tests::Process;

#[test]
fn serves_other_tests() {
    Process::serve();
}
