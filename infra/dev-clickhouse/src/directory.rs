//! The data directory.
//!
//! In scope: owning it, what lies where in it, the engine's command line. Out of scope: the texts of the files (`config`).
//!
//! ```text
//! <data>/lock            held while a server runs here
//! <data>/stop            FIFO, see `stop`
//! <data>/etc/config.xml  generated at every start; ClickHouse merges etc/config.d/*.xml into it
//! <data>/etc/users.xml   generated at every start; ClickHouse merges etc/users.d/*.xml into it
//! <data>/store/          the engine's own files
//! ```

use std::fs::{self, File, TryLockError};
use std::net::Ipv4Addr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::config::{self, ConfigError, Supervisor, io_error};
use crate::retry;

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
        match retry::until_free(|| lock.try_lock()) {
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
    pub(crate) fn write_config(
        &self,
        shared: &Path,
        supervisor: &Supervisor,
        memory_mib: u32,
    ) -> Result<(), ConfigError> {
        let admin = config::admin_password_sha256()?;
        let etc = self.path.join("etc");
        fs::create_dir_all(&etc).map_err(io_error(&etc))?;
        for directory in ["config.d", "users.d"] {
            let target = shared.join(directory).canonicalize();
            let target = target.map_err(|_| ConfigError::NoConfig(shared.to_owned(), directory))?;
            config::check_variables(&target)?;
            let link = etc.join(directory);
            if link.is_symlink() {
                fs::remove_file(&link).map_err(io_error(&link))?;
            }
            symlink(&target, &link).map_err(io_error(&link))?;
        }
        write(&etc.join("config.xml"), &config::main_config(memory_mib))?;
        write(&etc.join("users.xml"), &config::users_config(&admin, supervisor))
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

fn write(path: &Path, text: &str) -> Result<(), ConfigError> {
    fs::write(path, text).map_err(io_error(path))
}

#[cfg(test)]
mod tests {
    use super::*;

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
