use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flint_tests::{Guarded, OpenId, Reply, example, rs512};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use smart::jose::{Algorithm, Jwk, Type};
use smart::{ClaimNames, Issuer};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// A server with the surgery, at which tokens of this issuer count.
fn trusting(openid: &OpenId, jwks_uri: Option<String>) -> Guarded {
    Guarded::start_with(|config| {
        config.load.push(example("seed-transaction.json"));
        openid.keep_time(config);
        config.issuers.push(Issuer {
            issuer: openid.url().to_owned(),
            jwks_uri,
            audience: "flint-api".to_owned(),
            algorithms: vec![Algorithm::Rs512],
            scope: "user/*.rs patient/*.rs".to_owned(),
            purposes: Vec::new(),
            clients: [("disabled".to_owned(), "no-such-client".to_owned())].into(),
            claims: ClaimNames::default(),
        });
    })
}

/// The claims of a doctor's token, with some replaced; null for what is not there.
fn claims(openid: &OpenId, guarded: &Guarded, changes: &Value) -> Value {
    let now = guarded.flint().now() / 1000;
    let mut claims = json!({ "iss": openid.url(), "aud": "flint-api", "sub": "doctor-1", "client_id": "the-ehr",
        "scope": "user/*.cruds", "fhirUser": "Practitioner/dr1", "iat": now, "exp": now + 300 });
    let members = claims.as_object_mut().expect("an object");
    members.extend(changes.as_object().expect("an object").clone());
    members.retain(|_, value| !value.is_null());
    claims
}

fn get(guarded: &Guarded, token: &str, url: &str) -> Reply {
    guarded.flint().call(&format!("GET {url}")).header("Authorization", &format!("Bearer {token}")).send()
}

#[test]
fn tokens_of_another_issuer_count_by_its_keys() {
    let openid = OpenId::start();
    let guarded = trusting(&openid, None);
    let now = guarded.flint().now() / 1000;
    // What is other in the token, and the answer.
    let cases = [
        (json!({}), 200),
        (json!({ "aud": ["another", "flint-api"] }), 200),
        (json!({ "scope": ["user/Patient.rs"] }), 200),
        (json!({ "scope": "user/Observation.rs" }), 403),
        (json!({ "scope": "system/*.rs" }), 403),
        (json!({ "scope": null }), 403),
        (json!({ "fhirUser": null }), 403),
        (json!({ "aud": "another" }), 401),
        (json!({ "aud": null }), 401),
        (json!({ "aud": guarded.flint().base_url() }), 401),
        (json!({ "iss": "https://another.example" }), 401),
        (json!({ "iss": format!("{}/", openid.url()) }), 401),
        (json!({ "iss": null }), 401),
        (json!({ "exp": now - 60 }), 401),
        (json!({ "exp": null }), 401),
        (json!({ "exp": "tomorrow" }), 401),
        (json!({ "nbf": now + 3600 }), 401),
        (json!({ "iat": now + 3600 }), 401),
        (json!({ "sub": null }), 401),
        (json!({ "client_id": null }), 401),
        (json!({ "client_id": "disabled" }), 401),
    ];
    for (changes, status) in cases {
        let reply = get(&guarded, &openid.token(&claims(&openid, &guarded, &changes)), "/Patient/p1");
        assert_eq!(reply.status, status, "{changes}: {}", reply.text);
        assert_eq!(reply.header("www-authenticate").contains("invalid_token"), status == 401, "{changes}");
        assert_eq!(reply.text.contains("Hartley"), status == 200, "{changes}");
    }
    assert_eq!(openid.taken(), ["GET /.well-known/openid-configuration", "GET /jwks"]);
    let token = openid.token(&claims(&openid, &guarded, &json!({})));
    let call = guarded.flint().call("DELETE /Observation/spo2-1").header("Authorization", &format!("Bearer {token}"));
    call.send().expect(403);
}

#[test]
fn tokens_that_the_issuer_did_not_sign_do_not_count() {
    let openid = OpenId::start();
    let guarded = trusting(&openid, None);
    let claims = claims(&openid, &guarded, &json!({}));
    let signed = openid.token(&claims);
    let (head, signature) = signed.rsplit_once('.').expect("three parts");
    let (header, _) = head.split_once('.').expect("three parts");
    let other = URL_SAFE_NO_PAD.encode(json!({ "scope": "user/*.cruds" }).to_string());
    let tokens = [
        ("not signed", unsigned(&claims)),
        ("not signed, but long", format!("{}{signature}", unsigned(&claims))),
        ("signed with the public key", hs256(&rs512("k1", "k1").public(), &claims)),
        ("signed by another", rs512("k1", "forger").sign(Type::Jwt, &claims).expect("signed")),
        ("signed by another, who says so", rs512("k9", "forger").sign(Type::Jwt, &claims).expect("signed")),
        ("signed by us", rs512("client", "client").sign(Type::Jwt, &claims).expect("signed")),
        ("the signature of another token", format!("{header}.{other}.{signature}")),
        ("without a signature", format!("{head}.")),
        ("in two parts", head.to_owned()),
        ("nothing", String::new()),
    ];
    for (what, token) in tokens {
        let reply = get(&guarded, &token, "/Patient/p1");
        assert_eq!(reply.status, 401, "{what}: {}", reply.text);
    }
    get(&guarded, &signed, "/Patient/p1").expect(200);
    let asked = openid.taken();
    assert_eq!(
        asked.iter().filter(|line| *line == "GET /jwks").count(),
        1,
        "strangers cannot have it asked: {asked:?}"
    );
}

