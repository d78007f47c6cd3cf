//! The Worker's log. In scope: writing a line where Cloudflare expects one of its level. Out of scope: the line (`collector_core::log`).

use collector_core::log::{Level, Line};
use worker::{console_error, console_log};

/// Writes a line.
pub(crate) fn write(line: Line) {
    let level = line.level;
    let text = line.finish();
    match level {
        Level::Info => console_log!("{text}"),
        Level::Warn | Level::Alert => console_error!("{text}"),
    }
}

/// Writes that something failed that goes on by itself, or that its caller hears of.
pub(crate) fn warn(what: &str, error: &worker::Error) {
    write(Line::new(Level::Warn, what).error(error));
}
