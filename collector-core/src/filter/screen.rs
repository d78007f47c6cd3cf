//! Screens that no device has.
//!
//! In scope: sizes that cannot be. Out of scope: sizes that are only rare.

use std::borrow::Cow;

use crate::event::Event;
use crate::filter::Signal;

/// The longest side of a real screen, in pixels: 16K.
const MAX_SCREEN_PX: u16 = 15_360;

/// The shortest side of a screen that shows web pages, in pixels; watches have 136, old phones 96.
const MIN_SCREEN_PX: u16 = 64;

/// Adds the signal of the screen.
pub fn check(event: &Event<'_>, signals: &mut Vec<Signal>) {
    let (width, height) = event.screen;
    let is_possible = |side: u16| (MIN_SCREEN_PX..=MAX_SCREEN_PX).contains(&side);
    if event.screen != (0, 0) && !(is_possible(width) && is_possible(height)) {
        signals.push(Cow::Borrowed("screen:impossible"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::fixture::signals_of;

    #[test]
    fn impossible_screens_are_a_signal() {
        for (screen, expected) in [
            ("1920x1080", &[][..]),
            ("15360x8640", &[]),
            ("136x170", &[]),
            ("", &[]),
            ("0x1080", &["screen:impossible"]),
            ("20000x1080", &["screen:impossible"]),
            ("1x1", &["screen:impossible"]),
        ] {
            let json = format!(r#"{{"event_type":"login","screen":"{screen}"}}"#);
            assert_eq!(signals_of(&json, check), expected, "{screen}");
        }
    }
}
