//! The frame by which the Worker hands rows to a Batcher, and the Batcher's answer.
//!
//! In scope: the bytes of both, with limits. Out of scope: sending them (the shell), what the Batcher does with them.
//!
//! Frame: magic, version; ledger entries; lines; the visitors of the lines, if any is counted. All numbers are little-endian; texts and lines carry
//! their length. The lines themselves are `JSONEachRow` lines, so that what is stored first is already what ClickHouse will read.

use std::borrow::Cow;

use thiserror::Error;
use uuid::Uuid;

use crate::account::Account;
use crate::ledger::{Key, Ledger, MAX_ENTRIES};
use crate::outcome::Outcome;
use crate::pipeline::MAX_ROWS;

/// The most lines of one frame: all rows of a beacon.
pub const MAX_LINES: usize = MAX_ROWS;

/// The longest line, in bytes. A row of all the longest fields and properties, each byte escaped, stays below.
pub const MAX_LINE_BYTES: usize = 1_024 * 1_024;

/// The largest frame, in bytes: one blob row of a Durable Object holds 2 MB.
pub const MAX_FRAME_BYTES: usize = 1_500_000;

/// What a frame and an answer start with; the last byte is the version.
const MAGIC: [u8; 4] = *b"LFA\x01";

/// Why bytes are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// It starts with something else, or with another version.
    #[error("expected a frame of version 1, found something else")]
    Magic,
    /// It ends too early, or has bytes left over.
    #[error("expected the length that the frame states, found another")]
    Length,
    /// A count or length is over its limit.
    #[error("expected at most {limit} {what}, found more")]
    Limit {
        /// What is limited.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A text is not UTF-8, or a tag is not known.
    #[error("expected a known {what}, found another")]
    Value {
        /// What is not known.
        what: &'static str,
    },
}

/// One row in a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The row's id.
    pub event_id: Uuid,
    /// The site, for the ledger.
    pub site_id: Cow<'a, str>,
    /// Accepted or flagged, for the ledger.
    pub outcome: Outcome,
    /// The visitor whose events are counted with this row; 0 for none.
    pub visitor_id: u64,
    /// The `JSONEachRow` line, without a line end.
    pub json: Cow<'a, [u8]>,
}

/// What one append carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Append<'a> {
    /// The minute in which the rows are counted, in seconds since 1970.
    pub minute_s: u32,
    /// What the Worker counted: every row as received, and events that are no rows with their outcome.
    pub counts: Ledger,
    /// The rows.
    pub lines: Vec<Line<'a>>,
}

/// What became of one line in the Batcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is durable.
    Accepted,
    /// It is durable, and its visitor has sent more than a person does.
    AcceptedFast,
    /// Its id was durable already.
    Duplicate,
}

impl Taken {
    const ALL: [Self; 3] = [Self::Accepted, Self::AcceptedFast, Self::Duplicate];

    const fn letter(self) -> char {
        match self {
            Self::Accepted => 'a',
            Self::AcceptedFast => 'f',
            Self::Duplicate => 'd',
        }
    }
}

/// Writes a frame.
pub fn encode(append: &Append<'_>) -> Result<Vec<u8>, FrameError> {
    limit(append.lines.len(), MAX_LINES, "lines")?;
    let lines_bytes: usize = append.lines.iter().map(|line| line.json.len() + 128).sum();
    let mut frame = Vec::with_capacity(64 + append.counts.len() * 96 + lines_bytes);
    frame.extend_from_slice(&MAGIC);
    push_u32(&mut frame, append.minute_s as usize)?;
    push_u32(&mut frame, append.counts.len())?;
    for (key, count) in append.counts.iter() {
        push_u32(&mut frame, key.minute_s as usize)?;
        push_text(&mut frame, &key.site_id)?;
        push_account(&mut frame, key.account)?;
        frame.extend_from_slice(&count.to_le_bytes());
    }
    push_u32(&mut frame, append.lines.len())?;
    for line in &append.lines {
        limit(line.json.len(), MAX_LINE_BYTES, "bytes of a line")?;
        frame.extend_from_slice(line.event_id.as_bytes());
        push_text(&mut frame, &line.site_id)?;
        push_account(&mut frame, line.outcome.into())?;
        push_u32(&mut frame, line.json.len())?;
        frame.extend_from_slice(&line.json);
    }
    if append.lines.iter().any(|line| line.visitor_id != 0) {
        frame.extend(append.lines.iter().flat_map(|line| line.visitor_id.to_le_bytes()));
    }
    limit(frame.len(), MAX_FRAME_BYTES, "bytes of a frame")?;
    Ok(frame)
}

