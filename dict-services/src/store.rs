//! The last good snapshot on disk, so that a restart serves at once.
//!
//! In scope: one file per feed, replaced atomically, refused when it is damaged or of another version.
//! Out of scope: the layout of the content, which belongs to the entries.
//!
//! File: one JSON line (feed, schema, time), the content, then 32 bytes SHA-256 of everything before.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::entries::{Defect, Entries};

const DIGEST_BYTES: usize = 32;
const WRITE_BUFFER_BYTES: usize = 256 * 1024;

/// Why a snapshot could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refused.
    #[error("snapshot file {path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not a snapshot of this feed and version, or is damaged.
    #[error("snapshot file {path}: {defect}")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        defect: Defect,
    },
}

#[derive(Serialize, Deserialize)]
struct Header {
    feed: String,
    schema: u32,
    confirmed_at: u32,
}

/// Where one feed keeps its snapshot.
pub struct Store<E> {
    path: PathBuf,
    entries: PhantomData<fn() -> E>,
}

impl<E: Entries> Store<E> {
    /// Opens `folder`, creating it if it is not there.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let store = Self { path: folder.join(format!("{}.snapshot", E::FEED)), entries: PhantomData };
        fs::create_dir_all(folder).map_err(|source| store.io(source))?;
        Ok(store)
    }

    /// Reads the snapshot and the time it was confirmed at, `None` if there is no file.
    pub fn load(&self) -> Result<Option<(E, u32)>, StoreError> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(self.io(source)),
        };
        parse(&bytes).map(Some).map_err(|defect| StoreError::Damaged { path: self.path.clone(), defect })
    }

    /// Replaces the snapshot. Readers of the folder see the old file or the new one, also after a power cut.
    pub fn save(&self, entries: &E, confirmed_at: u32) -> Result<(), StoreError> {
        let draft = self.path.with_extension("draft");
        write(&draft, entries, confirmed_at)
            .and_then(|()| fs::rename(&draft, &self.path))
            .and_then(|()| match self.path.parent() {
                Some(folder) => File::open(folder)?.sync_all(),
                None => Ok(()),
            })
            .map_err(|source| {
                // Half a snapshot on a full disk would keep it full. If it is not there to be removed, all the better.
                let _ = fs::remove_file(&draft);
                self.io(source)
            })
    }

    fn io(&self, source: io::Error) -> StoreError {
        StoreError::Io { path: self.path.clone(), source }
    }
}

fn write<E: Entries>(path: &Path, entries: &E, confirmed_at: u32) -> io::Result<()> {
    let mut out =
        Hashing { inner: BufWriter::with_capacity(WRITE_BUFFER_BYTES, File::create(path)?), hasher: Sha256::new() };
    let header = Header { feed: E::FEED.to_owned(), schema: E::SCHEMA_VERSION, confirmed_at };
    serde_json::to_writer(&mut out, &header)?;
    out.write_all(b"\n")?;
    entries.encode(&mut out)?;
    let digest: [u8; DIGEST_BYTES] = out.hasher.finalize().into();
    out.inner.write_all(&digest)?;
    out.inner.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

fn parse<E: Entries>(bytes: &[u8]) -> Result<(E, u32), Defect> {
    let content_end = bytes
        .len()
        .checked_sub(DIGEST_BYTES)
        .ok_or_else(|| Defect::new("file", "a checksum", format!("{} bytes", bytes.len())))?;
    let (content, digest) = bytes.split_at(content_end);
    if Sha256::digest(content).as_slice() != digest {
        return Err(Defect::new("checksum", "that of the content", "another"));
    }
    let line_end =
        content.iter().position(|&byte| byte == b'\n').ok_or_else(|| Defect::new("header", "one line", "none"))?;
    let (line, rest) = content.split_at(line_end);
    let header: Header =
        serde_json::from_slice(line).map_err(|error| Defect::new("header", "feed, schema and confirmed_at", error))?;
    if header.feed != E::FEED {
        return Err(Defect::new("feed", E::FEED, header.feed));
    }
    if header.schema != E::SCHEMA_VERSION {
        return Err(Defect::new("schema", "the current version", header.schema));
    }
    let entries = E::decode(rest.get(1..).unwrap_or_default())?;
    Ok((entries, header.confirmed_at))
}

/// Hashes what passes through.
struct Hashing {
    inner: BufWriter<File>,
    hasher: Sha256,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
