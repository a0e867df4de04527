//! Waiting for the driver, which is asynchronous, on threads that may or may not be those of another runtime.

use std::future::Future;
use std::panic;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use tokio::runtime::{Builder, Handle, Runtime, RuntimeFlavor};
use tokio::task::{self, JoinHandle};

use crate::StoreError;

/// The threads on which the driver keeps its connections.
pub(super) struct Threads(Option<Runtime>);

const THREADS: usize = 2;

impl Threads {
    pub(super) fn start() -> Result<Threads, StoreError> {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(THREADS).thread_name("store-mongodb").enable_all();
        let runtime = builder.build();
        let runtime = runtime.map_err(|error| StoreError::Engine(format!("threads cannot be started: {error}")))?;
        Ok(Threads(Some(runtime)))
    }

    /// Begins what runs next to the driver's own tasks: it asks these for a connection, and for what comes over it, and from a caller's thread each
    /// such answer would wake that thread once. It goes on even if nobody waits for it.
    pub(super) fn begin<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.0.as_ref().expect("threads that run until they are dropped").spawn(future)
    }

    /// Waits for what was begun.
    pub(super) fn finish<T>(&self, begun: JoinHandle<T>) -> T {
        match self.wait(begun) {
            Ok(output) => output,
            Err(error) => panic::resume_unwind(error.into_panic()),
        }
    }

    /// Waits until the future is there, which the caller's thread drives. On a thread of another runtime, that runtime goes on with its other tasks meanwhile.
    pub(super) fn wait<F: Future>(&self, future: F) -> F::Output {
        let is_worker = Handle::try_current().is_ok_and(|other| other.runtime_flavor() == RuntimeFlavor::MultiThread);
        let wait = || {
            let _context = self.0.as_ref().map(Runtime::enter);
            park_until(future)
        };
        if is_worker { task::block_in_place(wait) } else { wait() }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // May be dropped where waiting for the threads is not allowed.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// `Runtime::block_on` panics on the threads of any runtime; this does not.
fn park_until<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    // Otherwise a task around this could use up its share of polls, and nothing here would ever be ready.
    let mut future = pin!(task::unconstrained(future));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answer(threads: &Threads) -> u32 {
        let runtime = threads.0.as_ref().expect("it runs");
        runtime.spawn(async { 42 }).await.expect("an answer")
    }

    #[test]
    fn waits_on_any_thread() {
        let threads = Threads::start().expect("threads");
        assert_eq!(threads.wait(answer(&threads)), 42);
        assert_eq!(threads.finish(threads.begin(async { 42 })), 42);
        let other = Builder::new_current_thread().build().expect("a runtime");
        assert_eq!(other.block_on(async { threads.wait(answer(&threads)) }), 42);
        let other = Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
        let threads = Arc::new(threads);
        let elsewhere = threads.clone();
        let on_a_worker = async move {
            // More often than the share of polls that a task has.
            (0..1_000).map(|_| elsewhere.wait(answer(&elsewhere))).sum::<u32>()
        };
        let on_a_worker = other.spawn(on_a_worker);
        assert_eq!(other.block_on(on_a_worker).expect("an answer"), 42_000);
        // Dropped on such a thread, too.
        other.block_on(async { drop(threads) });
    }
}
