//! Group commit. In scope: collecting what arrives within a short window, so that one blob row holds it and one durable write answers
//! every waiting request. Out of scope: the write itself.

use std::mem;

use futures_channel::oneshot;

/// What has arrived since the last commit.
#[derive(Default)]
pub(crate) struct Window {
    pub(crate) rows: i64,
    /// Event ids, 16 bytes each.
    pub(crate) ids: Vec<u8>,
    /// JSONEachRow lines.
    pub(crate) lines: Vec<u8>,
    waiting: Vec<oneshot::Sender<bool>>,
}

impl Window {
    /// Whether nobody waits: the next one to arrive opens the window.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) fn push(&mut self, event_id: &[u8; 16], line: &[u8]) {
        self.rows += 1;
        self.ids.extend_from_slice(event_id);
        self.lines.extend_from_slice(line);
    }

    /// Resolves to whether the commit was durable.
    pub(crate) fn wait(&mut self) -> oneshot::Receiver<bool> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.push(sender);
        receiver
    }

    /// Closes the window: the next arrival opens a new one.
    pub(crate) fn take(&mut self) -> Self {
        mem::take(self)
    }

    /// Answers every waiting request.
    pub(crate) fn answer(self, is_durable: bool) {
        for sender in self.waiting {
            // Whoever has gone needs no answer.
            let _ = sender.send(is_durable);
        }
    }
}
