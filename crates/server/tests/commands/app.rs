use super::bench::Bench;

const KEYS: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"k","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;

/// What follows a label in what was printed.
fn after<'a>(out: &'a str, label: &str) -> &'a str {
    let line = out.lines().find_map(|line| line.strip_prefix(label));
    line.unwrap_or_else(|| panic!("no `{label}` in {out}"))
}

#[test]
fn adds_lists_and_removes() {
    let bench = Bench::new();
    bench.write("keys.json", KEYS);
    bench.write("private.json", r#"{"keys":[{"kty":"EC","crv":"P-256","d":"x"}]}"#);
    let ran = bench.run("app", &["list"]);
    assert!(ran.code == 1 && ran.err.contains("there is no store"), "{ran:?}");

    bench.write("practice.ndjson", r#"{"resourceType":"Organization","id":"o1","name":"Practice"}"#);
    bench.import(&["practice.ndjson"]);
    let public = ["add", "--name", "App", "--scope", "openid patient/*.rs", "--redirect-uri", "https://app.example/cb"];
    let ran = bench.run("app", &public);
    assert_eq!((ran.code, ran.out.lines().count()), (0, 1), "{ran:?}");
    let public_id = after(&ran.out, "client id: ").to_owned();

    let with = |more: &[&'static str]| [&public[..], more].concat();
    let ran = bench.run("app", &with(&["--confidential", "--organization", "Organization/o1", "--purpose", "TREAT"]));
    assert_eq!((ran.code, ran.out.lines().count()), (0, 2), "{ran:?}");
    let (id, secret) = (after(&ran.out, "client id: ").to_owned(), after(&ran.out, "client secret: ").to_owned());
    assert!(secret.len() >= 43, "{secret}");

    let system = ["add", "--name", "EHR", "--scope", "system/*.cruds", "--jwks", "keys.json", "--custodian"];
    let ran = bench.run("app", &system);
    assert_eq!((ran.code, ran.out.lines().count()), (0, 1), "{ran:?}");
    let system_id = after(&ran.out, "client id: ").to_owned();

    let ran = bench.run("app", &["secret", &id]);
    assert_ne!(after(&ran.out, "client secret: "), secret);
    let ran = bench.run("app", &["remove", &public_id]);
    assert_eq!(ran.out, format!("`{public_id}` gets no more tokens\n"));
    let mut listed: Vec<String> = bench.run("app", &["list"]).out.lines().map(str::to_owned).collect();
    let mut expected = [
        format!("{public_id} (removed) App: openid patient/*.rs"),
        format!("{id} (secret) App: openid patient/*.rs"),
        format!("{system_id} (keys) EHR: system/*.cruds"),
    ];
    listed.sort();
    expected.sort();
    assert_eq!(listed, expected);

    for (arguments, message) in [
        (&["remove", "nobody"][..], "there is no client `nobody`"),
        (&["secret", &system_id], "is no client with a secret"),
        (&["add", "--name", "A", "--scope", "patient/*.sr", "--redirect-uri", "https://a.example"], "in that order"),
        (
            &["add", "--name", "A", "--scope", "openid", "--redirect-uri", "http://a.example"],
            "redirect URI `http://a.example`",
        ),
        (&["add", "--name", "A", "--scope", "system/*.rs"], "sign with keys"),
        (&with(&["--organization", "Organization/o2"]), "there is no `Organization/o2`"),
        (&with(&["--organization", "Patient/o1"]), "`Patient/o1` is no reference to an Organization"),
        (&["add", "--name", "A", "--scope", "system/*.rs", "--jwks", "none.json"], "`none.json`: No such file"),
        (&["add", "--name", "A", "--scope", "system/*.rs", "--jwks", "private.json"], "must stay secret"),
    ] {
        let ran = bench.run("app", arguments);
        assert!(ran.code == 1 && ran.err.contains(message), "{ran:?}");
    }
}