/// Reads a frame.
pub fn decode(frame: &[u8]) -> Result<Append<'_>, FrameError> {
    limit(frame.len(), MAX_FRAME_BYTES, "bytes of a frame")?;
    let mut rest = Rest(frame);
    if rest.take(MAGIC.len())? != MAGIC {
        return Err(FrameError::Magic);
    }
    let minute_s = rest.u32()?;
    let mut counts = Ledger::default();
    // One more than `MAX_ENTRIES` is a full ledger with its overflow entry per outcome; they are few.
    for _ in 0..rest.count(MAX_ENTRIES + 100, "ledger entries")? {
        let key = Key { minute_s: rest.u32()?, site_id: rest.text()?.to_owned(), account: rest.account()? };
        let count = rest.array::<8>().map(u64::from_le_bytes)?;
        counts.add(key.minute_s, &key.site_id, key.account, count);
    }
    let mut lines = Vec::new();
    for _ in 0..rest.count(MAX_LINES, "lines")? {
        let event_id = Uuid::from_bytes(rest.array()?);
        let site_id = Cow::Borrowed(rest.text()?);
        let Account::Ended(outcome) = rest.account()? else { return Err(FrameError::Value { what: "outcome" }) };
        let length = rest.count(MAX_LINE_BYTES, "bytes of a line")?;
        lines.push(Line { event_id, site_id, outcome, visitor_id: 0, json: Cow::Borrowed(rest.take(length)?) });
    }
    // A Worker of the version before sends none.
    if !rest.0.is_empty() {
        for line in &mut lines {
            line.visitor_id = rest.array().map(u64::from_le_bytes)?;
        }
    }
    if rest.0.is_empty() { Ok(Append { minute_s, counts, lines }) } else { Err(FrameError::Length) }
}

/// Writes counts alone, as the Batcher keeps them: a frame without lines.
pub fn encode_counts(counts: &Ledger) -> Result<Vec<u8>, FrameError> {
    encode(&Append { counts: counts.clone(), ..Append::default() })
}

/// Reads the counts of a frame.
pub fn decode_counts(frame: &[u8]) -> Result<Ledger, FrameError> {
    decode(frame).map(|append| append.counts)
}

/// The header that holds the Batcher's answer: one without a body costs a beacon less.
pub const ANSWER_HEADER: &str = "X-Landfall-Taken";

/// Writes the Batcher's answer: one letter per line, in order.
pub fn encode_answer(answers: &[Taken]) -> String {
    answers.iter().map(|taken| taken.letter()).collect()
}

/// Reads the Batcher's answer to a frame of `lines` lines.
pub fn decode_answer(answer: &str, lines: usize) -> Result<Vec<Taken>, FrameError> {
    if answer.len() != lines {
        return Err(FrameError::Length);
    }
    let taken = |letter| Taken::ALL.into_iter().find(|taken| taken.letter() == letter);
    answer.chars().map(|letter| taken(letter).ok_or(FrameError::Value { what: "answer" })).collect()
}

fn limit(found: usize, limit: usize, what: &'static str) -> Result<(), FrameError> {
    if found > limit { Err(FrameError::Limit { what, limit }) } else { Ok(()) }
}

fn push_u32(frame: &mut Vec<u8>, value: usize) -> Result<(), FrameError> {
    let value = u32::try_from(value).map_err(|_| FrameError::Length)?;
    frame.extend_from_slice(&value.to_le_bytes());
    Ok(())
}

