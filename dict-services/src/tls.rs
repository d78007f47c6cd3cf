//! TLS of the listener, by rustls.
//!
//! In scope: reading the certificate chain and the key.
//! Out of scope: client certificates (a token says who may read), renewal (restart with the new files; the last good snapshot serves at
//! once).

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

/// Why TLS cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or holds something else.
    #[error("expected {expected} in {path}, found: {source}")]
    Pem {
        /// What the file should hold.
        expected: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: pem::Error,
    },
    /// The certificate file holds none.
    #[error("expected at least one PEM certificate in {0}, found none")]
    NoCertificate(PathBuf),
    /// Certificate and key do not fit together, or rustls cannot use them.
    #[error("expected a certificate and its key, found: {0}")]
    Unusable(#[from] rustls::Error),
}

/// Lets every TLS client of this program use the cryptography that the listener uses. It may be called again.
pub fn install_provider() {
    // An error says that one is installed already.
    let _ = ring::default_provider().install_default();
}

/// Offers HTTPS with the PEM chain in `certificate` (its own certificate first) and the PEM key in `key`.
pub fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, TlsError> {
    let unreadable = |expected, path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::Pem { expected, path, source }
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(unreadable("PEM certificates", certificate))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(certificate.to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(unreadable("a PEM private key", key))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::{TlsError, acceptor};
    use std::fs;

    fn identity() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    #[test]
    fn files_that_cannot_serve_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = identity();
        let path = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let (good, good_key) = (path("good.pem", &certificate), path("good.key", &key));
        let (other_key, empty) = (path("other.key", &identity().1), path("empty.pem", ""));
        assert!(acceptor(&good, &good_key).is_ok());
        assert!(matches!(acceptor(&empty, &good_key), Err(TlsError::NoCertificate(_))));
        assert!(matches!(acceptor(&good, &empty), Err(TlsError::Pem { expected: "a PEM private key", .. })));
        assert!(matches!(acceptor(&good, &other_key), Err(TlsError::Unusable(_))));
        let missing = acceptor(&folder.path().join("none.pem"), &good_key).err().unwrap();
        assert!(missing.to_string().contains("none.pem"), "{missing}");
    }
}
