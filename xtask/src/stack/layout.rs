//! What a stack is made of and which secrets it has. In scope: `DIR/settings.json`, written once per folder, so that every later `up`
//! uses the same ports, secrets and data.

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::port::{self, Ports};

const SETTINGS: &str = "settings.json";
const REGION_NAME_MAX_BYTES: usize = 16;

/// What the user asks for.
#[derive(Clone, Debug)]
pub struct Options {
    pub dir: PathBuf,
    /// `None`: those of the folder's stack, or `eu`.
    pub regions: Option<Vec<String>>,
    /// `None`: those of the folder's stack, or the well-known ports.
    pub port_base: Option<u16>,
}

/// One folder's stack.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Layout {
    #[serde(skip)]
    pub dir: PathBuf,
    pub regions: Vec<String>,
    pub ports: Ports,
    pub secrets: Secrets,
    #[serde(skip)]
    pub surroundings: Surroundings,
}

/// What a run with faults puts around the collector; nothing in a usual stack.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Ports by which the collector reaches each region's ClickHouse, in place of its own.
    pub clickhouse_ports: Vec<u16>,
    /// Environment variables of the collector's process: name and value.
    pub workerd_variables: Vec<(String, String)>,
    /// The folder of another build of the Worker.
    pub worker: Option<PathBuf>,
    /// Variables of the Worker, further ones or in place of its own: name and value.
    pub worker_variables: Vec<(String, String)>,
}

/// Random per folder; nothing in the clone holds one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Secrets {
    pub admin_token: String,
    pub countries_token: String,
    pub user_segments_token: String,
    pub clickhouse_admin: String,
    pub clickhouse_collector: String,
    pub clickhouse_reader: String,
}

impl Layout {
    /// The stack of the folder, made if there is none.
    pub fn open(options: &Options) -> Result<Self> {
        std::fs::create_dir_all(&options.dir).with_context(|| format!("expected to make {}", options.dir.display()))?;
        let dir = absolute(&options.dir)?;
        if let Some(layout) = Self::read(&dir)? {
            layout.check_same(options)?;
            return Ok(layout);
        }
        let regions = options.regions.clone().unwrap_or_else(|| vec!["eu".to_owned()]);
        check_regions(&regions)?;
        let ports = match options.port_base {
            Some(base) => Ports::from_base(base, regions.len())?,
            None => Ports::default_for(regions.len()),
        };
        check_free(&ports)?;
        let secrets = Secrets::random()?;
        let layout = Self { dir, regions, ports, secrets, surroundings: Surroundings::default() };
        layout.write()?;
        Ok(layout)
    }

    /// The stack that the folder has.
    pub fn read(dir: &Path) -> Result<Option<Self>> {
        let path = dir.join(SETTINGS);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("expected to read {}", path.display())),
        };
        let mut layout: Self = serde_json::from_str(&text).with_context(|| {
            format!("expected the settings of a stack in {}; remove the folder to start anew", path.display())
        })?;
        dir.clone_into(&mut layout.dir);
        Ok(Some(layout))
    }

    fn write(&self) -> Result<()> {
        write_private(&self.dir.join(SETTINGS), &serde_json::to_string_pretty(self)?)
    }

    fn check_same(&self, options: &Options) -> Result<()> {
        if let Some(regions) = options.regions.as_ref().filter(|regions| **regions != self.regions) {
            bail!(
                "expected --regions {} as the stack in {} has, found {}; name another --dir, or remove that folder",
                self.regions.join(","),
                self.dir.display(),
                regions.join(",")
            );
        }
        if let Some(base) = options.port_base.filter(|base| *base != self.ports.collector) {
            bail!(
                "expected --port-base {} as the stack in {} has, found {base}",
                self.ports.collector,
                self.dir.display()
            );
        }
        Ok(())
    }
}

impl Secrets {
    fn random() -> Result<Self> {
        Ok(Self {
            admin_token: random_hex()?,
            countries_token: random_hex()?,
            user_segments_token: random_hex()?,
            clickhouse_admin: random_hex()?,
            clickhouse_collector: random_hex()?,
            clickhouse_reader: random_hex()?,
        })
    }
}

/// Writes a file that holds secrets: for the owner's eyes only.
pub fn write_private(path: &Path, text: &str) -> Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("expected to write {}", path.display()))?;
    file.write_all(text.as_bytes()).with_context(|| format!("expected to write {}", path.display()))
}

fn random_hex() -> Result<String> {
    let mut bytes = [0_u8; 24];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow::anyhow!("expected random bytes of the system, found: {error}"))?;
    Ok(hex(&bytes))
}

/// The form in which ClickHouse keeps a password.
pub fn sha256_hex(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The absolute form of a folder, whether or not it exists yet.
pub fn absolute(dir: &Path) -> Result<PathBuf> {
    if let Ok(path) = dir.canonicalize() {
        return Ok(path);
    }
    std::path::absolute(dir).with_context(|| format!("expected a folder, found {}", dir.display()))
}

fn check_regions(regions: &[String]) -> Result<()> {
    if regions.is_empty() || regions.len() > port::MAX_REGIONS {
        bail!("expected 1 to {} regions in --regions, found {}", port::MAX_REGIONS, regions.len());
    }
    for (index, region) in regions.iter().enumerate() {
        let is_name = !region.is_empty()
            && region.len() <= REGION_NAME_MAX_BYTES
            && region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if !is_name {
            bail!(
                "expected region names of 1 to {REGION_NAME_MAX_BYTES} lower-case letters and digits in --regions, found {region:?}"
            );
        }
        if regions[..index].contains(region) {
            bail!("expected each region once in --regions, found {region:?} twice");
        }
    }
    Ok(())
}

fn check_free(ports: &Ports) -> Result<()> {
    for (port, owner) in ports.all() {
        if !port::is_free(port) {
            bail!(
                "expected port {port} ({owner}) to be free, found it taken; name another block, e.g. --port-base 21000"
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(dir: &Path, regions: &[&str], port_base: u16) -> Options {
        Options {
            dir: dir.to_owned(),
            regions: Some(regions.iter().map(|region| (*region).to_owned()).collect()),
            port_base: Some(port_base),
        }
    }

    #[test]
    fn a_folder_keeps_its_ports_and_secrets() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let base = port::free_block().expect("free ports");
        let first = Layout::open(&options(folder.path(), &["eu", "us"], base)).expect("a new stack");
        let again =
            Layout::open(&Options { dir: folder.path().to_owned(), regions: None, port_base: None }).expect("the same");
        assert_eq!(first.ports, again.ports);
        assert_eq!(first.secrets.admin_token, again.secrets.admin_token);
    }

    #[test]
    fn other_regions_on_the_same_folder_are_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let base = port::free_block().expect("free ports");
        Layout::open(&options(folder.path(), &["eu"], base)).expect("a new stack");
        let error = Layout::open(&options(folder.path(), &["us"], base)).expect_err("another region").to_string();
        assert!(error.contains("expected --regions eu"), "{error}");
    }

    #[test]
    fn region_names_are_checked() {
        for bad in [&["EU"][..], &["eu", "eu"], &[""], &["e/u"]] {
            let regions: Vec<String> = bad.iter().map(|region| (*region).to_owned()).collect();
            assert!(check_regions(&regions).is_err(), "{bad:?}");
        }
    }
}
