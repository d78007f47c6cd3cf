//! The entries of the user-segments feed, column by column.
//!
//! In scope: 23 bytes per user in memory and on disk, lookup by binary search, writing lines.
//! Out of scope: how placements are made and compared.

use std::io::{self, Write};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::rule::PPM;
use crate::clock;
use crate::entries::{Defect, Entries, PENDING};

/// Segments of one table: a line looks its name up by scanning, and nobody can use hundreds.
pub const MAX_SEGMENTS: usize = 64;

/// Id and name of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Stable number.
    pub id: u16,
    /// Name for people.
    pub name: String,
}

/// One user's entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub user_id: u64,
    /// One of the table's segments.
    pub segment_id: u16,
    /// Parts per million.
    pub score_ppm: u32,
    /// Parts per million.
    pub confidence_ppm: u32,
    /// Last change, unix seconds or [`PENDING`].
    pub updated_at: u32,
    /// The user is gone; the other fields are the last known ones.
    pub is_deleted: bool,
}

/// All users, ascending.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Table {
    segments: Vec<Segment>,
    user_ids: Vec<u64>,
    segment_ids: Vec<u16>,
    scores_ppm: Vec<u32>,
    confidences_ppm: Vec<u32>,
    updated_at: Vec<u32>,
    is_deleted: Vec<bool>,
}

/// One line of a key lookup. Servers before 25.8 quote 64-bit numbers.
#[derive(Debug, Deserialize)]
pub struct UserKey {
    #[serde(deserialize_with = "bare_or_quoted")]
    user_id: u64,
}

fn bare_or_quoted<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number<'a> {
        Bare(u64),
        Quoted(&'a str),
    }
    match Number::deserialize(deserializer)? {
        Number::Bare(number) => Ok(number),
        Number::Quoted(text) => text.parse().map_err(D::Error::custom),
    }
}

impl Table {
    /// An empty table with room for `users`.
    pub fn with_capacity(segments: Vec<Segment>, users: usize) -> Self {
        Self {
            segments,
            user_ids: Vec::with_capacity(users),
            segment_ids: Vec::with_capacity(users),
            scores_ppm: Vec::with_capacity(users),
            confidences_ppm: Vec::with_capacity(users),
            updated_at: Vec::with_capacity(users),
            is_deleted: Vec::with_capacity(users),
        }
    }

    /// Appends an entry. [`Entries::check`] finds users that are out of order.
    pub fn push(&mut self, entry: Entry) {
        self.user_ids.push(entry.user_id);
        self.segment_ids.push(entry.segment_id);
        self.scores_ppm.push(entry.score_ppm);
        self.confidences_ppm.push(entry.confidence_ppm);
        self.updated_at.push(entry.updated_at);
        self.is_deleted.push(entry.is_deleted);
    }

    /// Gives back the room that growing has taken beyond the entries, up to as much again.
    pub fn shrink_to_fit(&mut self) {
        self.user_ids.shrink_to_fit();
        self.segment_ids.shrink_to_fit();
        self.scores_ppm.shrink_to_fit();
        self.confidences_ppm.shrink_to_fit();
        self.updated_at.shrink_to_fit();
        self.is_deleted.shrink_to_fit();
    }

    /// The entry at `index`, `None` past the end.
    pub fn get(&self, index: usize) -> Option<Entry> {
        Some(Entry {
            user_id: *self.user_ids.get(index)?,
            segment_id: self.segment_ids[index],
            score_ppm: self.scores_ppm[index],
            confidence_ppm: self.confidences_ppm[index],
            updated_at: self.updated_at[index],
            is_deleted: self.is_deleted[index],
        })
    }

    /// The name of a segment, `None` if the table has no such segment.
    pub fn segment_name(&self, id: u16) -> Option<&str> {
        let segment = self.segments.iter().find(|segment| segment.id == id)?;
        Some(&segment.name)
    }

    /// Users that are not deleted, user 0 included.
    pub fn live_users(&self) -> usize {
        self.is_deleted.iter().filter(|deleted| !**deleted).count()
    }

    /// Live users by segment name, also the segments without any.
    pub fn count_by_segment(&self) -> impl Iterator<Item = (&str, usize)> {
        let mut counts = vec![0_usize; self.segments.len()];
        for (id, _) in self.segment_ids.iter().zip(&self.is_deleted).filter(|pair| !pair.1) {
            if let Some(at) = self.segments.iter().position(|segment| segment.id == *id) {
                counts[at] += 1;
            }
        }
        let names = self.segments.iter().map(|segment| segment.name.as_str());
        names.zip(counts)
    }
}

