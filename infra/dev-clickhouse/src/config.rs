//! The generated configuration.
//!
//! In scope: the texts of the main config and users files, the variables that must be set. Out of scope: everything that is the same on a
//! production server (`infra/clickhouse`), where the files go (`directory`).

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::server::{self, RandomError};

/// SHA-256 of the password of `admin`.
const ADMIN_PASSWORD_SHA256: &str = "LANDFALL_ADMIN_PASSWORD_SHA256";
/// The user that may do everything. It cannot be called `default`: the engine's own session logs in as `default` without a password.
const ADMIN_USER: &str = "admin";
const BYTES_PER_MIB: u64 = 1 << 20;
/// Marks of every part we ever have in development fit; the engine's own default is 5 GiB.
const MARK_CACHE_BYTES: u64 = 256 << 20;

#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("cannot use {path}")]
    Io { path: PathBuf, source: io::Error },
    #[error("expected a free data directory, found a server running on {0}")]
    InUse(PathBuf),
    #[error("expected a directory with config.d and users.d, found {0} without {1}")]
    NoConfig(PathBuf, &'static str),
    #[error("expected environment variable {variable}, which {file} names, found it unset")]
    MissingVariable { variable: String, file: PathBuf },
    #[error("expected 64 hexadecimal digits in {ADMIN_PASSWORD_SHA256}, found {0}")]
    AdminPassword(&'static str),
    #[error("expected a path in UTF-8, found {0}")]
    PathEncoding(PathBuf),
}

/// The user under which this process talks to its own server. New for every start, known to nobody else.
pub(crate) struct Supervisor {
    pub(crate) password: String,
}

impl Supervisor {
    pub(crate) const NAME: &'static str = "dev_supervisor";

    pub(crate) fn new() -> Result<Self, RandomError> {
        let secret = server::random_bytes::<32>()?;
        Ok(Self { password: to_hex(&secret) })
    }

    fn password_sha256(&self) -> String {
        to_hex(&Sha256::digest(&self.password))
    }
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes any text");
        text
    })
}

pub(crate) fn main_config(memory_mib: u32) -> String {
    let memory_bytes = u64::from(memory_mib) * BYTES_PER_MIB;
    format!(
        "<clickhouse>\n    <users_config>users.xml</users_config>\n    <max_server_memory_usage>{memory_bytes}</max_server_memory_usage>\n    \
         <mark_cache_size>{MARK_CACHE_BYTES}</mark_cache_size>\n</clickhouse>\n"
    )
}

pub(crate) fn users_config(admin_sha256: &str, supervisor: &Supervisor) -> String {
    let name = Supervisor::NAME;
    let sha256 = supervisor.password_sha256();
    format!(
        "<clickhouse>
    <users>
        <{ADMIN_USER}>
            <password_sha256_hex>{admin_sha256}</password_sha256_hex>
            <networks><ip>::/0</ip></networks>
            <profile>default</profile>
            <quota>default</quota>
            <access_management>1</access_management>
            <named_collection_control>1</named_collection_control>
        </{ADMIN_USER}>
        <!-- The engine's own session logs in as `default` without a password and looks like a loopback client. Its one statement
             runs as long as the server, so the limit of this profile refuses every other login. -->
        <default>
            <no_password/>
            <networks><ip>127.0.0.1</ip></networks>
            <profile>engine</profile>
            <quota>default</quota>
        </default>
        <{name}>
            <password_sha256_hex>{sha256}</password_sha256_hex>
            <networks><ip>127.0.0.1</ip></networks>
            <profile>default</profile>
            <quota>default</quota>
            <grants>
                <query>GRANT SELECT ON system.dictionaries</query>
                <query>GRANT SHOW DICTIONARIES ON *.*</query>
                <query>GRANT SYSTEM RELOAD DICTIONARY ON *.*</query>
            </grants>
        </{name}>
    </users>
    <profiles>
        <default/>
        <engine>
            <max_sessions_for_user>1</max_sessions_for_user>
        </engine>
    </profiles>
    <quotas><default/></quotas>
</clickhouse>
"
    )
}

pub(crate) fn admin_password_sha256() -> Result<String, ConfigError> {
    let hash = std::env::var(ADMIN_PASSWORD_SHA256).map_err(|_| ConfigError::AdminPassword("it unset"))?;
    if hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(hash);
    }
    Err(ConfigError::AdminPassword("something else"))
}

/// The engine's own message for a missing variable names neither file nor variable well.
pub(crate) fn check_variables(directory: &Path) -> Result<(), ConfigError> {
    for entry in fs::read_dir(directory).map_err(io_error(directory))? {
        let file = entry.map_err(io_error(directory))?.path();
        if file.extension().is_none_or(|extension| extension != "xml") {
            continue;
        }
        let text = fs::read_to_string(&file).map_err(io_error(&file))?;
        if let Some(variable) = from_env_names(&text).find(|name| std::env::var_os(name).is_none()) {
            return Err(ConfigError::MissingVariable { variable: variable.to_owned(), file });
        }
    }
    Ok(())
}

/// The names in `from_env="NAME"`.
fn from_env_names(xml: &str) -> impl Iterator<Item = &str> {
    xml.split("from_env=\"").skip(1).filter_map(|rest| rest.split('"').next())
}

pub(crate) fn io_error(path: &Path) -> impl FnOnce(io::Error) -> ConfigError {
    let path = path.to_owned();
    move |source| ConfigError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_env_names_are_found_in_order() {
        let xml = r#"<a from_env="ONE"/><b><c x="1" from_env="TWO"/></b><d>from_env</d>"#;
        assert_eq!(from_env_names(xml).collect::<Vec<_>>(), ["ONE", "TWO"]);
    }
}
