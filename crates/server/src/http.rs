//! From an HTTP request to a [`Call`], and back.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State as Shared};
use axum::response::Response;
use axum::routing::{any, get};
use bytes::Bytes;
use fhir::{IssueType, Outcome};
use hyper::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LOCATION, ETAG, HeaderValue, LAST_MODIFIED, LOCATION, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use repository::audit::Ticket;
use repository::{Access, BEARER_CODES, Once, Origin};
use search::{parse_query_string, query_string};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use crate::State;
use crate::authorization::{authorization, peer};
use crate::config::Directory;
use crate::health::{health, metrics};
use crate::interaction::{Expected, Interaction};
use crate::intruders;
use crate::local::{check_host, check_origin, is_local_origin};
use crate::media::{Format, Wanted, content, wanted};
use crate::negotiate::{General, Preferences, accepts_gzip};
use crate::once::{IDEMPOTENCY_REPLAYED, once};
use crate::perform::{Call, Caller, Conditions, Payload, perform};
use crate::respond::{Answer, Form, PROGRESS, Refused};
use crate::telemetry::{REQUEST_ID, request_id};

/// Where FHIR begins on this server.
const BASE_PATH: &str = "/fhir";

/// How long a browser may remember that it may call.
const PREFLIGHT_AGE: Duration = Duration::from_secs(600);

/// Everything the server answers.
pub fn app(state: Arc<State>) -> Router {
    let methods = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    // Who must show a token may call from anywhere: no browser adds one by itself.
    let origins = match state.authority.is_on() {
        true => AllowOrigin::any(),
        false => AllowOrigin::predicate(|origin, _| is_local_origin(origin)),
    };
    let cors = CorsLayer::new()
        .allow_origin(origins)
        .allow_methods(methods)
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([
            CONTENT_LOCATION,
            ETAG,
            LAST_MODIFIED,
            LOCATION,
            PROGRESS,
            REQUEST_ID,
            RETRY_AFTER,
            WWW_AUTHENTICATE,
            IDEMPOTENCY_REPLAYED,
        ])
        .max_age(PREFLIGHT_AGE);
    // Interactions have a router of their own, which Bundle entries share: here they are all one.
    Router::new()
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .route("/auth/{*path}", any(authorization))
        .route("/.well-known/{*path}", any(authorization))
        .route(&format!("{BASE_PATH}/.well-known/{{*path}}"), any(authorization))
        .fallback(fhir)
        .layer(cors)
        .with_state(state)
}

async fn fhir(Shared(state): Shared<Arc<State>>, request: Request) -> Response {
    let started = Instant::now();
    let (head, body) = request.into_parts();
    let has_body = !body.is_end_stream();
    let mut exchange = Exchange {
        form: Form {
            is_head: head.method == Method::HEAD,
            pretty: false,
            wanted: wanted(&head.headers, None).unwrap_or(Wanted::JSON),
            gzip: accepts_gzip(&head.headers),
            may_write: false,
            has_token: head.headers.contains_key(AUTHORIZATION),
            request_id: request_id(&head.headers),
        },
        code: "unknown",
        is_received: false,
        challenge: match head.headers.contains_key(AUTHORIZATION) {
            true => smart::Refused::CHALLENGE,
            false => smart::Refused::CHALLENGE_WITHOUT_TOKEN,
        },
    };
    let in_progress = InProgress::enter(&state);
    let mut response = match exchange.answer(&state, &head, body).await {
        Ok(response) => response,
        Err(refused) => exchange.refusal(refused, &state),
    };
    // What was not read still stands in the connection, which ends with this answer: a client that is not told would send the next request into it.
    if has_body && !exchange.is_received {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    drop(in_progress);
    let status = response.status().as_u16();
    state.metrics.record(exchange.code, status, started.elapsed());
    tracing::debug!(
        request_id = ?exchange.form.request_id,
        interaction = exchange.code,
        method = %head.method,
        path = head.uri.path(),
        status,
        microseconds = started.elapsed().as_micros() as u64,
        "answered"
    );
    response
}

/// One request counted as long as this lives.
struct InProgress<'a> {
    state: &'a State,
}

impl InProgress<'_> {
    fn enter(state: &State) -> InProgress<'_> {
        state.requests.fetch_add(1, Ordering::Relaxed);
        state.metrics.in_progress.inc();
        InProgress { state }
    }
}

impl Drop for InProgress<'_> {
    fn drop(&mut self) {
        self.state.requests.fetch_sub(1, Ordering::Relaxed);
        self.state.metrics.in_progress.dec();
    }
}

