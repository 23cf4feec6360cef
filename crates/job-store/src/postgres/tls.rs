//! TLS to the database.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio_postgres_rustls::MakeRustlsConnect;

pub(super) type Tls = MakeRustlsConnect;

/// A connector for servers whose certificate has a root in this file, or among those of the system.
pub(super) fn connector(roots: Option<&Path>) -> Result<Tls, String> {
    let mut trusted = RootCertStore::empty();
    if let Some(path) = roots {
        let failed = |error: &dyn std::fmt::Display| {
            format!("the root certificates in {} cannot be read (`sslrootcert`): {error}", path.display())
        };
        for certificate in CertificateDer::pem_file_iter(path).map_err(|error| failed(&error))? {
            let certificate = certificate.map_err(|error| failed(&error))?;
            trusted.add(certificate).map_err(|error| failed(&error))?;
        }
    } else {
        trusted.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    if trusted.is_empty() {
        return Err("no root certificate was found to check that of the database by: name a PEM file, \
                    `sslrootcert=FILE`, in its URL"
            .to_owned());
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .with_root_certificates(trusted)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
