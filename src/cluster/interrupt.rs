//! Ctrl-C and SIGTERM: the first ends the waits, so that what was changed is put back; a second stops at once.

use std::{io, sync::Arc};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// How often, and how, a grade was asked to stop. Clones are the same.
#[derive(Clone, Debug)]
pub struct Interrupt(Arc<watch::Sender<Asked>>);

#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    times: u8,
    by: Option<Signal>,
}

/// By which signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl Interrupt {
    /// Nobody asks, unless [`Interrupt::ask`] does.
    #[must_use]
    pub fn never() -> Self {
        Self(Arc::new(watch::Sender::new(Asked::default())))
    }

    /// Listens for Ctrl-C and SIGTERM from now on.
    ///
    /// # Errors
    /// The system does not let us listen.
    pub fn by_signals() -> io::Result<Self> {
        let (mut int, mut term) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let interrupt = Self::never();
        let heard = interrupt.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = int.recv() => heard.ask(Signal::Interrupt),
                    _ = term.recv() => heard.ask(Signal::Terminate),
                }
            }
        });
        Ok(interrupt)
    }

    /// Asks to stop, as a signal does.
    pub fn ask(&self, by: Signal) {
        self.0.send_modify(|asked| *asked = Asked { times: asked.times.saturating_add(1), by: Some(asked.by.unwrap_or(by)) });
    }

    /// By what it was asked first, if it was.
    #[must_use]
    pub fn asked(&self) -> Option<Signal> {
        self.0.borrow().by
    }

    /// Waits for the first time.
    pub async fn first(&self) {
        self.times(1).await;
    }

    /// Waits for the second time.
    pub async fn second(&self) {
        self.times(2).await;
    }

    async fn times(&self, times: u8) {
        let mut asked = self.0.subscribe();
        // The sender lives as long as `self`, so this only ends when it is so.
        let _ = asked.wait_for(|asked| asked.times >= times).await;
    }
}
