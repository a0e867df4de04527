//! The authorization server's pages and endpoints: HTTP becomes a [`smart::exchange::Request`], and its reply HTTP again.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State as Shared};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::header::{
    ACCEPT_LANGUAGE, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue, ORIGIN,
};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use search::parse_query_string;
use smart::exchange;

use crate::State;

/// Bytes of a form or a JSON body. The longest are registrations with keys.
const BODY_MAX: usize = 64 << 10;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// An error of OAuth, RFC 6749, paragraph 5.2, where people are answered.
const INVALID: &str = r#"{"error":"invalid_request"}"#;

/// Header by which a proxy says for whom it asks.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Answers a request to the authorization server.
pub(crate) async fn authorization(Shared(state): Shared<Arc<State>>, request: Request) -> Response {
    match answer(state, request).await {
        Ok(reply) => response(reply),
        Err(StatusCode::BAD_REQUEST) => {
            (StatusCode::BAD_REQUEST, [(CONTENT_TYPE, JSON), (CACHE_CONTROL, "no-store")], INVALID).into_response()
        }
        Err(status) => status.into_response(),
    }
}

async fn answer(state: Arc<State>, request: Request) -> Result<exchange::Reply, StatusCode> {
    let (head, body) = request.into_parts();
    let peer = peer(&state, &head);
    let body = match head.method {
        Method::POST => received(&state, body).await,
        _ => Ok(Bytes::new()),
    };
    let turn = state.turns.clone().acquire_owned().await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    let task = tokio::task::spawn_blocking(move || {
        let reply = body.and_then(|body| handle(&state, &head, &body, peer));
        let reply = reply.or_else(|status| unread(&state, &head, status, peer));
        drop(turn);
        reply
    });
    task.await.unwrap_or(Err(StatusCode::INTERNAL_SERVER_ERROR))
}

async fn received(state: &State, body: Body) -> Result<Bytes, StatusCode> {
    let collected = Limited::new(body, BODY_MAX).collect();
    match tokio::time::timeout(state.limits.receive_timeout, collected).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

/// The reply to a request that cannot be read, as OAuth has it where clients ask.
fn unread(state: &State, head: &Parts, status: StatusCode, peer: IpAddr) -> Result<exchange::Reply, StatusCode> {
    let reason = match status {
        StatusCode::PAYLOAD_TOO_LARGE => "the body has more than 65536 bytes",
        StatusCode::BAD_REQUEST => "the query or the form is not UTF-8 in percent encoding, or a header is there twice",
        _ => return Err(status),
    };
    state.authority.unread(&state.repository, head.uri.path(), peer, reason).ok_or(status)
}

fn handle(state: &State, head: &Parts, body: &Bytes, peer: IpAddr) -> Result<exchange::Reply, StatusCode> {
    // Of two nobody knows which one was meant: RFC 9110, paragraph 5.3.
    if head.headers.get_all(AUTHORIZATION).iter().nth(1).is_some() {
        return Err(StatusCode::BAD_REQUEST);
    }
    let pairs = |text: &str| parse_query_string(text).map_err(|_| StatusCode::BAD_REQUEST);
    let kind = text(&head.headers, &CONTENT_TYPE).map(|kind| kind.split(';').next().unwrap_or_default().trim());
    let form = match kind {
        Some(kind) if kind.eq_ignore_ascii_case(FORM) => {
            pairs(std::str::from_utf8(body).map_err(|_| StatusCode::BAD_REQUEST)?)?
        }
        _ => Vec::new(),
    };
    let is_json = kind.is_some_and(|kind| kind.eq_ignore_ascii_case(JSON));
    let request = exchange::Request {
        method: head.method.as_str(),
        path: head.uri.path(),
        query: pairs(head.uri.query().unwrap_or_default())?,
        form,
        json: is_json.then_some(body),
        authorization: text(&head.headers, &AUTHORIZATION),
        cookie: text(&head.headers, &COOKIE),
        origin: text(&head.headers, &ORIGIN),
        accept_language: text(&head.headers, &ACCEPT_LANGUAGE),
        peer,
    };
    state.authority.handle(&state.repository, &request).ok_or(StatusCode::NOT_FOUND)
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Who asks: who is at the other end, or for whom a proxy on this machine says that it asks.
pub(crate) fn peer(state: &State, head: &Parts) -> IpAddr {
    let peer = head.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let peer = peer.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
    if !state.proxies.contains(&peer) {
        return peer;
    }
    // A proxy adds a field of its own, or to the last one: those before it are what the caller sent.
    let field = head.headers.get_all(FORWARDED_FOR).iter().next_back().and_then(|value| value.to_str().ok());
    let last = field.and_then(|list| list.rsplit(',').next());
    last.and_then(|last| last.trim().parse().ok()).unwrap_or(peer)
}

fn response(reply: exchange::Reply) -> Response {
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in reply.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    response
}