/// What is learned of a request on the way to its answer.
struct Exchange {
    form: Form,
    /// The interaction's code.
    code: &'static str,
    /// Whether the body was read to its end.
    is_received: bool,
    /// What is said to who shows no valid token, <https://www.rfc-editor.org/rfc/rfc6750#section-3>.
    challenge: &'static str,
}

impl Exchange {
    async fn answer(&mut self, state: &Arc<State>, head: &Parts, body: Body) -> Result<Response, Refused> {
        if state.requests.load(Ordering::Relaxed) > state.limits.requests {
            let text = format!("the server has {} requests in progress and takes no more", state.limits.requests);
            return Err(Outcome::new(IssueType::Transient, text).into());
        }
        if !state.authority.is_on() {
            check_host(head, &state.base_url)?;
            check_origin(head)?;
        }
        let query = head.uri.query().unwrap_or_default();
        let mut parameters = parse_query_string(query)?;
        let mut general = General::take(&mut parameters);
        let accepted = self.accept(head, &general);
        let interaction = self.interaction(state, head, query, &parameters, &general)?;
        if interaction.gives_resource(&parameters) {
            accepted?;
        }
        if state.authority.is_on() {
            check_token(head, &parameters)?;
        }
        let authorization = head.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let access = match interaction {
            Interaction::Capabilities => state.authority.open_access(),
            // A token that does not count is told so, and is never as good as none.
            _ if state.directory == Directory::Open && !self.form.has_token && interaction.is_of_directory() => {
                state.repository.directory()?
            }
            _ if state.directory == Directory::Open && !self.form.has_token && interaction.is_open() => {
                state.authority.open_access()
            }
            _ => access(state, authorization).await.inspect_err(|outcome| {
                if self.form.has_token {
                    intruders::tell(state, outcome, &self.origin(state, head));
                }
            })?,
        };
        let expected = interaction.expects();
        let mut payload = Payload::Nothing;
        let mut share = None;
        if expected != Expected::Nothing {
            let media = content(&head.headers, expected, interaction.takes())?;
            let received = state.bodies.receive(&head.headers, body, &state.limits).await?;
            self.is_received = true;
            let (bytes, held) = received.into_parts();
            share = held;
            if expected == Expected::Form {
                parameters.extend(parse_form(&bytes)?);
                if state.authority.is_on() {
                    check_token(head, &parameters)?;
                }
                general = General::take(&mut parameters).or(general);
                self.accept(head, &general)?;
            } else {
                payload = Payload::Body { bytes, media };
            }
        }
        let once = match interaction.may_write() {
            true => once(head, &payload, state.repository.registry().dialect())?,
            false => None,
        };
        let call = Call {
            interaction,
            parameters,
            general,
            conditions: Conditions::of(&head.headers)?,
            preferences: Preferences::of(&head.headers),
            payload,
        };
        let origin = self.origin(state, head);
        let work = Work { state: state.clone(), form: self.form.clone(), access, origin, once, call };
        let is_quick = work.call.interaction.is_quick() && self.form.wanted.format == Format::Json;
        if is_quick && !state.is_remote && !state.is_sweep_due() {
            return Ok(work.run().accounted().await?);
        }
        let may_write = work.call.interaction.may_write();
        let done = elsewhere(state, may_write, move || {
            let done = work.run();
            drop(share);
            done
        });
        Ok(done.await?.accounted().await?)
    }

    fn origin(&self, state: &State, head: &Parts) -> Origin {
        let request = self.form.request_id.to_str().unwrap_or_default().to_owned();
        Origin { peer: Some(peer(state, head)), request }
    }

    fn accept(&mut self, head: &Parts, general: &General) -> Result<(), Outcome> {
        self.form.pretty |= general.pretty;
        self.form.wanted = wanted(&head.headers, general.format.as_deref())?;
        Ok(())
    }

    fn interaction(
        &mut self,
        state: &State,
        head: &Parts,
        query: &str,
        parameters: &[(String, String)],
        general: &General,
    ) -> Result<Interaction, Refused> {
        let path = head.uri.path().strip_prefix(BASE_PATH).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let Some(path) = path else {
            let text = format!("there is nothing at `{}`: FHIR is served at `{BASE_PATH}`", head.uri.path());
            return Err(Outcome::new(IssueType::NotFound, text).into());
        };
        let criteria = if *general == General::default() {
            Cow::Borrowed(query)
        } else {
            Cow::Owned(query_string(parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()))))
        };
        let method = if self.form.is_head { &Method::GET } else { &head.method };
        let interaction = Interaction::parse(method, path, &criteria, state.definitions)?;
        self.code = interaction.code();
        self.form.may_write = interaction.may_write();
        Ok(interaction)
    }

    fn refusal(&self, refused: Refused, state: &State) -> Response {
        let mut response = self.form.response(Answer::refusal(refused, &self.form.request_id), &state.base_url);
        if response.status() == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(self.challenge));
        }
        response
    }
}

