//! Turns the lists of hosts and networks under `data/` into the tables that `src/known` reads.
//!
//! The lists stay text, so that a change of one can be reviewed; the Worker carries a quarter of their bytes.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

#[path = "src/known/entry.rs"]
#[expect(unreachable_pub, reason = "the file is a module of the library, where it is public")]
mod entry;

use entry::{HostHash, Kind};

/// From a line of a list to its key.
type Key = fn(&str) -> Result<u32, Box<dyn Error>>;

const TABLES: [(&str, Key, &[&str]); 2] = [
    ("hosts.bin", host_key, &["sources.txt", "referrer_spam.txt"]),
    ("networks.bin", network_key, &["hosting_networks.txt"]),
];

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script in the environment where to write")]
fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env::var("OUT_DIR")?);
    for (table, key, lists) in TABLES {
        let mut entries = BTreeMap::new();
        for list in lists {
            read(&Path::new("data").join(list), key, &mut entries)?;
        }
        fs::write(folder.join(table), encode(&entries)?)?;
    }
    println!("cargo::rerun-if-changed=src/known/entry.rs");
    Ok(())
}

/// Adds the entries of a list: a key once, with the number of its kind.
fn read(path: &Path, key: Key, entries: &mut BTreeMap<u32, u8>) -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={}", path.display());
    let text = fs::read_to_string(path).map_err(|error| format!("expected {}: {error}", path.display()))?;
    let mut section = None;
    for (number, line) in (1..).zip(text.lines()) {
        let at = || format!("{}:{number}", path.display());
        let line = line.split('#').next().unwrap_or("").trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let found = Kind::ALL.iter().position(|(_, own)| *own == name);
            section = Some(u8::try_from(found.ok_or_else(|| format!("{}: expected a kind, found {name:?}", at()))?)?);
        } else if !line.is_empty() {
            let kind = section.ok_or_else(|| format!("{}: expected a section before the first entry", at()))?;
            let key = key(line).map_err(|error| format!("{}: {error}", at()))?;
            if entries.insert(key, kind).is_some() {
                return Err(format!("{}: expected each entry (and its hash) once, found {line:?} again", at()).into());
            }
        }
    }
    Ok(())
}

fn host_key(host: &str) -> Result<u32, Box<dyn Error>> {
    let is_host = host.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._* ".contains(&b));
    if !is_host {
        return Err(format!("expected a lower-case host, found {host:?}").into());
    }
    Ok(host.bytes().rev().fold(HostHash::EMPTY, HostHash::preceded_by).key())
}

fn network_key(number: &str) -> Result<u32, Box<dyn Error>> {
    number.parse().map_err(|error| format!("expected the number of a network, found {number:?}: {error}").into())
}

/// The layout is described in `src/known/table.rs`.
fn encode(entries: &BTreeMap<u32, u8>) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut bytes = Vec::new();
    for first in 0..=256_u64 {
        let below = entries.keys().filter(|key| u64::from(**key) < first << 24).count();
        bytes.extend(u16::try_from(below)?.to_le_bytes());
    }
    bytes.extend(entries.keys().flat_map(|key| key.to_be_bytes().into_iter().skip(1)));
    bytes.extend(entries.values());
    Ok(bytes)
}
