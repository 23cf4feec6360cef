//! A graph in IndraDB. Its ids are UUIDs, and its database of RocksDB is closed to others.

use std::{ops::Range, path::Path, sync::Arc};

use indradb::{
    BulkInsertItem, Database, Datastore, Edge, Error, Identifier, Json, RocksdbDatastore, Transaction, Vertex,
};
use uuid::Uuid;

#[derive(Clone)]
pub(crate) struct Graph {
    db: Arc<Database<RocksdbDatastore>>,
    age: Identifier,
}

impl Graph {
    pub(crate) fn open(directory: &Path) -> Result<Self, Error> {
        let age = Identifier::new("age")?;
        Ok(Self { db: Arc::new(RocksdbDatastore::new_db(directory)?), age })
    }

    /// Fills an empty graph. Each vertex has an edge to the one a thousand numbers on, so there are a thousand components.
    pub(crate) fn fill(&self, vertices: u64) -> Result<(), Error> {
        if self.db.datastore.transaction().all_vertices()?.next().is_some() {
            return Ok(());
        }
        let [person, knows] = [Identifier::new("person")?, Identifier::new("knows")?];
        let mut items = Vec::new();
        for number in 0..vertices {
            items.push(BulkInsertItem::Vertex(Vertex::with_id(id(number), person)));
            items.push(BulkInsertItem::VertexProperty(id(number), self.age, Json::new((number * 7 % 90).into())));
            if number + 1_000 < vertices {
                items.push(BulkInsertItem::Edge(Edge::new(id(number), knows, id(number + 1_000))));
            }
        }
        self.db.bulk_insert(items)
    }

    /// Lends the vertices in a range of ids, with their ages, to `each`.
    pub(crate) fn each_vertex<E: From<Error>>(
        &self,
        ids: &Range<Uuid>,
        mut each: impl FnMut(Uuid, Option<u64>) -> Result<(), E>,
    ) -> Result<(), E> {
        let transaction = self.db.datastore.transaction();
        for vertex in transaction.range_vertices(ids.start)? {
            let vertex = vertex?;
            if vertex.id >= ids.end {
                break;
            }
            let age = transaction.vertex_property(&vertex, self.age)?;
            each(vertex.id, age.and_then(|age| age.as_u64()))?;
        }
        Ok(())
    }

    /// Lends both ends of every edge to `each`.
    pub(crate) fn each_edge(&self, mut each: impl FnMut(Uuid, Uuid)) -> Result<(), Error> {
        for edge in self.db.datastore.transaction().all_edges()? {
            let edge = edge?;
            each(edge.outbound_id, edge.inbound_id);
        }
        Ok(())
    }
}

/// The id of a vertex by its number: spread over all keys, as random ones are.
fn id(number: u64) -> Uuid {
    Uuid::from_u64_pair(number.wrapping_mul(0x9e37_79b9_7f4a_7c15), number)
}
