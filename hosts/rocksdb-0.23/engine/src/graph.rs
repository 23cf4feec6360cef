//! A graph in a database of RocksDB 0.23: vertices and edges are column families of their own, beside those of the jobs.

use std::{error::Error, fmt, ops::Range, path::Path, sync::Arc};

use rocksdb::{
    ColumnFamily, ColumnFamilyDescriptor, DB, DBRecoveryMode, IteratorMode, Options, ReadOptions, WriteBatch,
};

/// From a number of eight bytes to the properties of the vertex, as JSON.
const VERTICES: &str = "vertices";
/// Keys of sixteen bytes: the number of the vertex that the edge leaves, and that of the vertex that it enters.
const EDGES: &str = "edges";

type Outcome<T = ()> = Result<T, GraphError>;

/// The number of a vertex, and its properties.
type Vertex = (u64, Box<[u8]>);

#[derive(Clone)]
pub(crate) struct Graph {
    db: Arc<DB>,
}

impl Graph {
    /// Opens the database, or makes it, with all families: those of the graph, and those of the jobs.
    pub(crate) fn open(directory: &Path) -> Outcome<Self> {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
        let own = [VERTICES, EDGES].map(|name| ColumnFamilyDescriptor::new(name, Options::default()));
        let families = own.into_iter().chain(adaptor::column_families());
        Ok(Self { db: Arc::new(DB::open_cf_descriptors(&options, directory, families)?) })
    }

    /// The open database, which also keeps the jobs.
    pub(crate) fn database(&self) -> Arc<DB> {
        Arc::clone(&self.db)
    }

    /// Fills an empty graph. Each vertex has three edges to vertices that its number decides.
    pub(crate) fn fill(&self, vertices: u64) -> Outcome {
        if self.vertices(0..u64::MAX)?.next().is_some() {
            return Ok(());
        }
        let mut batch = WriteBatch::default();
        for vertex in 0..vertices {
            let properties = format!(r#"{{"Name":["person {vertex}"],"Age":[{}]}}"#, vertex * 7 % 90);
            batch.put_cf(self.family(VERTICES)?, vertex.to_be_bytes(), properties);
            for step in [1, 17, 4_001] {
                let target = (vertex * 31 + step) % vertices;
                batch.put_cf(self.family(EDGES)?, [vertex.to_be_bytes(), target.to_be_bytes()].concat(), []);
            }
        }
        Ok(self.db.write(batch)?)
    }

    /// The vertices with these numbers.
    pub(crate) fn vertices(&self, numbers: Range<u64>) -> Outcome<impl Iterator<Item = Outcome<Vertex>>> {
        let mut options = ReadOptions::default();
        options.set_iterate_range(numbers.start.to_be_bytes()..numbers.end.to_be_bytes());
        let entries = self.db.iterator_cf_opt(self.family(VERTICES)?, options, IteratorMode::Start);
        Ok(entries.map(|entry| {
            let (key, properties) = entry?;
            let number = key.first_chunk().ok_or(GraphError::Key(VERTICES))?;
            Ok((u64::from_be_bytes(*number), properties))
        }))
    }

    /// Both ends of every edge, in the order of the vertices that they leave.
    pub(crate) fn edges(&self) -> Outcome<impl Iterator<Item = Outcome<(u64, u64)>>> {
        let entries = self.db.iterator_cf(self.family(EDGES)?, IteratorMode::Start);
        Ok(entries.map(|entry| {
            let (key, _) = entry?;
            let ends = key.first_chunk().zip(key.last_chunk()).filter(|_| key.len() == 16);
            let (from, to) = ends.ok_or(GraphError::Key(EDGES))?;
            Ok((u64::from_be_bytes(*from), u64::from_be_bytes(*to)))
        }))
    }

    fn family(&self, name: &'static str) -> Outcome<&ColumnFamily> {
        self.db.cf_handle(name).ok_or(GraphError::Family(name))
    }
}

#[derive(Debug)]
pub(crate) enum GraphError {
    Database(rocksdb::Error),
    Family(&'static str),
    Key(&'static str),
}

impl fmt::Display for GraphError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(error) => write!(f, "the database of the graph failed: {error}"),
            Self::Family(name) => write!(f, "the database was opened without its family {name}"),
            Self::Key(name) => write!(f, "a key of {name} has another length than a graph writes"),
        }
    }
}

impl Error for GraphError {}

impl From<rocksdb::Error> for GraphError {
    fn from(error: rocksdb::Error) -> Self {
        Self::Database(error)
    }
}
