//! Sessions of visitors whose tracker sends none, and visitors who cross midnight.
//!
//! In scope: 30 minutes of inactivity end a session; a visitor keeps the id of the day on which the session began.
//! Out of scope: sessions that the tracker sends (they are stored as they come), remembering across isolates.
//!
//! Accuracy: an isolate knows only what it saw itself. Two isolates that first see a visitor within the same half hour give the session the
//! same id, because the id follows from visitor and half hour; otherwise a session may count twice.

use std::collections::HashMap;

use crate::enrich::visitor;

/// Inactivity that ends a session, in milliseconds.
pub const SESSION_MS: i64 = 30 * 60 * 1_000;

/// Sessions remembered at once, about 3 MB.
pub const MAX_SESSIONS: usize = 50_000;

/// A visitor and the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// The visitor, as of the day on which the session began.
    pub visitor_id: u64,
    /// The session's number.
    pub session_id: u64,
}

/// The sessions that one isolate has seen.
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    by_visitor: HashMap<u64, (i64, Session)>,
}

impl Sessions {
    /// The session of a visitor: `today` and `yesterday` are the visitor's ids by the two salts, 0 where a salt is gone.
    pub fn find(&mut self, today: u64, yesterday: u64, now_ms: i64) -> Session {
        for visitor_id in [today, yesterday] {
            let seen = self.by_visitor.get_mut(&visitor_id).filter(|(seen_ms, _)| is_active(*seen_ms, now_ms));
            if let Some((seen_ms, session)) = seen {
                *seen_ms = now_ms.max(*seen_ms);
                return *session;
            }
        }
        let window = now_ms.div_euclid(SESSION_MS);
        let session_id = visitor::hash(b"landfall session", &[&today.to_le_bytes(), &window.to_le_bytes()]);
        let session = Session { visitor_id: today, session_id };
        if today != 0 {
            self.remember(session, now_ms);
        }
        session
    }

    fn remember(&mut self, session: Session, now_ms: i64) {
        if self.by_visitor.len() >= MAX_SESSIONS {
            self.by_visitor.retain(|_, (seen_ms, _)| is_active(*seen_ms, now_ms));
        }
        // So many active visitors in one isolate: memory comes before accuracy.
        if self.by_visitor.len() >= MAX_SESSIONS {
            self.by_visitor.clear();
        }
        self.by_visitor.insert(session.visitor_id, (now_ms, session));
    }

    /// Number of sessions remembered, at most `MAX_SESSIONS`.
    pub fn len(&self) -> usize {
        self.by_visitor.len()
    }

    /// True if no session is remembered.
    pub fn is_empty(&self) -> bool {
        self.by_visitor.is_empty()
    }
}

fn is_active(seen_ms: i64, now_ms: i64) -> bool {
    now_ms.saturating_sub(seen_ms) <= SESSION_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDNIGHT_MS: i64 = 86_400_000;

    #[test]
    fn half_an_hour_without_events_ends_a_session() {
        let mut sessions = Sessions::default();
        let first = sessions.find(7, 0, 0);
        assert_eq!(sessions.find(7, 0, SESSION_MS), first);
        assert_eq!(sessions.find(7, 0, 2 * SESSION_MS), first, "each event prolongs it");
        assert_ne!(sessions.find(7, 0, 3 * SESSION_MS + 1).session_id, first.session_id);
        assert_ne!(sessions.find(8, 0, 0).session_id, first.session_id);
    }

    #[test]
    fn a_visitor_who_crosses_midnight_stays_the_same() {
        let mut sessions = Sessions::default();
        let before = sessions.find(7, 0, MIDNIGHT_MS - 60_000);
        assert_eq!(sessions.find(9, 7, MIDNIGHT_MS + 60_000), before);
        assert_eq!(sessions.find(9, 7, MIDNIGHT_MS + SESSION_MS), before);
        assert_eq!(sessions.find(9, 7, MIDNIGHT_MS + 5 * SESSION_MS).visitor_id, 9, "the next session is of today");
    }

    #[test]
    fn without_salts_nobody_is_remembered() {
        let mut sessions = Sessions::default();
        assert_eq!(sessions.find(0, 0, 0).visitor_id, 0);
        assert!(sessions.is_empty());
    }

    #[test]
    fn the_table_is_bounded() {
        let mut sessions = Sessions::default();
        for visitor in 1..=(MAX_SESSIONS as u64 + 10) {
            sessions.find(visitor, 0, 0);
        }
        assert!(sessions.len() <= MAX_SESSIONS);
    }

    #[test]
    fn two_isolates_agree_within_the_half_hour() {
        let find = |now_ms| Sessions::default().find(7, 0, now_ms);
        assert_eq!(find(0), find(SESSION_MS - 1));
    }
}
