//! What comes about without a request: appointments that were held and not booked give their slots back, and what other processes over the same
//! store changed is taken over.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fhir::Outcome;

use crate::State;

/// How long a hold outlasts its time while nobody asks for anything, and what other processes changed stays unknown: a search parameter that one
/// process takes and another indexes is known to all after two of them.
const PAUSE: Duration = Duration::from_millis(500);

impl State {
    /// Whether [`State::sweep`] has something to do, and so may take as long as a write.
    pub(crate) fn is_sweep_due(&self) -> bool {
        self.services.is_sweep_due(self.repository.now())
    }

    /// Ends what has ended by now: a request sees nothing that was over when it came. After very many at once it ends some of them, and tells
    /// that there are more.
    pub(crate) fn sweep(&self) -> bool {
        if !self.is_sweep_due() {
            return false;
        }
        match self.services.sweep(&self.repository) {
            Ok(swept) => {
                for (hold, reason) in swept.failed {
                    tracing::error!(%hold, reason = reason.code(), "a hold that is over was not ended, and is tried again");
                }
                swept.has_more
            }
            Err(outcome) => {
                tracing::error!(%outcome, "holds that are over keep their slots");
                false
            }
        }
    }
}

/// The job of ending holds for all processes.
const JOB: &str = "sweep";

/// How often it is looked for holds that other processes made.
const LOOK: Duration = Duration::from_secs(1);

impl State {
    /// Takes over what other processes changed, where there are others. Whether to sweep: it is this process's job.
    fn catch_up(&self, since_look: &mut Instant) -> Result<bool, Outcome> {
        if !self.repository.is_shared() {
            return Ok(true);
        }
        self.repository.catch_up()?;
        if since_look.elapsed() >= LOOK {
            *since_look = Instant::now();
            self.services.doubt_deadlines();
        }
        self.repository.has_job(JOB)
    }
}

/// The thread that sweeps beside the requests, until this is dropped.
pub(crate) struct Sweeper {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sweeper {
    pub(crate) fn start(state: Arc<State>) -> Sweeper {
        let (stop, stopped) = mpsc::channel();
        let run = move || {
            let (mut pause, mut since_look, mut is_away) = (PAUSE, Instant::now(), false);
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                // Told once, however long the store is away.
                if is_away && state.repository.store().snapshot().is_err() {
                    continue;
                }
                let caught_up = state.catch_up(&mut since_look);
                match &caught_up {
                    Err(outcome) => tracing::error!(%outcome, "what other processes changed is not known"),
                    Ok(_) if is_away => tracing::info!("what other processes changed is known again"),
                    Ok(_) => {}
                }
                is_away = caught_up.is_err();
                let sweeps = caught_up.unwrap_or(false);
                pause = if sweeps && state.sweep() { Duration::ZERO } else { PAUSE };
            }
        };
        let thread = std::thread::Builder::new().name("sweeper".to_owned()).spawn(run);
        let thread = thread.inspect_err(|error| tracing::error!(%error, "holds end only when somebody asks")).ok();
        Sweeper { stop: Some(stop), thread }
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        drop(self.stop.take());
        // A panic of it is in the log.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
