//! The place of objects: a directory, a bucket, or an object store that the host has made.

use std::{fs, io, path::PathBuf, sync::Arc};

#[cfg(feature = "s3")]
use object_store::path::Path;
use object_store::{ObjectStore, local::LocalFileSystem, parse_url_opts, prefix::PrefixStore};
use url::Url;

#[cfg(feature = "s3")]
use super::s3;
use super::{super::Call, ObjectOptions, failure};
use crate::{ErrorKind, StoreError};

/// The place of objects.
pub(in super::super) struct Place {
    pub(super) store: Arc<dyn ObjectStore>,
    /// The directory of a place in the file system: deleting files leaves directories behind.
    pub(super) directory: Option<PathBuf>,
}

impl Place {
    pub(super) fn of_host(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, directory: None }
    }

    pub(in super::super) fn open(call: Call, options: &ObjectOptions) -> Result<Self, StoreError> {
        let url: Url = options
            .url
            .parse()
            .map_err(|error| call.failed(ErrorKind::Invalid, format!("the URL of the objects: {error}")))?;
        match url.scheme() {
            "file" => Self::directory(call, &url),
            "s3" => bucket(call, &url, options),
            _ => other(call, &url, options),
        }
    }

    fn directory(call: Call, url: &Url) -> Result<Self, StoreError> {
        let directory = url.to_file_path().map_err(|()| {
            let detail = format!("{} names no directory: it has to be `file:///directory`", shown(url));
            call.failed(ErrorKind::Invalid, detail)
        })?;
        let failed = |error: io::Error| {
            call.failed(ErrorKind::Invalid, format!("the directory {}: {error}", directory.display()))
        };
        fs::create_dir_all(&directory).map_err(failed)?;
        let store = LocalFileSystem::new_with_prefix(&directory).map_err(|error| failure(call, &error))?;
        Ok(Self { store: Arc::new(store.with_fsync(true)), directory: Some(directory) })
    }
}

#[cfg(feature = "s3")]
fn bucket(call: Call, url: &Url, options: &ObjectOptions) -> Result<Place, StoreError> {
    let prefix = Path::from_url_path(url.path()).map_err(|error| unusable(call, url, &error))?;
    Ok(Place::of_host(Arc::new(PrefixStore::new(s3::connect(call, url, &options.settings)?, prefix))))
}

#[cfg(not(feature = "s3"))]
fn bucket(call: Call, url: &Url, _options: &ObjectOptions) -> Result<Place, StoreError> {
    let bucket = shown(url);
    Err(call.failed(ErrorKind::Invalid, format!("{bucket} needs the feature `s3`, which this build is without")))
}

/// Other kinds of URL, for which the host has turned on a feature of `object_store`.
fn other(call: Call, url: &Url, options: &ObjectOptions) -> Result<Place, StoreError> {
    let (store, prefix) =
        parse_url_opts(url, options.settings.iter().cloned()).map_err(|error| unusable(call, url, &error))?;
    Ok(Place::of_host(Arc::new(PrefixStore::new(store, prefix))))
}

pub(super) fn unusable(call: Call, url: &Url, error: &impl ToString) -> StoreError {
    // Some errors repeat the whole URL.
    let (shown, error) = (shown(url), error.to_string().replace(url.as_str(), "it"));
    call.failed(ErrorKind::Invalid, format!("the object store {shown} cannot be used: {error}"))
}

/// The URL without possible secrets: a user, a password, a query.
pub(super) fn shown(url: &Url) -> String {
    format!("{}://{}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}