impl Entries for Table {
    const FEED: &'static str = "user-segments";
    const SCHEMA_VERSION: u32 = 1;
    type Key = UserKey;

    fn len(&self) -> usize {
        self.user_ids.len()
    }

    fn updated_at(&self, index: usize) -> u32 {
        self.updated_at[index]
    }

    fn stamp(&mut self, at: u32) {
        for updated_at in self.updated_at.iter_mut().filter(|at| **at == PENDING) {
            *updated_at = at;
        }
    }

    fn write_entry(&self, index: usize, out: &mut Vec<u8>) {
        let segment_id = self.segment_ids[index];
        out.extend_from_slice(b"{\"user_id\":");
        out.extend_from_slice(itoa::Buffer::new().format(self.user_ids[index]).as_bytes());
        out.extend_from_slice(b",\"segment_id\":");
        out.extend_from_slice(itoa::Buffer::new().format(segment_id).as_bytes());
        // `check` lets only names through that need no escape in JSON.
        out.extend_from_slice(b",\"segment_name\":\"");
        out.extend_from_slice(self.segment_name(segment_id).unwrap_or_default().as_bytes());
        out.extend_from_slice(b"\",\"score\":");
        write_share(self.scores_ppm[index], out);
        out.extend_from_slice(b",\"confidence\":");
        write_share(self.confidences_ppm[index], out);
        out.extend_from_slice(b",\"last_updated\":\"");
        clock::write_utc(self.updated_at[index], out);
        out.extend_from_slice(b"\",\"deleted\":");
        out.push(if self.is_deleted[index] { b'1' } else { b'0' });
        out.extend_from_slice(b"}\n");
    }

    fn find(&self, key: &UserKey) -> Option<usize> {
        self.user_ids.binary_search(&key.user_id).ok()
    }

    fn check(&self) -> Result<(), Defect> {
        if self.user_ids.is_empty() {
            return Err(Defect::new("user_id", "at least one user", "none"));
        }
        if let Some(pair) = self.user_ids.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(Defect::new("user_id", "each user once, ascending", pair[1]));
        }
        check_segments(&self.segments)?;
        if let Some(id) = self.segment_ids.iter().find(|id| self.segment_name(**id).is_none()) {
            return Err(Defect::new("segment_id", "a known segment", id));
        }
        for (field, shares) in [("score", &self.scores_ppm), ("confidence", &self.confidences_ppm)] {
            if let Some(share) = shares.iter().find(|share| **share > PPM) {
                return Err(Defect::new(field, "at most 1000000 ppm", share));
            }
        }
        Ok(())
    }

    fn encode(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer(&mut *out, &self.segments)?;
        out.write_all(b"\n")?;
        write_column(&self.user_ids, u64::to_le_bytes, out)?;
        write_column(&self.segment_ids, u16::to_le_bytes, out)?;
        write_column(&self.scores_ppm, u32::to_le_bytes, out)?;
        write_column(&self.confidences_ppm, u32::to_le_bytes, out)?;
        write_column(&self.updated_at, u32::to_le_bytes, out)?;
        write_column(&self.is_deleted, |value| [u8::from(value)], out)
    }

    fn decode(bytes: &[u8]) -> Result<Self, Defect> {
        let damaged = || Defect::new("table", "segments and 23 bytes per user", "another length");
        let line_end = bytes.iter().position(|&byte| byte == b'\n').ok_or_else(damaged)?;
        let segments = serde_json::from_slice(&bytes[..line_end])
            .map_err(|error| Defect::new("segments", "id and name of each", error))?;
        let mut columns = &bytes[line_end + 1..];
        let users = columns.len() / ENTRY_BYTES;
        if !columns.len().is_multiple_of(ENTRY_BYTES) {
            return Err(damaged());
        }
        let read = || {
            Some(Self {
                segments,
                user_ids: read_column(&mut columns, users, u64::from_le_bytes)?,
                segment_ids: read_column(&mut columns, users, u16::from_le_bytes)?,
                scores_ppm: read_column(&mut columns, users, u32::from_le_bytes)?,
                confidences_ppm: read_column(&mut columns, users, u32::from_le_bytes)?,
                updated_at: read_column(&mut columns, users, u32::from_le_bytes)?,
                is_deleted: read_column(&mut columns, users, |[byte]| byte != 0)?,
            })
        };
        let table = read().ok_or_else(damaged)?;
        table.check()?;
        Ok(table)
    }
}

