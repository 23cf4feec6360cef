//! Opens the store. A directory has one process that writes, and any number that read. A database has any number
//! of processes.

use std::{error::Error, path::Path, sync::Arc};

use job_demo::{graphs::Graphs, handlers};
use job_http::Exporter;
#[cfg(feature = "objects")]
use job_runner::store::ObjectOptions;
#[cfg(feature = "postgres")]
use job_runner::store::{PostgresOptions, PostgresStore};
use job_runner::{
    Engine, EngineBuilder, EngineError, JobReader, StoreError,
    store::{Backup, ErrorKind, RocksOptions, RocksStore, SharedStore, Store},
};

use super::{
    Global,
    exit::{Exit, Mistake},
    location::Location,
};

/// A store that is open for writing.
#[derive(Clone)]
pub(super) enum Opened {
    /// A store of this process alone.
    Own(Arc<RocksStore>),
    /// A store that other processes share.
    Shared(Arc<dyn SharedStore>),
}

impl Opened {
    pub(super) fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Own(store) => Arc::clone(store) as _,
            Self::Shared(store) => Arc::clone(store) as _,
        }
    }

    /// Opens an engine for this work on the store.
    pub(super) fn engine(&self, work: &Work<'_>) -> Result<Engine, EngineError> {
        match self {
            Self::Own(store) => work.set_up(Engine::builder(Arc::clone(store) as _), self).open(),
            Self::Shared(store) => work.set_up(Engine::builder_shared(Arc::clone(store)), self).open(),
        }
    }

    pub(super) const fn is_shared(&self) -> bool {
        matches!(self, Self::Shared(_))
    }

    /// Makes a copy of it, where nothing is.
    pub(super) fn back_up(&self, to: &Path) -> Result<(), StoreError> {
        match self {
            Self::Own(store) => store.back_up(to),
            Self::Shared(_) => {
                let detail = "a database has tools of its own for backups, such as pg_dump";
                Err(StoreError::new(ErrorKind::Invalid, "back up the store", detail))
            }
        }
    }
}

/// Bytes of a file of rows. Rows of a running job are seen when their file is full, so small files show them early.
const FILE_BYTES: u64 = 8 << 20;

/// Opens the store for writing.
pub(super) fn write(global: &Global) -> Result<Opened, Box<dyn Error>> {
    write_at(&global.store)
}

/// As [`write`], where it is there already.
pub(super) fn existing(store: &Location) -> Result<Opened, Box<dyn Error>> {
    check_there(store)?;
    write_at(store)
}

/// As [`write`], of any store.
pub(super) fn write_at(store: &Location) -> Result<Opened, Box<dyn Error>> {
    Ok(match store {
        Location::Directory(directory) => {
            let options = RocksOptions::default().file_bytes(FILE_BYTES);
            Opened::Own(Arc::new(RocksStore::open(directory, options)?))
        }
        Location::Postgres { database, blocks } => Opened::Shared(postgres(database, blocks.as_deref())?),
    })
}

/// The work that an engine does: all filters and algorithms on these graphs, and exports where there is a place for them.
pub(super) struct Work<'a> {
    pub(super) graphs: &'a Arc<Graphs>,
    pub(super) workers: usize,
    /// The directory of exported files.
    pub(super) exports: Option<&'a Path>,
    /// Whether parameters that no declaration has are left out of requests.
    pub(super) lenient: bool,
}

impl Work<'_> {
    fn set_up<S>(&self, builder: EngineBuilder<S>, store: &Opened) -> EngineBuilder<S> {
        let builder = handlers::register(builder, self.graphs);
        let builder = if self.lenient { builder.ignore_unknown_parameters() } else { builder };
        // Another process runs the jobs that this one submits.
        let builder = if self.workers == 0 { builder.manual() } else { builder.workers(self.workers) };
        match self.exports {
            Some(directory) => builder.algorithm(Exporter::KIND, Exporter::new(store.store(), directory)),
            None => builder,
        }
    }
}

/// The store for reading, also while other processes write it.
pub(super) fn read_only(global: &Global) -> Result<Arc<dyn Store>, Box<dyn Error>> {
    read_only_at(&global.store)
}

fn check_there(store: &Location) -> Result<(), Mistake> {
    match store {
        Location::Directory(directory) if !directory.join("CURRENT").exists() => {
            let store = directory.display();
            let message =
                format!("there is no job store at {store}: submit a job first, or name another with --store");
            Err(Mistake::new(Exit::NotFound, message))
        }
        _ => Ok(()),
    }
}

/// As [`read_only`], of any store.
pub(super) fn read_only_at(store: &Location) -> Result<Arc<dyn Store>, Box<dyn Error>> {
    check_there(store)?;
    match store {
        Location::Directory(directory) => Ok(Arc::new(RocksStore::open_read_only(directory)?)),
        Location::Postgres { database, blocks } => Ok(postgres(database, blocks.as_deref())?),
    }
}

/// A reader of the store, also while other processes write to it.
pub(super) fn read(global: &Global) -> Result<JobReader, Box<dyn Error>> {
    Ok(JobReader::new(read_only(global)?))
}

#[cfg(feature = "objects")]
fn postgres(database: &str, blocks: Option<&str>) -> Result<Arc<dyn SharedStore>, Box<dyn Error>> {
    let mut options = PostgresOptions::default();
    options.objects = blocks.map(ObjectOptions::at);
    Ok(Arc::new(PostgresStore::open(database, options)?))
}

#[cfg(all(feature = "postgres", not(feature = "objects")))]
fn postgres(database: &str, blocks: Option<&str>) -> Result<Arc<dyn SharedStore>, Box<dyn Error>> {
    if blocks.is_some() {
        return Err(Mistake::new(
            Exit::Usage,
            "this program was built without blocks in objects: leave out `,blocks=`, or build it with `--features objects`",
        )
        .into());
    }
    Ok(Arc::new(PostgresStore::open(database, PostgresOptions::default())?))
}

#[cfg(not(feature = "postgres"))]
fn postgres(_database: &str, _blocks: Option<&str>) -> Result<Arc<dyn SharedStore>, Box<dyn Error>> {
    Err(Mistake::new(
        Exit::Usage,
        "this program was built without PostgreSQL: name a directory with --store, or build it with `--features objects`",
    )
    .into())
}
