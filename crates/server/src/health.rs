//! What is told of the server itself: whether it has its store, and figures.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State as Shared};
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::CONTENT_TYPE;
use store::{Store, StoreError};
use tokio::time::timeout;

use crate::State;
use crate::authorization::peer;

/// How long a look at the store may take before it counts as away.
const GLANCE: Duration = Duration::from_secs(2);

/// Whether the store can be read at this moment.
pub(crate) async fn health(Shared(state): Shared<Arc<State>>) -> Response {
    match look(&state, |store| store.snapshot().map(drop)).await {
        Ok(()) => "ok\n".into_response(),
        Err(error) => {
            tracing::error!(%error, "the store cannot be read");
            (StatusCode::SERVICE_UNAVAILABLE, "the store cannot be read\n").into_response()
        }
    }
}

/// The figures; with authentication on, for programs on this machine.
pub(crate) async fn metrics(Shared(state): Shared<Arc<State>>, request: Request) -> Response {
    let (head, _) = request.into_parts();
    if state.authority.is_on() && !peer(&state, &head).is_loopback() {
        return (StatusCode::FORBIDDEN, "figures are told on the server's own machine\n").into_response();
    }
    match look(&state, |store| store.statistics()).await {
        Ok(statistics) => state.metrics.observe(&statistics),
        Err(error) => tracing::error!(%error, "the store cannot be measured"),
    }
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, kind)], state.metrics.encode()).into_response()
}

/// Looks at the store. One that is elsewhere is looked at by one at a time, on a thread that no request takes: however many ask, and however
/// many requests wait for it, it is known soon that it is away.
async fn look<T: Send + 'static>(
    state: &Arc<State>,
    work: fn(&dyn Store) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    if !state.is_remote {
        return work(state.repository.store());
    }
    let away = || StoreError::Unreachable(format!("the store does not answer within {GLANCE:?}"));
    let looked = async {
        let turn = state.glance.clone().acquire_owned().await.map_err(|_| away())?;
        let state = state.clone();
        let task = tokio::task::spawn_blocking(move || {
            let seen = work(state.repository.store());
            drop(turn);
            seen
        });
        task.await.map_err(|_| away())?
    };
    timeout(GLANCE, looked).await.map_err(|_| away())?
}
