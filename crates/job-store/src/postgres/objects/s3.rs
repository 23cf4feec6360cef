//! S3, and what speaks as it does.

use std::{env, time::Duration};

use object_store::{
    RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey},
};
use url::Url;

use super::{super::Call, place::unusable};
use crate::{ErrorKind, StoreError};

/// How often a request with a passing failure is sent again, after 0.1 s, 0.2 s and so on: some 6 s in all. So a call
/// with the default time-out says its fault, and not only that there was no answer.
const RETRIES: usize = 6;
const RETRY_TIMEOUT: Duration = Duration::from_secs(20);

/// The bucket that the URL names. Settings that it does not hold come from the environment, unless the settings say
/// it.
pub(super) fn connect(call: Call, url: &Url, settings: &[(String, String)]) -> Result<AmazonS3, StoreError> {
    install_cryptography();
    let mut builder = AmazonS3Builder::new().with_url(url.as_str()).with_retry(RetryConfig {
        max_retries: RETRIES,
        retry_timeout: RETRY_TIMEOUT,
        ..RetryConfig::default()
    });
    for (name, value) in variables() {
        // Many of them are not for an object store.
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

/// Variables that are no text are none of ours.
fn variables() -> impl Iterator<Item = (String, String)> {
    let text =
        env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    text.filter(|(name, _)| name.starts_with("AWS_"))
}

fn key(name: &str) -> Result<AmazonS3ConfigKey, object_store::Error> {
    name.to_ascii_lowercase().parse()
}

/// The client leaves the choice to the process. Where none is chosen, it is *ring*.
fn install_cryptography() {
    // An error says that another thread was faster, whose choice holds.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