/// Refuses a token that is shown more than once, or elsewhere than in the header: RFC 6750, paragraphs 2 and 3.1.
fn check_token(head: &Parts, parameters: &[(String, String)]) -> Result<(), Outcome> {
    let is_once = head.headers.get_all(AUTHORIZATION).iter().nth(1).is_none();
    match is_once && parameters.iter().all(|(name, _)| name != "access_token") {
        true => Ok(()),
        false => {
            let text = "a request shows its access token once, in the header `Authorization`";
            Err(Outcome::new(IssueType::BadRequest, text).coded(BEARER_CODES, "invalid_request"))
        }
    }
}

fn parse_form(bytes: &Bytes) -> Result<Vec<(String, String)>, Outcome> {
    match std::str::from_utf8(bytes) {
        Ok(text) => parse_query_string(text.trim()),
        Err(_) => Err(Outcome::new(IssueType::BadRequest, "the form is not UTF-8")),
    }
}

/// A call with all that is needed to perform it, on whatever thread.
struct Work {
    state: Arc<State>,
    form: Form,
    access: Access,
    origin: Origin,
    once: Option<Once>,
    call: Call,
}

/// What came of a call.
struct Done {
    response: Response,
    /// Before it ends nothing may be disclosed.
    ticket: Option<Ticket>,
}

impl Done {
    /// The response, once it is accounted for.
    async fn accounted(self) -> Result<Response, Outcome> {
        if let Some(ticket) = self.ticket {
            ticket.await?;
        }
        Ok(self.response)
    }
}

impl Work {
    fn run(self) -> Done {
        let Work { state, form, access, origin, once, call } = self;
        let sent = call.payload.sent();
        let (act, operation) = call.interaction.audited();
        let session = state.repository.open(access).from(origin);
        let session = match once {
            Some(once) => session.once(once),
            None => session,
        };
        let performed = catch_unwind(AssertUnwindSafe(|| {
            state.sweep();
            let session = session.clone();
            perform(&Caller { state: &state, session, request_id: &form.request_id, sent: sent.clone() }, call)
        }));
        let mut answer = match performed {
            Ok(Ok(answer)) => answer,
            Ok(Err(refused)) => {
                if refused.is_forbidden() {
                    session.account_refusal(operation, act, "");
                }
                Answer::refusal(refused, &form.request_id)
            }
            Err(_) => {
                let outcome = Outcome::new(IssueType::Exception, "a panic: its message is on standard error");
                Answer::refusal(outcome.into(), &form.request_id)
            }
        };
        answer.place(sent.as_ref());
        let mut response = form.response(answer, &state.base_url);
        if session.has_repeated() {
            response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
        }
        Done { response, ticket: session.account() }
    }
}

/// The rights of a caller. Where keys of another issuer may have to be fetched, or the store is elsewhere, that waits on a thread of its own: nobody
/// else waits with it.
async fn access(state: &Arc<State>, authorization: Option<&str>) -> Result<Access, Outcome> {
    if !state.is_remote && !state.authority.may_wait(&state.repository, authorization) {
        return state.authority.access(&state.repository, authorization);
    }
    let (shared, authorization) = (state.clone(), authorization.map(str::to_owned));
    let look = move || shared.authority.access(&shared.repository, authorization.as_deref());
    elsewhere(state, false, look).await?
}

/// Runs work that blocks on a thread of its own, when its turn comes. What may write is never given up: the caller must learn how it ended.
async fn elsewhere<T: Send + 'static>(
    state: &State,
    may_write: bool,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Outcome> {
    let limit = state.limits.answer_timeout;
    let turn = tokio::time::timeout(limit, state.turns.clone().acquire_owned()).await;
    let turn = turn.map_err(|_| slow(limit))?;
    let task = tokio::task::spawn_blocking(move || {
        let done = work();
        drop(turn);
        done
    });
    let done = if may_write { task.await } else { tokio::time::timeout(limit, task).await.map_err(|_| slow(limit))? };
    done.map_err(|error| Outcome::new(IssueType::Exception, error.to_string()))
}

fn slow(limit: Duration) -> Outcome {
    Outcome::new(IssueType::Timeout, format!("no answer was found within {} seconds", limit.as_secs()))
}
