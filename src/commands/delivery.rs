//! Writing a report while other work goes on: nobody may keep a set from being put back by not
//! reading, be it a pager, a stopped terminal or a CI step that hangs.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use tokio::sync::oneshot;

use crate::{
    cluster::{Failure, Interrupt, Signal},
    commands::{
        fail,
        outputs::{Pages, unwritable},
        print,
        session::exit_of_signal,
        tell,
    },
    exit::Exit,
    report::ReportFiles,
};

/// For so long nothing else is done: a terminal then shows the report whole, and after it what else
/// there is to tell.
const AT_ONCE: Duration = Duration::from_secs(1);

/// What is written: files, and a page to standard output.
pub(super) struct Documents {
    pub(super) files: ReportFiles,
    pub(super) pages: Pages,
}

impl Documents {
    /// Files first: a reader of standard output that is slow, or gone, takes nothing from them.
    pub(super) fn write(&mut self) -> Result<(), Failure> {
        let files = self.files.write(&self.pages.files).map_err(|it| unwritable(&it));
        files.and(print(&self.pages.stdout).map_err(|it| stdout_failure(&it)))
    }
}

fn stdout_failure(error: &io::Error) -> Failure {
    Failure::new(
        "stdout",
        format!("failed to write the report: {error}"),
        "Make room where standard output goes, and run it again.",
    )
}

/// A report that is being written.
pub(super) struct Delivery {
    /// What the report means to the caller, once it is written.
    meaning: Exit,
    written: Written,
}

enum Written {
    Not { documents: Arc<Mutex<Documents>>, end: oneshot::Receiver<Result<(), Failure>> },
    Done(Result<(), Failure>),
}

impl Delivery {
    /// Begins to write, in a thread of its own, and returns when that is done or takes long.
    pub(super) async fn begin(documents: Documents, meaning: Exit) -> Self {
        Self::begin_with(documents, meaning, Documents::write).await
    }

    async fn begin_with(
        documents: Documents,
        meaning: Exit,
        write: impl FnOnce(&mut Documents) -> Result<(), Failure> + Send + 'static,
    ) -> Self {
        let documents = Arc::new(Mutex::new(documents));
        let (sender, mut end) = oneshot::channel();
        let of_thread = Arc::clone(&documents);
        // Where no thread can be started, the sender is dropped. Nobody waits for the thread itself:
        // it ends with the process.
        let _ = thread::Builder::new().spawn(move || {
            let written = write(&mut of_thread.lock().unwrap_or_else(PoisonError::into_inner));
            let _ = sender.send(written);
        });
        let written = match tokio::time::timeout(AT_ONCE, &mut end).await {
            Ok(Ok(written)) => Written::Done(written),
            Ok(Err(_)) | Err(_) => Written::Not { documents, end },
        };
        Self { meaning, written }
    }

    /// Waits until all is written, or until a signal comes from now on; what the report means to the
    /// caller. Why it could not be written is told.
    pub(super) async fn end(self, interrupt: &Interrupt) -> Exit {
        let written = match self.written {
            Written::Done(written) => written,
            Written::Not { documents, end } => tokio::select! {
                biased;
                written = end => written.unwrap_or_else(|_| {
                    documents.lock().unwrap_or_else(PoisonError::into_inner).write()
                }),
                () = interrupt.next() => {
                    tell("interrupted: nobody read the report to its end\n");
                    return exit_of_signal(interrupt.signal().unwrap_or(Signal::INTERRUPT));
                }
            },
        };
        match written {
            Ok(()) => self.meaning,
            Err(failure) => fail(&failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::{Delivery, Documents, Exit, Failure, Interrupt, Pages, ReportFiles, Signal};

    fn nothing() -> Documents {
        Documents { files: ReportFiles::default(), pages: Pages::default() }
    }

    /// Catches a pager that keeps a set from being put back, and a run that ends before its report
    /// is read.
    #[tokio::test]
    async fn a_reader_that_waits_holds_up_only_the_end() {
        let (read, is_read) = mpsc::channel();
        let write = move |_: &mut Documents| {
            is_read.recv().unwrap();
            Ok(())
        };
        let delivery = Delivery::begin_with(nothing(), Exit::Lost, write).await;
        // What is put back, is by now.
        let interrupt = Interrupt::never();
        let end = tokio::spawn(async move { delivery.end(&interrupt).await });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!end.is_finished());
        read.send(()).unwrap();
        assert_eq!(end.await.unwrap(), Exit::Lost);
    }

    /// Catches a run that only SIGKILL ends, because nobody reads; and one that a signal ends which
    /// came while it put everything back.
    #[tokio::test]
    async fn a_signal_ends_the_wait_for_a_reader() {
        let (_never, is_read) = mpsc::channel::<()>();
        let write = move |_: &mut Documents| {
            let _ = is_read.recv();
            Ok(())
        };
        let delivery = Delivery::begin_with(nothing(), Exit::Good, write).await;
        let interrupt = Interrupt::never();
        interrupt.raise(Signal::TERMINATE);
        let heard = interrupt.clone();
        let end = tokio::spawn(async move { delivery.end(&heard).await });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!end.is_finished());
        interrupt.raise(Signal::TERMINATE);
        assert_eq!(end.await.unwrap(), Exit::Stopped(15));
    }

    /// Catches a report that was not written and that is told to be.
    #[tokio::test]
    async fn what_cannot_be_written_is_told_by_the_exit_code() {
        let interrupt = Interrupt::never();
        let fails = |_: &mut Documents| Err(Failure::new("stdout", "no room", "Make room."));
        let delivery = Delivery::begin_with(nothing(), Exit::Good, fails).await;
        assert_eq!(delivery.end(&interrupt).await, Exit::CouldNot);
        let delivery = Delivery::begin_with(nothing(), Exit::Lost, |_| Ok(())).await;
        assert_eq!(delivery.end(&interrupt).await, Exit::Lost);
    }
}
