//! [`Options`]: the options with which an engine is opened, as JSON.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use job_runner::{
    Durability, Engine, EngineBuilder, JobClass, Retention, RetryPolicy, SharedEngineBuilder,
    job_core::strict,
    store::{Store, UnknownPacking},
};
use serde::Deserialize;

use crate::{
    error::{Failure, Outcome},
    place::{Opened, Place, Postgres, Rocks},
};

/// The options of an engine, read from JSON. Unknown keys are refused. Times are in milliseconds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Options {
    store: Place,
    /// How rows are packed on the disk.
    packing: Option<String>,
    #[serde(default)]
    rocksdb: Option<Rocks>,
    #[serde(default)]
    postgres: Option<Postgres>,
    workers: Option<usize>,
    #[serde(default)]
    front_end: bool,
    threads: Option<usize>,
    queue_bound: Option<usize>,
    jobs_per_graph: Option<NonZeroUsize>,
    #[serde(default)]
    jobs_per_class: PerClass,
    priority_aging_ms: Option<u64>,
    durability: Option<Durable>,
    retry: Option<Retry>,
    checkpoint_interval_ms: Option<u64>,
    shutdown_timeout_ms: Option<u64>,
    retention: Option<Kept>,
    lease_duration_ms: Option<u64>,
    max_prefetch: Option<usize>,
    poll_interval_ms: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PerClass {
    read: Option<NonZeroUsize>,
    write: Option<NonZeroUsize>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Durable {
    Synced,
    Buffered,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Retry {
    initial_backoff_ms: u64,
    max_backoff_ms: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    age_ms: Option<u64>,
    jobs: Option<u64>,
    bytes: Option<u64>,
}

impl Options {
    pub(crate) fn read(json: &str) -> Outcome<Self> {
        Ok(strict::read("the options", json)?)
    }

    /// Opens the store, and an engine on it with the handlers that `register` adds.
    pub(crate) fn open(&self, register: &impl Register) -> Outcome<(Engine, Arc<dyn Store>)> {
        self.check()?;
        let packing = self.packing.as_deref().map(str::parse).transpose();
        let packing = packing.map_err(|error: UnknownPacking| Failure::argument(format!("packing: {error}")))?;
        Ok(match self.store.open(packing, self.rocksdb.as_ref(), self.postgres.as_ref())? {
            Opened::Own(store) => {
                let mut builder = self.set_up(register.on(Engine::builder(Arc::clone(&store))));
                if let Some(bound) = self.queue_bound {
                    builder = builder.queue_bound(bound);
                }
                (builder.open()?, store)
            }
            Opened::Shared(store) => {
                let builder = self.set_up(register.on(Engine::builder_shared(Arc::clone(&store))));
                (self.set_up_shared(builder).open()?, store)
            }
        })
    }

    /// Whether the options fit together.
    fn check(&self) -> Outcome {
        let shared = matches!(self.store, Place::Postgres(_));
        let of_shared = [
            ("lease_duration_ms", self.lease_duration_ms.is_some()),
            ("max_prefetch", self.max_prefetch.is_some()),
            ("poll_interval_ms", self.poll_interval_ms.is_some()),
        ];
        let misfit = match of_shared.into_iter().find(|(_, given)| *given) {
            Some((name, _)) if !shared => Some((name, "is for a store that engines share")),
            _ if shared && self.queue_bound.is_some() => Some(("queue_bound", "is for a store of one engine")),
            _ if self.packing.is_some() && matches!(self.store, Place::Memory) => {
                Some(("packing", "is for a store on a disk"))
            }
            _ if self.rocksdb.is_some() && !matches!(self.store, Place::Rocksdb(_)) => {
                Some(("rocksdb", "has the options of a store in RocksDB"))
            }
            _ if self.postgres.is_some() && !shared => {
                Some(("postgres", "has the options of a store in PostgreSQL"))
            }
            _ if self.front_end && self.workers.is_some() => Some(("workers", "is for an engine that runs jobs")),
            _ => None,
        };
        misfit.map_or(Ok(()), |(name, why)| Err(Failure::argument(format!("{name} {why}: leave it out"))))
    }

    fn set_up<S>(&self, mut builder: EngineBuilder<S>) -> EngineBuilder<S> {
        if let Some(workers) = self.workers {
            builder = builder.workers(workers);
        }
        if self.front_end {
            builder = builder.front_end();
        }
        if let Some(threads) = self.threads {
            builder = builder.threads(threads);
        }
        if let Some(limit) = self.jobs_per_graph {
            builder = builder.jobs_per_graph(limit);
        }
        for (class, limit) in
            [(JobClass::Read, self.jobs_per_class.read), (JobClass::Write, self.jobs_per_class.write)]
        {
            if let Some(limit) = limit {
                builder = builder.jobs_per_class(class, limit);
            }
        }
        self.set_times(builder)
    }

    fn set_times<S>(&self, mut builder: EngineBuilder<S>) -> EngineBuilder<S> {
        let time = |ms: Option<u64>| ms.map(Duration::from_millis);
        if let Some(interval) = time(self.priority_aging_ms) {
            builder = builder.priority_aging(interval);
        }
        match self.durability {
            Some(Durable::Synced) => builder = builder.durability(Durability::Synced),
            Some(Durable::Buffered) => builder = builder.durability(Durability::Buffered),
            None => {}
        }
        if let Some(Retry { initial_backoff_ms, max_backoff_ms }) = self.retry {
            let pauses = [initial_backoff_ms, max_backoff_ms].map(Duration::from_millis);
            let [initial, max] = pauses;
            builder = builder.retry(RetryPolicy::new(initial, max));
        }
        if let Some(interval) = time(self.checkpoint_interval_ms) {
            builder = builder.checkpoint_interval(interval);
        }
        if let Some(timeout) = time(self.shutdown_timeout_ms) {
            builder = builder.shutdown_timeout(timeout);
        }
        if let Some(Kept { age_ms, jobs, bytes }) = self.retention {
            let mut retention = Retention::default();
            (retention.age, retention.jobs, retention.bytes) = (time(age_ms), jobs, bytes);
            builder = builder.retention(retention);
        }
        builder
    }

    fn set_up_shared(&self, mut builder: SharedEngineBuilder) -> SharedEngineBuilder {
        if let Some(lease) = self.lease_duration_ms {
            builder = builder.lease_duration(Duration::from_millis(lease));
        }
        if let Some(jobs) = self.max_prefetch {
            builder = builder.max_prefetch(jobs);
        }
        if let Some(interval) = self.poll_interval_ms {
            builder = builder.poll_interval(Duration::from_millis(interval));
        }
        builder
    }
}

/// Adds the handlers to an engine of either kind.
pub(crate) trait Register {
    fn on<S>(&self, builder: EngineBuilder<S>) -> EngineBuilder<S>;
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;

    impl Register for Nothing {
        fn on<S>(&self, builder: EngineBuilder<S>) -> EngineBuilder<S> {
            builder
        }
    }

    fn refused(json: &str) -> String {
        let opened = Options::read(json).and_then(|options| options.open(&Nothing));
        opened.err().map(|failure| failure.message).unwrap_or_default()
    }

    #[test]
    fn every_option_is_taken() {
        let all = r#"{"store":"memory","workers":1,"threads":2,"queue_bound":5,"jobs_per_graph":1,
            "jobs_per_class":{"read":1,"write":1},"priority_aging_ms":1000,"durability":"buffered",
            "retry":{"initial_backoff_ms":1,"max_backoff_ms":2},"checkpoint_interval_ms":0,"shutdown_timeout_ms":0,
            "retention":{"age_ms":1,"jobs":2,"bytes":3}}"#;
        assert_eq!(refused(all), "");
        assert_eq!(refused(r#"{"store":"memory","front_end":true}"#), "");
    }

    #[test]
    fn an_option_that_is_wrong_is_named() {
        for (json, words) in [
            ("", "the options is empty"),
            ("[]", "the options is a list"),
            ("{}", "store is missing"),
            (
                r#"{"store":"memory","worker":1}"#,
                "worker is unknown: it must be one of store, packing, rocksdb, postgres, workers",
            ),
            (r#"{"store":"memory","retention":{"days":1}}"#, "retention.days is unknown"),
            (r#"{"store":"sqlite"}"#, "store is \"sqlite\": it must be one of memory, rocksdb, redb, postgres"),
            (r#"{"store":{"rocksdb":1}}"#, "store.rocksdb is 1: it must be a string"),
            (r#"{"store":"memory","workers":0}"#, "workers is 0"),
            (r#"{"store":"memory","workers":-1}"#, "workers is -1"),
            (r#"{"store":"memory","poll_interval_ms":5}"#, "poll_interval_ms is for a store that engines share"),
            (r#"{"store":"memory","rocksdb":{}}"#, "rocksdb has the options of a store in RocksDB: leave it out"),
            (r#"{"store":"memory","postgres":{}}"#, "postgres has the options of a store in PostgreSQL"),
            (r#"{"store":{"rocksdb":"x"},"rocksdb":{"cache":1}}"#, "rocksdb.cache is unknown"),
            (r#"{"store":{"rocksdb":"x"},"rocksdb":{"compression":"lz4"}}"#, "rocksdb.compression is unknown"),
            (r#"{"store":{"rocksdb":"x"},"packing":"zip"}"#, "packing: \"zip\" is no packing"),
            (r#"{"store":"memory","packing":"none"}"#, "packing is for a store on a disk: leave it out"),
            #[cfg(feature = "redb")]
            (r#"{"store":{"redb":"/no/such/directory/jobs"},"packing":"zstd:3"}"#, "its packing is zstd:3"),
            (r#"{"store":{"postgres":"x"},"queue_bound":5}"#, "queue_bound is for a store of one engine"),
            #[cfg(feature = "redb")]
            (r#"{"store":{"redb":"/no/such/directory/jobs"}}"#, "/no/such/directory/jobs"),
            (r#"{"store":"memory","front_end":true,"workers":1}"#, "workers is for an engine that runs jobs"),
        ] {
            assert!(refused(json).contains(words), "{json}: {}", refused(json));
        }
    }
}
