//! Request bodies: read piece by piece, decompressed on the way, never more than the limit in memory.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use fhir::{IssueType, Outcome};
use flate2::write::MultiGzDecoder;
use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::header::{CONTENT_ENCODING, CONTENT_LENGTH};

use crate::config::Limits;

/// A body, and its share of the memory that all bodies may take.
#[derive(Debug, Default)]
pub(crate) struct Received {
    pub(crate) bytes: Bytes,
    share: Option<Share>,
}

/// How many bytes all bodies hold now.
#[derive(Debug, Default)]
pub(crate) struct Budget(Arc<AtomicUsize>);

impl Budget {
    /// Reads a body to its end.
    pub(crate) async fn receive(&self, headers: &HeaderMap, body: Body, limits: &Limits) -> Result<Received, Outcome> {
        let mut body = body;
        let receive = self.receive_untimed(headers, &mut body, limits);
        let received = match tokio::time::timeout(limits.receive_timeout, receive).await {
            Ok(received) => received,
            Err(_) => return Err(slow(limits.receive_timeout)),
        };
        if received.is_err() {
            // Whether or not the rest came in time, the answer is the same.
            let _ = tokio::time::timeout(DRAIN_TIME_MAX, drain(&mut body)).await;
        }
        received
    }

    async fn receive_untimed(
        &self,
        headers: &HeaderMap,
        body: &mut Body,
        limits: &Limits,
    ) -> Result<Received, Outcome> {
        let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > limits.body_bytes) {
            return Err(too_long(limits.body_bytes));
        }
        let share = Share { held: self.0.clone(), bytes: 0, bytes_max: limits.bodies_bytes };
        let buffer = Buffer { bytes: Vec::new(), bytes_max: limits.body_bytes, share };
        let buffer = match headers.get(CONTENT_ENCODING).map(|value| value.as_bytes()) {
            None | Some(b"identity") => copy(body, buffer).await?,
            Some(b"gzip" | b"x-gzip") => copy(body, MultiGzDecoder::new(buffer)).await?.finish().map_err(refusal)?,
            Some(other) => {
                let other = String::from_utf8_lossy(other);
                return Err(Outcome::new(
                    IssueType::MediaType,
                    format!("content encoding `{other}` is not read; send `gzip` or none"),
                ));
            }
        };
        Ok(Received { bytes: buffer.bytes.into(), share: Some(buffer.share) })
    }
}

impl Received {
    /// Parts the bytes from their share of the memory, which is given back when the latter is dropped.
    pub(crate) fn into_parts(self) -> (Bytes, Option<Share>) {
        (self.bytes, self.share)
    }
}

/// How much of a refused body is read and dropped, so that a caller who reads only when all is sent hears why.
const DRAIN_BYTES_MAX: usize = 256 << 20;
const DRAIN_TIME_MAX: Duration = Duration::from_secs(5);

async fn drain(body: &mut Body) {
    let mut bytes = 0;
    while let Some(Ok(frame)) = body.frame().await {
        bytes += frame.data_ref().map_or(0, |data| data.len());
        if bytes > DRAIN_BYTES_MAX {
            break;
        }
    }
}

async fn copy<W: Write>(body: &mut Body, mut to: W) -> Result<W, Outcome> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Outcome::new(IssueType::BadRequest, "the body broke off before its end"))?;
        if let Ok(data) = frame.into_data() {
            to.write_all(&data).map_err(refusal)?;
        }
    }
    Ok(to)
}

/// Collects a body, up to its limit.
struct Buffer {
    bytes: Vec<u8>,
    bytes_max: usize,
    share: Share,
}

impl Write for Buffer {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + data.len() > self.bytes_max {
            return Err(io::Error::other(Refused(too_long(self.bytes_max))));
        }
        self.share.grow(data.len())?;
        self.bytes.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes taken from the budget; given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    held: Arc<AtomicUsize>,
    bytes: usize,
    bytes_max: usize,
}

impl Share {
    fn grow(&mut self, bytes: usize) -> io::Result<()> {
        let held = self.held.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.bytes += bytes;
        if held > self.bytes_max {
            let text = "the server holds as many request bodies as it can; send this one again later";
            return Err(io::Error::other(Refused(Outcome::new(IssueType::Transient, text))));
        }
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// An outcome on its way through `io::Error`.
#[derive(Debug)]
struct Refused(Outcome);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Refused {}

fn refusal(error: io::Error) -> Outcome {
    match error.downcast::<Refused>() {
        Ok(Refused(outcome)) => outcome,
        Err(_) => Outcome::new(IssueType::BadRequest, "the body is not the gzip that its content encoding says"),
    }
}

fn too_long(bytes_max: usize) -> Outcome {
    Outcome::new(IssueType::TooLong, format!("the body is longer than {bytes_max} bytes"))
}

fn slow(limit: Duration) -> Outcome {
    Outcome::new(IssueType::Timeout, format!("the body did not arrive within {} seconds", limit.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    fn limits() -> Limits {
        Limits { body_bytes: 100, bodies_bytes: 150, ..Limits::default() }
    }

    /// Bodies made of bytes are ready at once.
    fn receive(budget: &Budget, encoding: Option<&'static str>, body: Vec<u8>) -> Result<Received, Outcome> {
        let mut headers = HeaderMap::new();
        if let Some(encoding) = encoding {
            headers.insert(CONTENT_ENCODING, encoding.parse().expect("a value"));
        }
        let limits = limits();
        let mut body = Body::from(body);
        let future = pin!(budget.receive_untimed(&headers, &mut body, &limits));
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(done) => done,
            Poll::Pending => panic!("waits"),
        }
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).expect("memory");
        encoder.finish().expect("memory")
    }

    #[test]
    fn holds_to_the_limit() {
        let cases = [
            (None, vec![b'x'; 100], Ok(100)),
            (None, vec![b'x'; 101], Err(IssueType::TooLong)),
            (Some("identity"), vec![b'x'; 1], Ok(1)),
            (Some("gzip"), gzip(&[b'x'; 100]), Ok(100)),
            (Some("gzip"), gzip(&[b'x'; 101]), Err(IssueType::TooLong)),
            (Some("gzip"), gzip(&[b'x'; 10_000_000])[..90].to_vec(), Err(IssueType::TooLong)),
            (Some("gzip"), b"no gzip at all".to_vec(), Err(IssueType::BadRequest)),
            (Some("gzip"), gzip(&[b'x'; 50])[..12].to_vec(), Err(IssueType::BadRequest)),
            (Some("br"), Vec::new(), Err(IssueType::MediaType)),
        ];
        for (encoding, body, expected) in cases {
            let budget = Budget::default();
            let received = receive(&budget, encoding, body);
            let got = received.as_ref().map(|body| body.bytes.len()).map_err(|outcome| outcome.issues[0].code);
            assert_eq!(got, expected, "{encoding:?}");
            drop(received);
            assert_eq!(budget.0.load(Ordering::Relaxed), 0);
        }
    }

    #[test]
    fn bounds_all_bodies_together() {
        let budget = Budget::default();
        let first = receive(&budget, None, vec![b'x'; 100]).expect("fits");
        let code = |result: Result<Received, Outcome>| result.map(|_| ()).map_err(|outcome| outcome.issues[0].code);
        assert_eq!(code(receive(&budget, None, vec![b'x'; 51])), Err(IssueType::Transient));
        assert_eq!(code(receive(&budget, None, vec![b'x'; 50])), Ok(()));
        drop(first);
        assert_eq!(code(receive(&budget, None, vec![b'x'; 100])), Ok(()));
    }
}
