//! How identity providers are asked.

use crate::jose::{Fetch, FetchError, Https};
use crate::uri::is_secure;

/// How long an answer may be, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Asks identity providers.
pub trait Http: Fetch {
    /// The body of a good answer to a form that is posted.
    fn post(&self, url: &str, form: &str) -> Result<Vec<u8>, FetchError>;

    /// The body at this URL, for who has this access token.
    fn get_with(&self, url: &str, access_token: &str) -> Result<Vec<u8>, FetchError>;
}

impl Http for Https {
    fn post(&self, url: &str, form: &str) -> Result<Vec<u8>, FetchError> {
        check(url)?;
        let request = self.0.post(url).header("Content-Type", "application/x-www-form-urlencoded");
        read(url, request.header("Accept", "application/json").send(form))
    }

    fn get_with(&self, url: &str, access_token: &str) -> Result<Vec<u8>, FetchError> {
        check(url)?;
        let request = self.0.get(url).header("Authorization", format!("Bearer {access_token}"));
        read(url, request.header("Accept", "application/json").call())
    }
}

fn check(url: &str) -> Result<(), FetchError> {
    if is_secure(url) { Ok(()) } else { Err(FetchError) }
}

type Answer = Result<ureq::http::Response<ureq::Body>, ureq::Error>;

fn read(url: &str, answer: Answer) -> Result<Vec<u8>, FetchError> {
    let failed = |error: ureq::Error| {
        tracing::warn!(url, %error, "an identity provider cannot be asked");
        FetchError
    };
    answer.map_err(failed)?.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec().map_err(failed)
}
