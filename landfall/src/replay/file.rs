//! Rows from files. In scope: reading lines, a batch at a time, so that a file of any size needs little memory.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::{Line, Lines, ReplayError};

/// A line that is longer is cut here, and refused for its length.
const MAX_LINE_BYTES_READ: u64 = 2 * collector_core::append::MAX_LINE_BYTES as u64;

/// Hands over the lines of every file.
pub(super) fn read(
    paths: &[PathBuf],
    take: &mut dyn FnMut(Vec<Line>) -> Result<(), ReplayError>,
) -> Result<(), ReplayError> {
    let mut batch = Lines::default();
    for path in paths {
        let failed = |source| ReplayError::File { path: path.clone(), source };
        let mut reader = BufReader::new(File::open(path).map_err(failed)?);
        for number in 1_u64.. {
            let Some(text) = read_line(&mut reader).map_err(failed)? else { break };
            if !text.trim().is_empty() {
                batch.push(Line { origin: origin(path, number), text });
            }
            if batch.is_full() {
                take(batch.take())?;
            }
        }
    }
    take(batch.take())
}

/// The next line; `None` at the end. What is not UTF-8 becomes U+FFFD, as in the collector.
fn read_line(reader: &mut impl BufRead) -> std::io::Result<Option<String>> {
    let mut bytes = Vec::new();
    if reader.by_ref().take(MAX_LINE_BYTES_READ).read_until(b'\n', &mut bytes)? == 0 {
        return Ok(None);
    }
    if !bytes.ends_with(b"\n") && bytes.len() as u64 == MAX_LINE_BYTES_READ {
        reader.skip_until(b'\n')?;
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

fn origin(path: &Path, number: u64) -> String {
    format!("{}:{number}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_to_the_end_whatever_their_length() {
        let long = "x".repeat(usize::try_from(MAX_LINE_BYTES_READ).expect("a size") + 5);
        let text = format!("a\n{long}\nb");
        let mut reader = text.as_bytes();
        let mut lines = Vec::new();
        while let Some(line) = read_line(&mut reader).expect("bytes") {
            lines.push(line.len());
        }
        assert_eq!(lines, [2, usize::try_from(MAX_LINE_BYTES_READ).expect("a size"), 1]);
    }
}
