//! Opening the store: for writing by one process, for reading by any number beside it.

use std::{error::Error, path::Path, sync::Arc};

use job_demo::{graphs::Graphs, handlers};
use job_runner::{
    Engine, JobReader,
    store::{RocksOptions, RocksStore},
};

use super::Global;

/// Opens the store for writing.
pub(super) fn write(global: &Global) -> Result<Arc<RocksStore>, Box<dyn Error>> {
    Ok(Arc::new(RocksStore::open(&global.store, RocksOptions::default())?))
}

/// An engine over the store, with all handlers.
pub(super) fn engine(
    store: &Arc<RocksStore>,
    graphs: &Arc<Graphs>,
    workers: usize,
) -> Result<Engine, Box<dyn Error>> {
    let builder = Engine::builder(Arc::<RocksStore>::clone(store)).workers(workers);
    Ok(handlers::register(builder, graphs).open()?)
}

/// Reads the store, also while another process writes it.
pub(super) fn read(global: &Global) -> Result<JobReader, Box<dyn Error>> {
    if !Path::exists(&global.store) {
        let store = global.store.display();
        return Err(
            format!("there is no job store at {store}: submit a job first, or name another with --store").into()
        );
    }
    Ok(JobReader::new(Arc::new(RocksStore::open_read_only(&global.store)?)))
}
