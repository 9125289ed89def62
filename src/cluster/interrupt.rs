//! Signals that ask a program to end: the first ends the waits, so that what was changed is put
//! back; a second Ctrl-C, SIGQUIT or SIGTERM stops at once. What comes directly after another is no
//! second one: a wrapper passes a Ctrl-C on that the terminal has sent to all already.
//!
//! Every signal that ends a program by default is caught, as far as a program can: a closed
//! terminal must not leave a set with no pods. Not caught are SIGKILL, and the signals by which the
//! processor reports a fault of the program itself.

#[cfg(unix)]
use std::os::raw::c_int;
use std::{io, sync::Arc, time::Duration};

#[cfg(unix)]
use futures::{FutureExt as _, future::select_all};
#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};
use tokio::{sync::watch, time::Instant};

/// A signal that comes sooner after another is the same one: nobody has read what was said between.
const SAME_SIGNAL_WITHIN: Duration = Duration::from_secs(1);

/// How often, and how, a grade was asked to stop. Clones are the same.
#[derive(Clone, Debug)]
pub struct Interrupt(Arc<watch::Sender<SignalState>>);

#[derive(Clone, Copy, Debug, Default)]
struct SignalState {
    by: Option<Signal>,
    /// How often by any.
    times: u32,
    /// How often by a signal that a person repeats who wants the program to stop at once.
    insisted: u8,
    /// When by such a one last.
    insisted_at: Option<Instant>,
}

impl SignalState {
    fn add(&mut self, signal: Signal, now: Instant) {
        self.by.get_or_insert(signal);
        self.times = self.times.saturating_add(1);
        let is_same =
            self.insisted_at.is_some_and(|last| now.duration_since(last) < SAME_SIGNAL_WITHIN);
        if signal.insists() && !is_same {
            self.insisted = self.insisted.saturating_add(1);
            self.insisted_at = Some(now);
        }
    }
}

/// A signal, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal(u8);

impl Signal {
    /// SIGHUP: the terminal was closed.
    pub const HANGUP: Self = Self(1);
    /// SIGINT: Ctrl-C.
    pub const INTERRUPT: Self = Self(2);
    /// SIGQUIT: Ctrl-\.
    pub const QUIT: Self = Self(3);
    /// SIGTERM.
    pub const TERMINATE: Self = Self(15);

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Whether somebody who sends it again wants the program to stop at once. A closed terminal
    /// sends SIGHUP more than once, and no other signal is sent by a person who waits.
    const fn insists(self) -> bool {
        matches!(self, Self::INTERRUPT | Self::QUIT | Self::TERMINATE)
    }
}

/// A file became too large. The write that made it so fails, and that is told; nothing has
/// to end.
#[cfg(unix)]
const SIGXFSZ: c_int = 25;

/// The signals that end a program by default and can be caught. SIGPIPE is ignored: what cannot be
/// printed ends nothing.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn ending() -> Vec<c_int> {
    // HUP INT QUIT TRAP ABRT USR1 USR2 ALRM TERM STKFLT XCPU VTALRM PROF IO PWR SYS
    let named = [1, 2, 3, 5, 6, 10, 12, 14, 15, 16, 24, 26, 27, 29, 30, 31];
    // The real-time signals that the C library leaves to programs.
    named.into_iter().chain(34..64).collect()
}

/// The same elsewhere: HUP INT QUIT TRAP ABRT SYS ALRM TERM XCPU VTALRM PROF USR1 USR2.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
fn ending() -> Vec<c_int> {
    vec![1, 2, 3, 5, 6, 12, 14, 15, 24, 26, 27, 30, 31]
}

impl Interrupt {
    /// Nobody asks, unless [`Interrupt::raise`] does.
    #[must_use]
    pub fn never() -> Self {
        Self(Arc::new(watch::Sender::new(SignalState::default())))
    }

    /// Listens for all signals that end a program by default, from now on.
    ///
    /// # Errors
    /// The system does not let us listen for Ctrl-C or SIGTERM.
    #[cfg(unix)]
    pub fn by_signals() -> io::Result<Self> {
        let mut listeners = vec![];
        let hangup_is_ignored = is_ignored(Signal::HANGUP);
        for number in ending() {
            let asked = Signal(u8::try_from(number).unwrap_or_default());
            // `nohup` wants the program to go on when the terminal is closed.
            if asked == Signal::HANGUP && hangup_is_ignored {
                continue;
            }
            match signal(SignalKind::from_raw(number)) {
                Ok(listener) => listeners.push((asked, listener)),
                Err(error) if asked.insists() => return Err(error),
                // A signal that this system does not have.
                Err(_) => {}
            }
        }
        // Listened to and not answered, so that it does not end the program.
        let file_size = signal(SignalKind::from_raw(SIGXFSZ));
        let interrupt = Self::never();
        let heard = interrupt.clone();
        tokio::spawn(async move {
            let _file_size = file_size;
            loop {
                let next = listeners
                    .iter_mut()
                    .map(|(asked, listener)| async { (listener.recv().await, *asked) }.boxed());
                let ((_, asked), ..) = select_all(next).await;
                heard.raise(asked);
            }
        });
        Ok(interrupt)
    }

