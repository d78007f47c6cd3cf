//! A dictionary over HTTPS: loaded from whom the server trusts, under the name that it asked for, and from nobody else.
//!
//! ClickHouse is one of its own, because whom it trusts is read at start. Its configuration is the delivered one and what the README says to add.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use xtask::stack::clickhouse::{self, Endpoint};
use xtask::stack::{Stack, layout, port, process};
use xtask::{paths, tool};

use super::extra::Extra;
use super::watched::Watched;
use crate::lab::{self, Lab};

const PASSWORD: &str = "https";
/// What an operator does, word for word but for the path.
const CA_FILE_IN_README: &str = "/etc/clickhouse-server/feeds-ca.pem";

pub(super) fn https_loads_from_whom_the_server_trusts(lab: &mut Lab) -> Result<()> {
    let stack = lab.stack()?;
    let folder = tempfile::Builder::new().prefix("https-").tempdir_in(&stack.layout.dir)?;
    let (ours, strangers) = (Authority::new("ours")?, Authority::new("a stranger's")?);
    let good = ours.sign("localhost", folder.path(), "good")?;
    let misnamed = ours.sign("feed.example", folder.path(), "misnamed")?;
    let foreign = strangers.sign("localhost", folder.path(), "foreign")?;
    let feed_port = port::free()?;
    let start_feed = |(certificate, key): &Identity| -> Result<Extra> {
        let feed = Extra::countries_over_https(stack, feed_port, certificate, key)?;
        // Not by trying whether the port is free: for that moment it would not be.
        lab::wait_for("the feed to listen", 20, || Ok(Some(TcpStream::connect((Ipv4Addr::LOCALHOST, feed_port))?)))?;
        Ok(feed)
    };

    let feed = start_feed(&good)?;
    let server = Server::start(stack, folder.path(), &ours, feed_port)?;
    let dictionary = Watched { endpoint: &server.endpoint, name: "countries_dict" };
    dictionary.expect_good()?;
    drop(feed);
    for (fault, identity) in [("a certificate for another name", &misnamed), ("an unknown authority", &foreign)] {
        let feed = start_feed(identity)?;
        dictionary.expect_failing(fault)?;
        drop(feed);
    }
    let _feed = start_feed(&good)?;
    dictionary.expect_good()
}

/// The files of a certificate and its key.
type Identity = (PathBuf, PathBuf);

/// Who signs certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Ok(Self(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?))
    }

    fn sign(&self, host: &str, folder: &Path, file: &str) -> Result<Identity> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new([host.to_owned()])?.signed_by(&key, &self.0)?;
        let files = (folder.join(format!("{file}.pem")), folder.join(format!("{file}.key")));
        fs::write(&files.0, certificate.pem())?;
        fs::write(&files.1, key.serialize_pem())?;
        Ok(files)
    }
}

/// A ClickHouse that trusts an authority, ended when it is dropped.
struct Server<'a> {
    stack: &'a Stack,
    pid: u32,
    endpoint: Endpoint,
}

impl<'a> Server<'a> {
    fn start(stack: &'a Stack, folder: &Path, authority: &Authority, feed_port: u16) -> Result<Self> {
        let (http, tcp) = (port::free()?, port::free()?);
        let password = layout::sha256_hex(PASSWORD);
        let mut command = Command::new(paths::program("dev-clickhouse"));
        command
            .arg("--lib")
            .arg(tool::clickhouse_library()?)
            .arg("--data")
            .arg(folder.join("data"))
            .arg("--config")
            .arg(configure(folder, authority)?)
            .args(["--http-port", &http.to_string(), "--tcp-port", &tcp.to_string()])
            .env("LANDFALL_COUNTRIES_URL", format!("https://localhost:{feed_port}/countries"))
            .env("LANDFALL_COUNTRIES_AUTHORIZATION", format!("Bearer {}", stack.file.countries.token))
            .env("LANDFALL_USER_SEGMENTS_URL", &stack.file.user_segments.url)
            .env("LANDFALL_USER_SEGMENTS_AUTHORIZATION", format!("Bearer {}", stack.file.user_segments.token));
        for user in ["ADMIN", "COLLECTOR", "READER"] {
            command.env(format!("LANDFALL_{user}_PASSWORD_SHA256"), &password);
        }
        let pid = process::start(&stack.layout.dir, "clickhouse-https", &mut command)?;
        let endpoint = Endpoint {
            region: "https".to_owned(),
            url: format!("http://127.0.0.1:{http}"),
            tcp_port: tcp,
            user: "admin".to_owned(),
            password: PASSWORD.to_owned(),
            pid: Some(pid),
        };
        let server = Self { stack, pid, endpoint };
        lab::wait_for("ClickHouse", 60, || Ok(server.endpoint.is_ready().then_some(())))?;
        clickhouse::migrate(&server.endpoint)?;
        Ok(server)
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        process::stop(self.pid, &self.stack.layout.dir);
    }
}

/// The delivered configuration, and trust in `authority` as the README says it.
fn configure(folder: &Path, authority: &Authority) -> Result<PathBuf> {
    let (delivered, config) = (paths::root().join("infra/clickhouse"), folder.join("config"));
    for part in ["config.d", "users.d"] {
        fs::create_dir_all(config.join(part))?;
        for file in fs::read_dir(delivered.join(part))? {
            let file = file?;
            fs::copy(file.path(), config.join(part).join(file.file_name()))?;
        }
    }
    let readme = fs::read_to_string(delivered.join("README.md"))?;
    let line = readme.lines().find(|line| line.contains("<caConfig>")).context("expected <caConfig> in the README")?;
    ensure!(line.contains(CA_FILE_IN_README), "{line}");
    let ca_file = folder.join("feeds-ca.pem");
    fs::write(&ca_file, authority.0.as_ref().pem())?;
    let line = line.replace(CA_FILE_IN_README, &ca_file.to_string_lossy());
    fs::write(config.join("config.d/feeds-ca.xml"), line)?;
    Ok(config)
}
