//! The data directory and the configuration generated in it.
//!
//! In scope: the main config and users files, links to the shared `config.d` and `users.d`, the engine's command line. Out of scope:
//! everything that is the same on a production server (`infra/clickhouse`).
//!
//! ```text
//! <data>/lock            held while a server runs here
//! <data>/stop            FIFO, see `stop`
//! <data>/etc/config.xml  generated at every start; ClickHouse merges etc/config.d/*.xml into it
//! <data>/etc/users.xml   generated at every start; ClickHouse merges etc/users.d/*.xml into it
//! <data>/store/          the engine's own files
//! ```

use std::fmt::Write as _;
use std::fs::{self, File, TryLockError};
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::symlink;
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
    #[error("cannot use {path}: {source}")]
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

/// A data directory that belongs to this process as long as the value lives.
pub(crate) struct DataDirectory {
    path: PathBuf,
    /// The lock is the operating system's: it ends with the process, however that ends, so no lock is ever stale.
    _lock: File,
}

impl DataDirectory {
    pub(crate) fn open(path: &Path) -> Result<Self, ConfigError> {
        fs::create_dir_all(path).map_err(io_error(path))?;
        let path = path.canonicalize().map_err(io_error(path))?;
        let lock = File::create(path.join("lock")).map_err(io_error(&path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ConfigError::InUse(path)),
            Err(TryLockError::Error(source)) => return Err(ConfigError::Io { path, source }),
        }
        if path.to_str().is_none() {
            return Err(ConfigError::PathEncoding(path));
        }
        Ok(Self { path, _lock: lock })
    }

    pub(crate) fn fifo(&self) -> PathBuf {
        self.path.join("stop")
    }

    /// Writes etc/ anew. `shared` is `infra/clickhouse`.
    pub(crate) fn write_config(&self, shared: &Path, supervisor: &Supervisor, memory_mib: u32) -> Result<(), ConfigError> {
        let admin = admin_password_sha256()?;
        let etc = self.path.join("etc");
        fs::create_dir_all(&etc).map_err(io_error(&etc))?;
        for directory in ["config.d", "users.d"] {
            let target = shared.join(directory).canonicalize();
            let target = target.map_err(|_| ConfigError::NoConfig(shared.to_owned(), directory))?;
            check_variables(&target)?;
            let link = etc.join(directory);
            if link.is_symlink() {
                fs::remove_file(&link).map_err(io_error(&link))?;
            }
            symlink(&target, &link).map_err(io_error(&link))?;
        }
        write(&etc.join("config.xml"), &main_config(memory_mib))?;
        write(&etc.join("users.xml"), &users_config(&admin, supervisor))
    }

    /// The command line: open both ports, wait for the FIFO to end, close both ports.
    pub(crate) fn engine_arguments(&self, listen: Ipv4Addr, http_port: u16, tcp_port: u16) -> Vec<String> {
        let fifo = self.fifo();
        let fifo = fifo.to_string_lossy().replace('\\', r"\\").replace('\'', r"\'");
        let statements = format!(
            "SYSTEM START LISTEN HTTP; SYSTEM START LISTEN TCP; \
             SELECT * FROM file('{fifo}', 'LineAsString', 'line String') FORMAT Null SETTINGS storage_file_read_method = 'read'; \
             SYSTEM STOP LISTEN HTTP; SYSTEM STOP LISTEN TCP"
        );
        let path = self.path.to_string_lossy();
        vec![
            "clickhouse".to_owned(),
            format!("--config-file={path}/etc/config.xml"),
            format!("--path={path}/store"),
            format!("--listen_host={listen}"),
            format!("--http_port={http_port}"),
            format!("--tcp_port={tcp_port}"),
            "--query".to_owned(),
            statements,
        ]
    }
}

fn main_config(memory_mib: u32) -> String {
    let memory_bytes = u64::from(memory_mib) * BYTES_PER_MIB;
    format!(
        "<clickhouse>\n    <users_config>users.xml</users_config>\n    <max_server_memory_usage>{memory_bytes}</max_server_memory_usage>\n    \
         <mark_cache_size>{MARK_CACHE_BYTES}</mark_cache_size>\n</clickhouse>\n"
    )
}

fn users_config(admin_sha256: &str, supervisor: &Supervisor) -> String {
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

fn admin_password_sha256() -> Result<String, ConfigError> {
    let hash = std::env::var(ADMIN_PASSWORD_SHA256).map_err(|_| ConfigError::AdminPassword("it unset"))?;
    if hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(hash);
    }
    Err(ConfigError::AdminPassword("something else"))
}

/// The engine's own message for a missing variable names neither file nor variable well.
fn check_variables(directory: &Path) -> Result<(), ConfigError> {
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

fn write(path: &Path, text: &str) -> Result<(), ConfigError> {
    fs::write(path, text).map_err(io_error(path))
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> ConfigError {
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

    #[test]
    fn a_data_directory_has_one_owner_and_is_free_after_it() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        let first = DataDirectory::open(&path).unwrap();
        assert!(matches!(DataDirectory::open(&path), Err(ConfigError::InUse(_))));
        drop(first);
        assert!(DataDirectory::open(&path).is_ok());
    }

    #[test]
    fn quotes_in_the_path_do_not_end_the_sql_string() {
        let parent = tempfile::tempdir().unwrap();
        let data = DataDirectory::open(&parent.path().join("it's")).unwrap();
        let arguments = data.engine_arguments(Ipv4Addr::LOCALHOST, 1, 2);
        assert!(arguments[7].contains(r"/it\'s/stop', 'LineAsString'"), "found {}", arguments[7]);
    }
}
