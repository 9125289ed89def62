//! Standard error. While work on a cluster goes on, a thread of its own writes: nobody may keep a set
//! from being put back, or a Lease from being renewed, by not reading, be it a stopped terminal
//! (Ctrl-S) or a pager.

use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::sync::oneshot;

/// For so long a text is waited for, so that it stands before what is done next.
const AT_ONCE: Duration = Duration::from_secs(1);
/// More than this is not kept for a reader that does not read; what comes later is left out.
const MAX_KEPT_BYTES: usize = 1 << 20;

/// The thread, once there is one.
static THREAD: OnceLock<WriterThread> = OnceLock::new();
/// The thread writes.
static IS_USED: AtomicBool = AtomicBool::new(false);

/// Writes a text. An error is ignored, because nobody could be told of it.
pub fn write(text: &str) {
    match thread_in_use() {
        Some(thread) => thread.write(text),
        None => write_here(text),
    }
}

/// Whether somebody does not read what was written before: what is soon out of date is better left
/// out.
#[must_use]
pub fn is_behind() -> bool {
    thread_in_use().is_some_and(WriterThread::is_behind)
}

/// Has all that follows written by the thread. Where none can be started, it is written as before.
pub fn use_thread() {
    if THREAD.get().is_none()
        && let Some(thread) = WriterThread::start(write_here)
    {
        let _ = THREAD.set(thread);
    }
    IS_USED.store(THREAD.get().is_some(), Ordering::Relaxed);
}

/// Waits until all is written. What follows is written as before there was a thread.
pub async fn finish() {
    if let Some(thread) = thread_in_use() {
        thread.written().await;
        IS_USED.store(false, Ordering::Relaxed);
    }
}

fn thread_in_use() -> Option<&'static WriterThread> {
    THREAD.get().filter(|_| IS_USED.load(Ordering::Relaxed))
}

fn write_here(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// A thread that writes what it is given, in order.
struct WriterThread(Arc<Shared>);

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    texts: VecDeque<String>,
    kept_bytes: usize,
    /// A text is being written.
    is_writing: bool,
    /// A text was waited for in vain, and is not written yet.
    is_behind: bool,
    /// Whoever waits until all is written.
    waiting: Vec<oneshot::Sender<()>>,
}

impl Queue {
    fn is_done(&self) -> bool {
        self.texts.is_empty() && !self.is_writing
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WriterThread {
    /// `None` where no thread can be started.
    fn start(mut write: impl FnMut(&str) + Send + 'static) -> Option<Self> {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        // Nobody waits for the thread itself: it ends with the process.
        let work = move || {
            loop {
                let queue = of_thread.lock();
                let is_empty = |queue: &mut Queue| queue.texts.is_empty();
                let waited = of_thread.changed.wait_while(queue, is_empty);
                let mut queue = waited.unwrap_or_else(PoisonError::into_inner);
                let Some(text) = queue.texts.pop_front() else { continue };
                queue.is_writing = true;
                drop(queue);
                write(&text);
                let mut queue = of_thread.lock();
                queue.is_writing = false;
                queue.kept_bytes -= text.len();
                if queue.is_done() {
                    queue.is_behind = false;
                    for waiting in queue.waiting.drain(..) {
                        let _ = waiting.send(());
                    }
                }
                of_thread.changed.notify_all();
            }
        };
        thread::Builder::new().spawn(work).ok().map(|_| Self(shared))
    }

    /// Waits until the text is written, unless that takes long, or one before it was waited for in
    /// vain.
    fn write(&self, text: &str) {
        let mut queue = self.0.lock();
        if queue.is_behind && queue.kept_bytes + text.len() > MAX_KEPT_BYTES {
            return;
        }
        queue.kept_bytes += text.len();
        queue.texts.push_back(text.to_owned());
        self.0.changed.notify_all();
        if queue.is_behind {
            return;
        }
        let is_busy = |queue: &mut Queue| !queue.is_done();
        let waited = self.0.changed.wait_timeout_while(queue, AT_ONCE, is_busy);
        let (mut queue, end) = waited.unwrap_or_else(PoisonError::into_inner);
        queue.is_behind = end.timed_out() && !queue.is_done();
    }

    fn is_behind(&self) -> bool {
        self.0.lock().is_behind
    }

    /// Waits until all is written.
    async fn written(&self) {
        let (sender, receiver) = oneshot::channel();
        {
            let mut queue = self.0.lock();
            if queue.is_done() {
                return;
            }
            queue.waiting.push(sender);
        }
        let _ = receiver.await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc, Mutex,
        mpsc::{self, Sender},
    };

    use super::{MAX_KEPT_BYTES, WriterThread};

    /// A thread that writes to a reader who reads a text for each `()` that is sent.
    fn stopped_reader() -> (WriterThread, Sender<()>, Arc<Mutex<String>>) {
        let (read, is_read) = mpsc::channel();
        let screen = Arc::new(Mutex::new(String::new()));
        let of_thread = Arc::clone(&screen);
        let thread = WriterThread::start(move |text| {
            is_read.recv().unwrap();
            of_thread.lock().unwrap().push_str(text);
        });
        (thread.unwrap(), read, screen)
    }

    /// Catches a stopped terminal that holds up a grade, what is lost or out of order because of it,
    /// and a program that ends before all is read.
    #[tokio::test]
    async fn who_does_not_read_holds_up_only_the_end() {
        let (thread, read, screen) = stopped_reader();
        thread.write("one ");
        assert!(thread.is_behind());
        thread.write("two ");
        thread.write("three");
        assert_eq!(*screen.lock().unwrap(), "");
        let mut end = Box::pin(thread.written());
        assert!(futures::poll!(&mut end).is_pending());
        for _ in 0..3 {
            read.send(()).unwrap();
        }
        end.await;
        assert_eq!(*screen.lock().unwrap(), "one two three");
        assert!(!thread.is_behind(), "it would be behind for ever");
    }

    /// Catches a text that stands behind what was done after it.
    #[tokio::test]
    async fn what_is_read_at_once_is_written_when_the_call_returns() {
        let (thread, read, screen) = stopped_reader();
        for text in ["one ", "two"] {
            read.send(()).unwrap();
            thread.write(text);
        }
        assert_eq!(*screen.lock().unwrap(), "one two");
        thread.written().await;
    }

    /// Catches memory without a bound for a reader that never reads.
    #[tokio::test]
    async fn no_more_is_kept_than_a_bound() {
        let (thread, read, screen) = stopped_reader();
        let text = "x".repeat(MAX_KEPT_BYTES / 2);
        for _ in 0..3 {
            thread.write(&text);
        }
        for _ in 0..2 {
            read.send(()).unwrap();
        }
        thread.written().await;
        assert_eq!(screen.lock().unwrap().len(), MAX_KEPT_BYTES);
        read.send(()).unwrap();
        thread.write("again");
        assert!(screen.lock().unwrap().ends_with("again"));
    }
}
