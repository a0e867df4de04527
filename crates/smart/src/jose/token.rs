//! JSON Web Tokens: RFC 7519, verified as RFC 8725 says.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Algorithm, KeySet};

/// Bytes of a token.
pub(crate) const TOKEN_MAX: usize = 16 * 1024;
/// Keys that are tried for a token which does not name its key.
const TRIES_MAX: usize = 8;
/// How far another's clock may go before this one, in seconds.
pub(crate) const SKEW_S: i64 = 30;

/// What a token is for, as its header's `typ` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Jwt,
    /// RFC 9068. ID tokens are none, though the same server signs them.
    AccessToken,
}

impl Type {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Type::Jwt => "JWT",
            Type::AccessToken => "at+jwt",
        }
    }
}

/// What a token must be like to count.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The algorithms of whoever signs.
    pub algorithms: &'a [Algorithm],
    pub issuer: &'a str,
    /// Any of these: the names of whoever verifies.
    pub audiences: &'a [&'a str],
    /// What it must be for; `None` when its `typ` does not matter.
    pub kind: Option<Type>,
    /// Seconds since 1970.
    pub now: i64,
}

/// Why a token does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    Malformed,
    /// Signed in a way that does not count, such as not at all.
    Algorithm,
    /// None of the keys is the one that it names: they may have been renewed.
    UnknownKey,
    Signature,
    Expired,
    NotYet,
    Issuer,
    Audience,
}

/// The claims of a token that counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    /// Seconds since 1970.
    pub expires: i64,
    pub issued: Option<i64>,
    pub all: Map<String, Value>,
}

impl Claims {
    /// A claim that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.all.get(name)?.as_str()
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    /// What must be understood; nothing of it is.
    crit: Option<Value>,
}

/// The claims of a token that one of these keys signed, when it counts now.
pub fn verify(token: &str, keys: &KeySet, expected: &Expected) -> Result<Claims, Invalid> {
    let parts = Parts::split(token)?;
    let header: Header = parts.header()?;
    let algorithm = Algorithm::parse(&header.alg).filter(|algorithm| expected.algorithms.contains(algorithm));
    let algorithm = algorithm.ok_or(Invalid::Algorithm)?;
    if header.crit.is_some() || !expected.kind.is_none_or(|kind| is_type(header.typ.as_deref(), kind)) {
        return Err(Invalid::Malformed);
    }
    let mut candidates = keys.candidates(header.kid.as_deref(), algorithm).take(TRIES_MAX).peekable();
    if candidates.peek().is_none() {
        return Err(Invalid::UnknownKey);
    }
    let signature = decode(parts.signature)?;
    if !candidates.any(|key| key.verifies(algorithm, parts.signed.as_bytes(), &signature)) {
        return Err(Invalid::Signature);
    }
    expected.judge(parts.claims()?)
}

/// Who says to have issued a token: not verified, to find the keys by.
pub fn issuer_of(token: &str) -> Option<String> {
    unverified(token, "iss")
}

/// A claim of a token that nobody has verified.
pub(crate) fn unverified(token: &str, claim: &str) -> Option<String> {
    let claims = Parts::split(token).ok()?.claims().ok()?;
    claims.get(claim)?.as_str().map(str::to_owned)
}

struct Parts<'a> {
    header: &'a str,
    claims: &'a str,
    signature: &'a str,
    /// Header, point and claims.
    signed: &'a str,
}

impl<'a> Parts<'a> {
    fn split(token: &'a str) -> Result<Parts<'a>, Invalid> {
        if token.len() > TOKEN_MAX {
            return Err(Invalid::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Invalid::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(Invalid::Malformed)?;
        Ok(Parts { header, claims, signature, signed })
    }

    fn header(&self) -> Result<Header, Invalid> {
        serde_json::from_slice(&decode(self.header)?).map_err(|_| Invalid::Malformed)
    }

    fn claims(&self) -> Result<Map<String, Value>, Invalid> {
        serde_json::from_slice(&decode(self.claims)?).map_err(|_| Invalid::Malformed)
    }
}

impl Expected<'_> {
    fn judge(&self, all: Map<String, Value>) -> Result<Claims, Invalid> {
        let expires = time(&all, "exp")?.ok_or(Invalid::Malformed)?;
        let (issued, begins) = (time(&all, "iat")?, time(&all, "nbf")?);
        if expires <= self.now {
            return Err(Invalid::Expired);
        }
        if issued.max(begins).is_some_and(|time| time > self.now.saturating_add(SKEW_S)) {
            return Err(Invalid::NotYet);
        }
        if all.get("iss").and_then(Value::as_str) != Some(self.issuer) {
            return Err(Invalid::Issuer);
        }
        if !self.is_meant(all.get("aud")) {
            return Err(Invalid::Audience);
        }
        Ok(Claims { expires, issued, all })
    }

    fn is_meant(&self, audience: Option<&Value>) -> bool {
        let is_one = |value: &Value| value.as_str().is_some_and(|value| self.audiences.contains(&value));
        match audience {
            Some(Value::Array(audiences)) => audiences.iter().any(is_one),
            Some(audience) => is_one(audience),
            None => false,
        }
    }
}

/// A time in seconds since 1970; fractions are cut.
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<i64>, Invalid> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => {
            let time = number.as_i64().or_else(|| number.as_f64().map(|time| time as i64));
            time.map(Some).ok_or(Invalid::Malformed)
        }
        Some(_) => Err(Invalid::Malformed),
    }
}

/// Media types compare without case, and `application/` may be left out.
fn is_type(typ: Option<&str>, kind: Type) -> bool {
    let typ = typ.unwrap_or("JWT").to_ascii_lowercase();
    typ.strip_prefix("application/").unwrap_or(&typ) == kind.as_str().to_ascii_lowercase()
}

fn decode(text: &str) -> Result<Vec<u8>, Invalid> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Invalid::Malformed)
}
