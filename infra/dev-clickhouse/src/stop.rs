//! Stopping on a signal.
//!
//! In scope: SIGTERM and SIGINT end the engine's last statement, which reads a FIFO: closing our end of it is the end of the file.
//! Out of scope: what follows (the engine's command line closes the ports).

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

/// The engine waits for running statements when it closes. Longer than this and the process ends as after kill -9, which
/// `MergeTree` data survives.
const STOP_LIMIT_S: u64 = 8;
/// How often a late reader is looked for.
const CLOSE_POLL_MS: u64 = 50;

static REQUESTED: AtomicBool = AtomicBool::new(false);

#[derive(Debug, thiserror::Error)]
pub(crate) enum StopError {
    #[error("cannot block signals")]
    Signals(#[source] Errno),
    #[error("cannot create {path}")]
    Create { path: PathBuf, source: std::io::Error },
}

/// Whether a signal asked for the end.
pub(crate) fn was_requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}

/// Keeps the signals pending until the thread of `close_on_signal` fetches them. A mask is used and no handler, because the engine
/// could replace a handler.
pub(crate) fn block_signals() -> Result<(), StopError> {
    signals().thread_block().map_err(StopError::Signals)
}

fn signals() -> SigSet {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGTERM);
    signals.add(Signal::SIGINT);
    signals
}

/// The writing end of the FIFO that the engine reads.
pub(crate) struct Fifo {
    path: PathBuf,
    writer: File,
}

impl Fifo {
    /// A new FIFO at `path`; one that a killed process left is replaced.
    pub(crate) fn create(path: &Path) -> Result<Self, StopError> {
        let failed = |source| StopError::Create { path: path.to_owned(), source };
        if path.exists() {
            std::fs::remove_file(path).map_err(failed)?;
        }
        mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR).map_err(|errno| failed(errno.into()))?;
        // Read and write: opening for writing alone would wait for the reader.
        let writer = OpenOptions::new().read(true).write(true).open(path).map_err(failed)?;
        Ok(Self { path: path.to_owned(), writer })
    }

    /// Waits for a signal in a thread of its own.
    pub(crate) fn close_on_signal(self) {
        thread::spawn(move || {
            let signal = signals().wait();
            REQUESTED.store(true, Ordering::SeqCst);
            eprintln!("dev-clickhouse: stopping on {}", signal.map_or("an error of sigwait", Signal::as_str));
            self.close_for(Duration::from_secs(STOP_LIMIT_S));
            eprintln!("dev-clickhouse: still running {STOP_LIMIT_S} s after the signal; ending at once");
            std::process::exit(1);
        });
    }

    /// Closes the FIFO for a reader that is there and for one that only comes now: the engine may still be starting, and opening
    /// a FIFO without a writer would wait for ever. Without a reader, opening it this way fails at once.
    fn close_for(self, duration: Duration) {
        drop(self.writer);
        let deadline = Instant::now() + duration;
        while Instant::now() < deadline {
            drop(OpenOptions::new().write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&self.path));
            thread::sleep(Duration::from_millis(CLOSE_POLL_MS));
        }
    }
}
