//! The certificate and key of `--tls`.

use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Two PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate of the server and those between it and the root, in this order.
    pub certificates: PathBuf,
    pub key: PathBuf,
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{} cannot be read", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: pem::Error,
    },
    #[error("{} holds no certificate", path.display())]
    NoCertificate { path: PathBuf },
    #[error("{} and {} do not fit together", certificates.display(), key.display())]
    Mismatch {
        certificates: PathBuf,
        key: PathBuf,
        #[source]
        source: rustls::Error,
    },
}

/// Reads the files; the result serves HTTP and whatever else the server speaks over TLS.
pub(crate) fn load(files: &TlsFiles) -> Result<Arc<rustls::ServerConfig>, TlsError> {
    let TlsFiles { certificates, key } = files;
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::Read { path, source }
    };
    let chain = CertificateDer::pem_file_iter(certificates)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(unreadable(certificates))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate {
            path: certificates.clone(),
        });
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(unreadable(key))?;
    let mismatch = |source| TlsError::Mismatch {
        certificates: certificates.clone(),
        key: key.clone(),
        source,
    };
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(mismatch)?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(mismatch)?;
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::TempFolder;
    use std::fs;

    #[test]
    fn each_fault_names_its_file() {
        let folder = TempFolder::new();
        let path = |name: &str| folder.0.join(name);
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(path("cert.pem"), pair.cert.pem()).unwrap();
        fs::write(path("key.pem"), pair.signing_key.serialize_pem()).unwrap();
        let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(path("other.pem"), other.signing_key.serialize_pem()).unwrap();
        fs::write(path("empty.pem"), "").unwrap();
        let load = |certificates: &str, key: &str| {
            load(&TlsFiles {
                certificates: path(certificates),
                key: path(key),
            })
            .map(|_| ())
            .map_err(|error| error.to_string())
        };
        assert_eq!(load("cert.pem", "key.pem"), Ok(()));
        for (certificates, key, named) in [
            ("none.pem", "key.pem", "none.pem"),
            ("empty.pem", "key.pem", "empty.pem"),
            ("cert.pem", "none.pem", "none.pem"),
            ("cert.pem", "empty.pem", "empty.pem"),
            ("cert.pem", "other.pem", "other.pem"),
        ] {
            let error = load(certificates, key).unwrap_err();
            assert!(error.contains(named), "{certificates} {key}: {error}");
        }
    }
}
