use std::fs;

use super::bench::Bench;

/// Lines and Bundles of resources without ids, which a careless second run would make twice.
fn write_files(bench: &Bench) -> usize {
    let basic = r#"{"resourceType":"Basic","code":{"text":"x"}}"#;
    bench.write("in/a.ndjson", &vec![basic; 3500].join("\n"));
    let entry = format!(r#"{{"resource":{basic},"request":{{"method":"POST","url":"Basic"}}}}"#);
    for at in 0..60 {
        let entries = [entry.as_str(); 10].join(",");
        bench.write(
            &format!("in/b{at}.json"),
            &format!(r#"{{"resourceType":"Bundle","id":"b{at}","type":"transaction","entry":[{entries}]}}"#),
        );
    }
    3500 + 60 * 10
}

#[test]
fn goes_on_after_being_killed() {
    let bench = Bench::new();
    let count = write_files(&bench);
    let size = || fs::metadata(bench.path("data/data.mdb")).map_or(0, |metadata| metadata.len());
    let mut killed = 0;
    for _ in 0..8 {
        let before = size();
        let mut run = bench.start("import", &["in", "--threads", "3"]);
        // Grown by something that was committed: the next commit is being made.
        while size() <= before && run.try_wait().expect("a child").is_none() {
            std::thread::yield_now();
        }
        killed += u32::from(run.try_wait().expect("a child").is_none());
        // It may have ended by itself meanwhile.
        let _ = run.kill();
        run.wait().expect("a child");
    }
    assert!(killed > 2, "killed {killed} times");
    bench.import(&["in"]);
    assert_eq!(bench.resources().len(), count);
    let ran = bench.import(&["in"]);
    assert!(ran.out.contains("imported 0 resources") && ran.out.contains("61 files were in already"), "{ran:?}");
    assert_eq!(bench.resources().len(), count);
}

#[test]
fn takes_equal_files_once_and_changed_ones_again() {
    let bench = Bench::new();
    let transaction = r#"{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Patient"}}]}"#;
    bench.write("in/a.json", transaction);
    bench.write("in/b.json", transaction);
    bench.import(&["in"]);
    assert_eq!(bench.resources().len(), 1);
    bench.write("in/b.json", &(transaction.to_owned() + "\n"));
    bench.import(&["in"]);
    assert_eq!(bench.resources().len(), 2);
}