    /// Listens for what ends a program on Windows: Ctrl-C, Ctrl-Break, a closed console, and the
    /// end of the user's session.
    ///
    /// # Errors
    /// The system does not let us listen.
    #[cfg(windows)]
    pub fn by_signals() -> io::Result<Self> {
        use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};
        let (mut c, mut pause, mut close) = (ctrl_c()?, ctrl_break()?, ctrl_close()?);
        let mut shutdown = ctrl_shutdown()?;
        let interrupt = Self::never();
        let heard = interrupt.clone();
        tokio::spawn(async move {
            loop {
                let by = tokio::select! {
                    _ = c.recv() => Signal::INTERRUPT,
                    _ = pause.recv() => Signal::INTERRUPT,
                    _ = close.recv() => Signal::HANGUP,
                    _ = shutdown.recv() => Signal::TERMINATE,
                };
                heard.raise(by);
            }
        });
        Ok(interrupt)
    }

    /// Asks to stop, as a signal does.
    pub fn raise(&self, by: Signal) {
        self.0.send_modify(|asked| asked.add(by, Instant::now()));
    }

    /// By what it was asked first, if it was.
    #[must_use]
    pub fn signal(&self) -> Option<Signal> {
        self.0.borrow().by
    }

    /// Waits for the first signal.
    pub async fn first(&self) {
        self.wait(|asked| asked.by.is_some()).await;
    }

    /// Waits for a signal that comes from now on.
    pub async fn next(&self) {
        let before = self.0.borrow().times;
        self.wait(|asked| asked.times > before).await;
    }

    /// Waits until somebody insists.
    pub async fn second(&self) {
        self.wait(|asked| asked.insisted > 1).await;
    }

    /// Waits until somebody insists once more.
    pub async fn third(&self) {
        self.wait(|asked| asked.insisted > 2).await;
    }

    async fn wait(&self, such: impl FnMut(&SignalState) -> bool) {
        // `self` owns the sender, so `wait_for` returns only once it is so.
        let _ = self.0.subscribe().wait_for(such).await;
    }
}

/// Whether whoever started the program had it ignore a signal; known on Linux only.
#[cfg(unix)]
fn is_ignored(signal: Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (signal.number() - 1)) != 0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Interrupt, Signal, ending};

    /// Catches a closed terminal, which sends SIGHUP twice, that is taken for somebody in a hurry.
    #[tokio::test(start_paused = true)]
    async fn only_a_person_who_insists_stops_at_once() {
        for (signals, insisted) in [
            (vec![Signal::HANGUP, Signal::HANGUP, Signal(10)], 0),
            (vec![Signal::TERMINATE, Signal::HANGUP], 1),
            (vec![Signal::HANGUP, Signal::TERMINATE], 1),
            (vec![Signal::INTERRUPT, Signal::INTERRUPT], 2),
            (vec![Signal::INTERRUPT, Signal::TERMINATE], 2),
        ] {
            let interrupt = Interrupt::never();
            for signal in &signals {
                interrupt.raise(*signal);
                tokio::time::advance(Duration::from_secs(1)).await;
            }
            assert_eq!(
                (interrupt.0.borrow().insisted, interrupt.signal()),
                (insisted, signals.first().copied()),
                "{signals:?}"
            );
        }
    }

    /// Catches one Ctrl-C that stops a grade at once, with a set of no pods, because a wrapper passes
    /// it on or it is held down; and one that never does however often it comes.
    #[tokio::test(start_paused = true)]
    async fn what_comes_twice_is_asked_once() {
        let interrupt = Interrupt::never();
        for (pause, insisted) in [(0, 1), (10, 1), (980, 1), (10, 2), (900, 2), (200, 3)] {
            tokio::time::advance(Duration::from_millis(pause)).await;
            interrupt.raise(Signal::INTERRUPT);
            assert_eq!(interrupt.0.borrow().insisted, insisted, "after {pause} ms");
        }
    }

    #[tokio::test]
    async fn every_signal_is_listened_for() {
        for number in ending() {
            assert!(
                tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(number))
                    .is_ok(),
                "{number}"
            );
        }
        assert!(Interrupt::by_signals().is_ok());
    }
}