const ENTRY_BYTES: usize = 8 + 2 + 4 + 4 + 4 + 1;

fn check_segments(segments: &[Segment]) -> Result<(), Defect> {
    if segments.len() > MAX_SEGMENTS {
        return Err(Defect::new("segments", "at most 64", segments.len()));
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_- ".contains(&byte);
    match segments.iter().find(|segment| segment.name.is_empty() || !segment.name.bytes().all(is_plain)) {
        Some(segment) => Err(Defect::new("segment_name", "letters, digits, _ - and space", &segment.name)),
        None => Ok(()),
    }
}

fn write_column<T: Copy, const N: usize>(column: &[T], bytes: fn(T) -> [u8; N], out: &mut dyn Write) -> io::Result<()> {
    // In blocks, because `out` is a dynamic call per write.
    const BLOCK_VALUES: usize = 4096;
    for block in column.chunks(BLOCK_VALUES) {
        let coded: Vec<u8> = block.iter().flat_map(|value| bytes(*value)).collect();
        out.write_all(&coded)?;
    }
    Ok(())
}

fn read_column<T, const N: usize>(columns: &mut &[u8], users: usize, value: fn([u8; N]) -> T) -> Option<Vec<T>> {
    let (column, rest) = columns.split_at_checked(users.checked_mul(N)?)?;
    *columns = rest;
    let (values, _) = column.as_chunks::<N>();
    Some(values.iter().map(|bytes| value(*bytes)).collect())
}

/// Writes parts per million as a decimal fraction: exact, and four times as fast as a float.
fn write_share(ppm: u32, out: &mut Vec<u8>) {
    if ppm >= PPM {
        out.push(b'1');
        return;
    }
    out.extend_from_slice(b"0.");
    let mut unit = PPM / 10;
    while unit > 0 {
        out.push(b'0' + u8::try_from(ppm / unit % 10).unwrap_or(0));
        unit /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::{Entry, PPM, Segment, Table};
    use crate::entries::Entries;

    const ENTRY: Entry =
        Entry { user_id: 7, segment_id: 1, score_ppm: 0, confidence_ppm: 0, updated_at: 0, is_deleted: false };

    fn table(name: &str, entries: &[Entry]) -> Table {
        let mut table = Table::with_capacity(vec![Segment { id: 1, name: name.to_owned() }], entries.len());
        for entry in entries {
            table.push(*entry);
        }
        table
    }

    #[test]
    fn a_table_that_would_mislead_a_dictionary_is_refused() {
        assert!(table("loyal", &[ENTRY]).check().is_ok());
        let refusal = |table: Table| table.check().unwrap_err().field;
        assert_eq!(refusal(table("loyal", &[])), "user_id");
        assert_eq!(refusal(table("loyal", &[ENTRY, ENTRY])), "user_id");
        assert_eq!(refusal(table("loyal", &[ENTRY, Entry { user_id: 6, ..ENTRY }])), "user_id");
        assert_eq!(refusal(table("loyal", &[Entry { segment_id: 2, ..ENTRY }])), "segment_id");
        assert_eq!(refusal(table("loyal", &[Entry { score_ppm: PPM + 1, ..ENTRY }])), "score");
        assert_eq!(refusal(table("loyal", &[Entry { confidence_ppm: PPM + 1, ..ENTRY }])), "confidence");
        for name in ["", "say \"hi\"", "a\\b", "two\nlines", "é"] {
            assert_eq!(refusal(table(name, &[ENTRY])), "segment_name", "{name:?}");
        }
    }

    #[test]
    fn shares_are_exact_decimals() {
        for (ppm, expected) in [(0, 0.0), (1, 0.000_001), (250_000, 0.25), (PPM - 1, 0.999_999), (PPM, 1.0)] {
            let mut line = Vec::new();
            table("loyal", &[Entry { score_ppm: ppm, ..ENTRY }]).write_entry(0, &mut line);
            let line: serde_json::Value = serde_json::from_slice(&line).unwrap();
            assert_eq!(line["score"].as_f64(), Some(expected));
        }
    }
}