/// A patient's app with a token of another issuer sees the patient's own record.
#[test]
fn a_patients_token_shows_one_record() {
    let openid = OpenId::start();
    let guarded = trusting(&openid, None);
    let token = |patient: Value| {
        let changes = json!({ "scope": "patient/*.rs", "fhirUser": "Patient/p1", "patient": patient });
        openid.token(&claims(&openid, &guarded, &changes))
    };
    let own = token(json!("p1"));
    get(&guarded, &own, "/Patient/p1").expect(200);
    get(&guarded, &own, "/Patient/p2").expect(404);
    get(&guarded, &own, "/Patient").expect(200).facts(&[("/total", "1")]);
    for nobody in
        [json!(null), json!(""), json!("p1/../p2"), json!(["p1"]), json!("https://another.example/Patient/p1")]
    {
        get(&guarded, &token(nobody.clone()), "/Patient/p1").expect(403);
    }
}

/// What a user may see is another thing for patients, whatever the issuer grants them.
#[test]
fn patients_have_no_scopes_of_staff() {
    let openid = OpenId::start();
    let guarded = trusting(&openid, None);
    // Who it is, how sure, and the answers to a record and to the directory.
    let cases = [
        ("Practitioner/dr1", json!(null), 200, 200),
        ("Patient/p1", json!(null), 403, 403),
        ("RelatedPerson/rp1", json!(null), 403, 403),
        ("Patient/p1", json!("P5.Cp.Cd"), 403, 200),
        ("Patient/p1", json!("P0.Cp"), 403, 200),
    ];
    for (user, vot, record, directory) in cases {
        let changes = json!({ "scope": "user/*.rs", "fhirUser": user, "vot": vot });
        let token = openid.token(&claims(&openid, &guarded, &changes));
        for (url, status) in
            [("/Patient/p2", record), ("/Condition/copd1", record), ("/HealthcareService/svc1", directory)]
        {
            let reply = get(&guarded, &token, url);
            assert_eq!(reply.status, status, "{user} {vot} {url}: {}", reply.text);
        }
    }
}

#[test]
fn new_keys_count_and_old_ones_go() {
    let openid = OpenId::start();
    let guarded = trusting(&openid, Some(format!("{}/jwks", openid.url())));
    let ask = |number: u32, kid: &str| {
        let claims = claims(&openid, &guarded, &json!({ "jti": format!("{kid}-{number}") }));
        get(&guarded, &rs512(kid, kid).sign(Type::Jwt, &claims).expect("signed"), "/Patient/p1").status
    };
    assert_eq!((ask(1, "k1"), ask(2, "k1"), ask(1, "k2")), (200, 200, 401));
    assert_eq!(openid.taken(), ["GET /jwks"]);

    openid.publish(&["k1", "k2"]);
    guarded.advance(MINUTE);
    assert_eq!((ask(3, "k1"), openid.taken()), (200, vec![]));
    assert_eq!((ask(2, "k2"), openid.taken()), (200, vec!["GET /jwks".to_owned()]));
    assert_eq!((ask(4, "k1"), ask(3, "k2")), (200, 200));

    openid.publish(&["k2"]);
    guarded.advance(HOUR);
    assert_eq!((ask(4, "k2"), ask(5, "k1")), (200, 401));
    assert_eq!(openid.taken(), ["GET /jwks"]);
}

/// A token that says that it needs no signature.
pub(super) fn unsigned(claims: &Value) -> String {
    signed_part("none", claims) + "."
}

/// A token that is signed with a public key as if it were a secret.
pub(super) fn hs256(key: &Jwk, claims: &Value) -> String {
    let signed = signed_part("HS256", claims);
    let secret = URL_SAFE_NO_PAD.decode(key.n.as_deref().expect("an RSA key")).expect("base64url");
    let signature = URL_SAFE_NO_PAD.encode(hmac(&secret, signed.as_bytes()));
    format!("{signed}.{signature}")
}

fn signed_part(alg: &str, claims: &Value) -> String {
    let header = json!({ "alg": alg, "kid": "k1", "typ": "JWT" });
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()))
}

/// RFC 2104 with SHA-256, of a key that is longer than a block.
fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0; 64];
    block[..32].copy_from_slice(&Sha256::digest(key));
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().to_vec()
}