/// Texts are ids and tags: a byte holds their length.
fn push_text(frame: &mut Vec<u8>, text: &str) -> Result<(), FrameError> {
    frame.push(u8::try_from(text.len()).map_err(|_| FrameError::Limit { what: "bytes of a text", limit: 255 })?);
    frame.extend_from_slice(text.as_bytes());
    Ok(())
}

fn push_account(frame: &mut Vec<u8>, account: Account) -> Result<(), FrameError> {
    push_text(frame, account.tag())?;
    push_text(frame, account.reason_tag())
}

/// What is left to read of a frame.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], FrameError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(FrameError::Length)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        self.take(N)?.try_into().map_err(|_| FrameError::Length)
    }

    fn u32(&mut self) -> Result<u32, FrameError> {
        self.array().map(u32::from_le_bytes)
    }

    fn count(&mut self, max: usize, what: &'static str) -> Result<usize, FrameError> {
        let count = usize::try_from(self.u32()?).map_err(|_| FrameError::Length)?;
        limit(count, max, what)?;
        Ok(count)
    }

    fn text(&mut self) -> Result<&'a str, FrameError> {
        let [length] = self.array()?;
        std::str::from_utf8(self.take(usize::from(length))?).map_err(|_| FrameError::Value { what: "text" })
    }

    fn account(&mut self) -> Result<Account, FrameError> {
        let (tag, reason_tag) = (self.text()?, self.text()?);
        Account::from_tags(tag, reason_tag).ok_or(FrameError::Value { what: "account" })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::outcome::{FilterReason, FlagReason};

    fn append() -> Append<'static> {
        let mut counts = Ledger::default();
        counts.add(60, "demo", Outcome::Filtered(FilterReason::Gpc), 3);
        let line = |id, outcome| Line {
            event_id: Uuid::from_u128(id),
            site_id: "demo".into(),
            outcome,
            visitor_id: 0,
            json: b"{\"a\":1}"[..].into(),
        };
        Append {
            minute_s: 60,
            counts,
            lines: vec![line(1, Outcome::Accepted(None)), line(2, Outcome::Flagged(FlagReason::Crawler))],
        }
    }

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        let frame = encode(&append()).unwrap();
        assert_eq!(decode(&frame), Ok(append()));
        let mut counted = append();
        counted.lines[1].visitor_id = u64::MAX - 1;
        assert_eq!(decode(&encode(&counted).unwrap()), Ok(counted));
        let counts = append().counts;
        assert_eq!(decode_counts(&encode_counts(&counts).unwrap()), Ok(counts));
        let answers = Taken::ALL;
        assert_eq!(decode_answer(&encode_answer(&answers), 3), Ok(answers.to_vec()));
        assert_eq!(decode_answer(&encode_answer(&answers), 2), Err(FrameError::Length));
        assert_eq!(decode_answer("x", 1), Err(FrameError::Value { what: "answer" }));
    }

    #[test]
    fn limits_hold_on_both_sides() {
        let mut large = append();
        large.lines[0].json = vec![b' '; MAX_LINE_BYTES + 1].into();
        assert_eq!(encode(&large), Err(FrameError::Limit { what: "bytes of a line", limit: MAX_LINE_BYTES }));
        let mut frame = encode(&append()).unwrap();
        frame[0] = b'X';
        assert_eq!(decode(&frame), Err(FrameError::Magic));
        let longer = [encode(&append()).unwrap(), vec![0]].concat();
        assert_eq!(decode(&longer), Err(FrameError::Length));
    }

    proptest! {
        #[test]
        fn a_cut_frame_is_refused(cut in 0_usize..300) {
            let mut counted = append();
            counted.lines[0].visitor_id = 7;
            let frame = encode(&counted).unwrap();
            // Without its last part it is a frame of the version before.
            prop_assume!(cut < frame.len() && cut != frame.len() - 16);
            prop_assert!(decode(&frame[..cut]).is_err());
        }

        #[test]
        fn any_bytes_give_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&[&MAGIC[..], &bytes].concat());
            let _ = decode_answer(&String::from_utf8_lossy(&bytes), 3);
        }
    }
}
