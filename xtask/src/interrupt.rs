//! Ctrl-C. In scope: one flag that every wait looks at, so that a command can clean up before it ends.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, bail};

static REQUESTED: AtomicBool = AtomicBool::new(false);
static INSTALLED: Once = Once::new();

/// From now on Ctrl-C and SIGTERM set a flag instead of ending the process at once. A second one ends it.
pub fn listen() {
    INSTALLED.call_once(|| {
        let handler = || {
            if REQUESTED.swap(true, Ordering::SeqCst) {
                std::process::exit(130);
            }
        };
        if let Err(error) = ctrlc::set_handler(handler) {
            // Ctrl-C then ends the process at once; what runs in the background is found by `cargo xtask down`.
            eprintln!("expected to listen for Ctrl-C, found: {error}");
        }
    });
}

/// Whether the user has asked to stop.
pub fn is_requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}

/// An error once the user has asked to stop: call it in every loop that waits.
pub fn check() -> Result<()> {
    if is_requested() {
        bail!("interrupted");
    }
    Ok(())
}
