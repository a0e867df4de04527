//! What time alone brings about: appointments that were held and not booked give their slots back.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::State;

/// How long a hold outlasts its time while nobody asks for anything.
const PAUSE: Duration = Duration::from_secs(1);

impl State {
    /// Whether [`State::sweep`] has something to do, and so may take as long as a write.
    pub(crate) fn is_sweep_due(&self) -> bool {
        self.services.is_sweep_due(self.repository.now())
    }

    /// Ends what has ended by now. A request sees nothing that was over when it came.
    pub(crate) fn sweep(&self) {
        if self.is_sweep_due()
            && let Err(outcome) = self.services.sweep(&self.repository)
        {
            tracing::error!(%outcome, "holds that are over keep their slots");
        }
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
            while stopped.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
                state.sweep();
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
