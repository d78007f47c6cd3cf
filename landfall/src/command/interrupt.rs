//! Ctrl-C and SIGTERM. In scope: one flag for a command that has something to give back before it ends.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a shell says of a command that Ctrl-C has ended.
pub(crate) const EXIT_CODE: u8 = 130;

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// From now on the first Ctrl-C sets the flag, which is returned, and a second one ends the process.
pub(crate) fn listen() -> &'static AtomicBool {
    let handler = || {
        if REQUESTED.swap(true, Ordering::Relaxed) {
            process::exit(EXIT_CODE.into());
        }
        eprintln!("ending behind this batch; again to end at once");
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        // Ctrl-C then ends the process at once.
        eprintln!("cannot listen for Ctrl-C: {error}");
    }
    &REQUESTED
}
