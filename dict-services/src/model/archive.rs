//! The models on disk.
//!
//! In scope: one file per training, which of them is in use, how many are kept.
//! Out of scope: what is in them ([`super::artefact`]).
//!
//! `models/00000012.json` is the twelfth training, used or not. `models/current.json` names the one in use with its SHA-256. Both appear
//! whole or not at all, also after a power cut, so a service may read while a command trains.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::artefact::Model;
use crate::entries::Defect;

/// Trainings that are kept besides the one in use. At one a day this is a month.
pub const MAX_KEPT: usize = 30;
/// A model has some 20 KB. A file beyond this is not one.
const MAX_MODEL_BYTES: u64 = 4 * 1024 * 1024;

const CURRENT: &str = "current.json";

/// Why a model could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file system refused.
    #[error("model file {path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not a model of this version, or is damaged.
    #[error("model file {path}: {defect}")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        defect: Defect,
    },
}

/// Which model is in use.
#[derive(Serialize, Deserialize)]
struct Current {
    version: u32,
    sha256: String,
}

/// The folder of the models.
#[derive(Clone, Debug)]
pub struct Archive {
    folder: PathBuf,
}

impl Archive {
    /// Opens `models` in `data_dir`, creating it if it is not there.
    pub fn open(data_dir: &Path) -> Result<Self, ArchiveError> {
        let folder = data_dir.join("models");
        fs::create_dir_all(&folder).map_err(|source| ArchiveError::Io { path: folder.clone(), source })?;
        Ok(Self { folder })
    }

    /// The model in use, `None` if there is none yet.
    pub fn current(&self) -> Result<Option<Model>, ArchiveError> {
        let path = self.folder.join(CURRENT);
        let Some(bytes) = read(&path)? else {
            return Ok(None);
        };
        let current: Current =
            serde_json::from_slice(&bytes).map_err(|error| damaged(&path, "version and sha256", error))?;
        let path = self.path(current.version);
        let bytes = read(&path)?.ok_or_else(|| damaged(&path, "the model in use", "no file"))?;
        let digest = digest(&bytes);
        if digest != current.sha256 {
            return Err(damaged(&path, "the SHA-256 of current.json", digest));
        }
        let model = Model::parse(&bytes).map_err(|defect| ArchiveError::Damaged { path, defect })?;
        Ok(Some(model))
    }

    /// The number of the next training.
    pub fn next_version(&self) -> Result<u32, ArchiveError> {
        Ok(self.versions()?.last().map_or(1, |last| last + 1))
    }

    /// Keeps a model under its version, and forgets the oldest beyond [`MAX_KEPT`]. Fails if that version is there already.
    pub fn keep(&self, model: &Model) -> Result<PathBuf, ArchiveError> {
        let path = self.path(model.version);
        let bytes = encode(model);
        // A hard link does not replace: of two trainings at once one keeps the number, the other fails.
        let draft = draft(&path, &bytes)?;
        let linked = fs::hard_link(&draft, &path).and_then(|()| self.sync());
        let removed = fs::remove_file(&draft);
        linked.and(removed).map_err(|source| ArchiveError::Io { path: path.clone(), source })?;
        self.forget_oldest()?;
        Ok(path)
    }

    /// Puts a model that is kept into use.
    pub fn promote(&self, model: &Model) -> Result<(), ArchiveError> {
        let current = Current { version: model.version, sha256: digest(&encode(model)) };
        let path = self.folder.join(CURRENT);
        let draft = draft(&path, &encode(&current))?;
        fs::rename(&draft, &path).and_then(|()| self.sync()).map_err(|source| ArchiveError::Io { path, source })
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }

    fn forget_oldest(&self) -> Result<(), ArchiveError> {
        let in_use = self.current().ok().flatten().map(|model| model.version);
        let versions = self.versions()?;
        let old = versions.iter().rev().skip(MAX_KEPT).filter(|version| Some(**version) != in_use);
        for path in old.map(|version| self.path(*version)) {
            fs::remove_file(&path).map_err(|source| ArchiveError::Io { path, source })?;
        }
        Ok(())
    }

    /// The versions that are kept, ascending.
    fn versions(&self) -> Result<Vec<u32>, ArchiveError> {
        let names = fs::read_dir(&self.folder)
            .and_then(|files| files.map(|file| Ok(file?.file_name())).collect::<io::Result<Vec<_>>>())
            .map_err(|source| ArchiveError::Io { path: self.folder.clone(), source })?;
        let version = |name: &std::ffi::OsString| name.to_str()?.strip_suffix(".json")?.parse().ok();
        let mut versions: Vec<u32> = names.iter().filter_map(version).collect();
        versions.sort_unstable();
        Ok(versions)
    }

    fn path(&self, version: u32) -> PathBuf {
        self.folder.join(format!("{version:08}.json"))
    }
}

/// Writes beside `path`, under a name of this process.
fn draft(path: &Path, bytes: &[u8]) -> Result<PathBuf, ArchiveError> {
    let draft = path.with_extension(format!("{}.draft", std::process::id()));
    let write = || {
        let mut file = File::create(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|source| {
        // Half a model is of no use, and the disk may be full.
        let _ = fs::remove_file(&draft);
        ArchiveError::Io { path: path.to_owned(), source }
    })?;
    Ok(draft)
}

fn encode(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec_pretty(document).expect("numbers, strings and lists always serialize")
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, ArchiveError> {
    let io = |source| ArchiveError::Io { path: path.to_owned(), source };
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(io(source)),
        Ok(file) if file.len() > MAX_MODEL_BYTES => Err(damaged(path, "at most 4 MiB", file.len())),
        Ok(_) => fs::read(path).map(Some).map_err(io),
    }
}

fn damaged(path: &Path, expected: &'static str, found: impl ToString) -> ArchiveError {
    ArchiveError::Damaged { path: path.to_owned(), defect: Defect::new("model", expected, found) }
}
