//! How a request waits until what it tells of is on disk.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use fhir::Outcome;

/// The promise that an account is durable: awaited, or waited for on a thread. When it ends with a refusal nothing may be disclosed.
#[must_use = "nothing may be disclosed before the account is durable"]
pub struct Ticket {
    batch: Arc<Batch>,
    /// Where this one's waker stands.
    waker: Option<usize>,
}

/// Those who wait for the same commit.
#[derive(Default)]
pub(super) struct Batch {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    end: Option<Result<(), Outcome>>,
    wakers: Vec<Waker>,
}

impl Ticket {
    pub(super) fn of(batch: &Arc<Batch>) -> Ticket {
        Ticket { batch: batch.clone(), waker: None }
    }

    pub(super) fn refused(outcome: Outcome) -> Ticket {
        let batch = Arc::new(Batch::default());
        batch.end(Err(outcome));
        Ticket { batch, waker: None }
    }

    /// Waits on this thread.
    pub fn wait(self) -> Result<(), Outcome> {
        let state = self.batch.lock();
        let waits = |state: &mut State| state.end.is_none();
        let state = self.batch.ended.wait_while(state, waits).unwrap_or_else(PoisonError::into_inner);
        state.end.clone().unwrap_or(Ok(()))
    }
}

impl Future for Ticket {
    type Output = Result<(), Outcome>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let batch = self.batch.clone();
        let mut state = batch.lock();
        if let Some(end) = &state.end {
            return Poll::Ready(end.clone());
        }
        match self.waker {
            Some(at) => state.wakers[at].clone_from(context.waker()),
            None => {
                self.waker = Some(state.wakers.len());
                state.wakers.push(context.waker().clone());
            }
        }
        Poll::Pending
    }
}

impl Batch {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells all who wait, once.
    pub(super) fn end(&self, end: Result<(), Outcome>) {
        let wakers = {
            let mut state = self.lock();
            state.end.get_or_insert(end);
            std::mem::take(&mut state.wakers)
        };
        self.ended.notify_all();
        wakers.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use fhir::IssueType;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn wakes_everyone_once() {
        let batch = Arc::new(Batch::default());
        let woken: Vec<_> = (0..3).map(|_| Arc::new(Count::default())).collect();
        let mut tickets: Vec<_> = (0..3).map(|_| Ticket::of(&batch)).collect();
        let poll = |ticket: &mut Ticket, count: &Arc<Count>| {
            Pin::new(ticket).poll(&mut Context::from_waker(&Waker::from(count.clone())))
        };
        // Polled again by another waker, the last one counts.
        for count in [&woken[1], &woken[0]] {
            assert!(poll(&mut tickets[0], count).is_pending());
        }
        assert!(poll(&mut tickets[1], &woken[1]).is_pending());
        batch.end(Ok(()));
        let counts: Vec<_> = woken.iter().map(|count| count.0.load(Ordering::Relaxed)).collect();
        assert_eq!(counts, [1, 1, 0]);
        for ticket in &mut tickets {
            assert_eq!(poll(ticket, &woken[2]), Poll::Ready(Ok(())));
        }
        assert!(tickets.into_iter().all(|ticket| ticket.wait().is_ok()));
        let refused = Ticket::refused(Outcome::new(IssueType::Transient, "x"));
        assert_eq!(refused.wait().expect_err("refused").issues[0].code, IssueType::Transient);
    }
}
