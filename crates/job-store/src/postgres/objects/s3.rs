//! S3, and services with its protocol.

use std::{env, time::Duration};

use object_store::{
    RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey},
};
use url::Url;

use super::{super::Call, place::unusable};
use crate::{ErrorKind, StoreError};

/// How often a request with a passing failure is sent again: after 0.1 s, 0.2 s and so on, some 6 s in all. So a
/// call with the default time-out reports the failure itself, and not only a time-out.
const RETRIES: usize = 6;
const RETRY_TIMEOUT: Duration = Duration::from_secs(20);

/// The bucket of the URL. Missing settings come from the environment.
pub(super) fn connect(call: Call, url: &Url, settings: &[(String, String)]) -> Result<AmazonS3, StoreError> {
    install_cryptography();
    let mut builder = AmazonS3Builder::new().with_url(url.as_str()).with_retry(RetryConfig {
        max_retries: RETRIES,
        retry_timeout: RETRY_TIMEOUT,
        ..RetryConfig::default()
    });
    for (name, value) in variables() {
        // Many `AWS_` variables are not for an object store.
        if let Ok(key) = key(&name) {
            builder = builder.with_config(key, value);
        }
    }
    for (name, value) in settings {
        let key = key(name).map_err(|_| {
            call.failed(ErrorKind::Invalid, format!("an object store in S3 has no setting {name}"))
        })?;
        builder = builder.with_config(key, value);
    }
    builder.build().map_err(|error| unusable(call, url, &error))
}

/// A variable that is not text cannot be a setting.
fn variables() -> impl Iterator<Item = (String, String)> {
    let text =
        env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    text.filter(|(name, _)| name.starts_with("AWS_"))
}

fn key(name: &str) -> Result<AmazonS3ConfigKey, object_store::Error> {
    name.to_ascii_lowercase().parse()
}

/// Installs *ring* as the process's cryptography, if it has chosen none.
fn install_cryptography() {
    // An error means that another thread was faster. Its choice holds.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
