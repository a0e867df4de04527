use serde_json::json;

use super::*;

const EXPECTED: Expected<'static> =
    Expected { algorithms: &Algorithm::ALL, issuer: "i", audiences: &["a"], kind: None, now: 1_000 };

fn key(kid: &str, algorithm: Algorithm) -> PrivateKey {
    PrivateKey::read(kid, algorithm, &PrivateKey::generate(algorithm).expect("a key")).expect("a key")
}

fn set(keys: &[&PrivateKey]) -> KeySet {
    KeySet { keys: keys.iter().map(|key| key.public()).collect() }
}

#[test]
fn each_algorithm_verifies_its_own() {
    let claims = json!({ "iss": "i", "aud": "a", "exp": 2_000 });
    let pkcs8 = PrivateKey::generate(Algorithm::Rs256).expect("a key");
    let keys = Algorithm::ALL.map(|algorithm| match algorithm {
        Algorithm::Es256 | Algorithm::Es384 => key("k", algorithm),
        _ => PrivateKey::read("k", algorithm, &pkcs8).expect("a key"),
    });
    for (signer, algorithm) in keys.iter().zip(Algorithm::ALL) {
        let token = signer.sign(Type::Jwt, &claims).expect("a token");
        for verifier in &keys {
            let same = verifier.algorithm() == algorithm;
            assert_eq!(verify(&token, &set(&[verifier]), &EXPECTED).is_ok(), same, "{signer:?} {verifier:?}");
        }
        let others: Vec<Algorithm> = Algorithm::ALL.into_iter().filter(|other| *other != algorithm).collect();
        let expected = Expected { algorithms: &others, ..EXPECTED };
        assert_eq!(verify(&token, &set(&[signer]), &expected), Err(Invalid::Algorithm));
    }
    // Keys of one type do not read as those of another.
    assert!(PrivateKey::read("k", Algorithm::Es256, &pkcs8).is_err());
    assert!(PrivateKey::read("k", Algorithm::Rs256, b"x").is_err());
}

#[test]
fn tells_why_a_token_does_not_count() {
    let key = key("k", Algorithm::Es256);
    let keys = set(&[&key]);
    let cases = [
        (json!({ "exp": 1_001 }), None),
        (json!({ "exp": 1_001.9 }), None),
        (json!({ "exp": 1_000 }), Some(Invalid::Expired)),
        (json!({ "exp": i64::MIN }), Some(Invalid::Expired)),
        (json!({ "exp": "2000" }), Some(Invalid::Malformed)),
        (json!({}), Some(Invalid::Malformed)),
        (json!({ "exp": 2_000, "nbf": 1_030 }), None),
        (json!({ "exp": 2_000, "nbf": 1_031 }), Some(Invalid::NotYet)),
        (json!({ "exp": 2_000, "iat": 1_031 }), Some(Invalid::NotYet)),
        (json!({ "exp": 1e300, "nbf": 1e300 }), Some(Invalid::NotYet)),
        (json!({ "exp": 2_000, "iss": "I" }), Some(Invalid::Issuer)),
        (json!({ "exp": 2_000, "aud": "b" }), Some(Invalid::Audience)),
        (json!({ "exp": 2_000, "aud": ["b", "a"] }), None),
        (json!({ "exp": 2_000, "aud": [] }), Some(Invalid::Audience)),
        (json!({ "exp": 2_000, "aud": { "a": "a" } }), Some(Invalid::Audience)),
    ];
    for (changes, invalid) in cases {
        let mut claims = json!({ "iss": "i", "aud": "a" });
        for (name, value) in changes.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        let token = key.sign(Type::Jwt, &claims).expect("a token");
        assert_eq!(verify(&token, &keys, &EXPECTED).err(), invalid, "{changes}");
    }
    let token = self::key("other", Algorithm::Es256).sign(Type::Jwt, &json!({})).expect("a token");
    assert_eq!(verify(&token, &keys, &EXPECTED).err(), Some(Invalid::UnknownKey));
    let token = self::key("k", Algorithm::Es256).sign(Type::Jwt, &json!({})).expect("a token");
    assert_eq!(verify(&token, &keys, &EXPECTED).err(), Some(Invalid::Signature));
}

#[test]
fn reads_sets_of_public_keys() {
    let good = key("k", Algorithm::Es256).public();
    let rsa = |n: usize, e: &str| json!({ "kty": "RSA", "n": "A".repeat(n).replacen('A', "_", 1), "e": e });
    let cases = [
        (json!([good]), Some(1)),
        (json!([good, { "kty": "OKP", "crv": "Ed25519", "x": "x" }, { "kty": 7 }, 7]), Some(1)),
        (json!([rsa(342, "AQAB")]), Some(1)),
        (json!([rsa(342, "Aw")]), Some(1)),
        (json!([rsa(171, "AQAB")]), None),
        (json!([rsa(1_400, "AQAB")]), None),
        (json!([rsa(342, "AQ")]), None),
        (json!([rsa(342, "_____w")]), None),
        (json!([{ "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA" }]), None),
        (json!([{ "kty": "EC", "crv": "P-521", "x": good.x, "y": good.y }]), None),
        (json!([{ "kty": "EC", "crv": "P-256", "x": good.x, "y": good.y, "use": "enc" }]), None),
        (json!([{ "kty": "EC", "crv": "P-256", "x": good.x, "y": good.y, "alg": "ES384" }]), None),
        (json!([{ "kty": "EC", "crv": "P-256", "x": good.x, "y": good.y, "d": "x" }]), None),
        (json!([good, { "kty": "oct", "k": "x" }]), None),
        (json!(vec![good.clone(); KEYS_MAX]), Some(KEYS_MAX)),
        (json!(vec![good.clone(); KEYS_MAX + 1]), None),
        (json!([]), None),
        (json!("x"), None),
    ];
    for (keys, read) in cases {
        let text = json!({ "keys": keys }).to_string();
        let set = KeySet::parse(text.as_bytes());
        assert_eq!(set.ok().map(|set| set.keys.len()), read, "{text}");
    }
    for text in ["", "[]", "{}", "x"] {
        assert!(KeySet::parse(text.as_bytes()).is_err(), "{text}");
    }
}

/// The key of RFC 7515, appendix A.3, and its token.
#[test]
fn verifies_the_example_of_the_standard() {
    let keys = r#"{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;
    let token = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let keys = KeySet::parse(keys.as_bytes()).expect("a key");
    // It has no audience: everything before that is right.
    let expected = Expected { issuer: "joe", now: 1_300_819_379, ..EXPECTED };
    assert_eq!(verify(token, &keys, &expected), Err(Invalid::Audience));
    assert_eq!(verify(token, &keys, &Expected { now: 1_300_819_380, ..expected }), Err(Invalid::Expired));
}
