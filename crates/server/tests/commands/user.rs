use std::io::Write;
use std::process::Stdio;

use super::bench::{Bench, Ran};

const PASSWORD: &str = "correct horse battery";

/// Runs with a line on standard input.
fn run(bench: &Bench, arguments: &[&str], line: &str) -> Ran {
    let mut command = bench.command("user", arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program runs");
    let mut stdin = child.stdin.take().expect("it is piped");
    // A program that refuses before it reads has closed the pipe.
    let _ = writeln!(stdin, "{line}");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends by itself");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ran { code: output.status.code().expect("it ends by itself"), out: text(output.stdout), err: text(output.stderr) }
}

#[test]
fn adds_lists_and_disables() {
    let bench = Bench::new();
    let ran = run(&bench, &["add", "ann", "--fhir-user", "Patient/p1"], PASSWORD);
    assert!(ran.code == 1 && ran.err.contains("there is no store"), "{ran:?}");
    bench.write(
        "people.ndjson",
        "{\"resourceType\":\"Patient\",\"id\":\"p1\"}\n{\"resourceType\":\"Patient\",\"id\":\"p2\"}",
    );
    bench.import(&["people.ndjson"]);

    let ran = run(&bench, &["add", "ann", "--fhir-user", "Patient/p1"], PASSWORD);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{ran:?}");
    let made = bench.run("user", &["add", "bob", "--fhir-user", "Patient/p2"]);
    assert!(made.code == 0 && made.out.trim().len() >= 22, "{made:?}");
    assert_eq!(bench.run("user", &["disable", "bob"]).code, 0);
    assert_eq!(bench.run("user", &["list"]).out, "ann Patient/p1\nbob Patient/p2 disabled\n");
    assert_eq!(bench.run("user", &["enable", "bob"]).code, 0);
    assert_eq!(bench.run("user", &["list"]).out, "ann Patient/p1\nbob Patient/p2\n");
    let ran = run(&bench, &["password", "bob"], PASSWORD);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{ran:?}");

    for (arguments, line, message) in [
        (&["add", "ann", "--fhir-user", "Patient/p1"][..], PASSWORD, "there is an account `ann` already"),
        (&["add", "cat", "--fhir-user", "Patient/p3"], PASSWORD, "there is no `Patient/p3`"),
        (&["add", "cat", "--fhir-user", "Device/d1"], PASSWORD, "`Device/d1` is no "),
        (&["add", "cat", "--fhir-user", "Patient/p1"], "short", "a password has at least 12 characters"),
        (&["add", "Cat Dog", "--fhir-user", "Patient/p1"], PASSWORD, "the name of an account"),
        (&["disable", "nobody"], "", "`nobody`"),
        (&["password", "nobody"], PASSWORD, "there is no account `nobody` with a password"),
    ] {
        let ran = run(&bench, arguments, line);
        assert!(ran.code == 1 && ran.err.contains(message), "{arguments:?}: {ran:?}");
    }
}
