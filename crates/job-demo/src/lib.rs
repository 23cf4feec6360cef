//! A small graph engine that links the job library. It shows the code that a real engine needs to run its work as
//! jobs.
//!
//! It is a demonstration, **not** a graph database: graphs are read-only and sit in memory.
//!
//! | module | holds |
//! | --- | --- |
//! | [`graph`] | vertices, edges, adjacency |
//! | [`wordnet`], [`movies`], [`synthetic`], [`graphs`] | where graphs come from |
//! | [`filter`] | vertex and edge filters: request bodies, checked and run |
//! | [`algorithms`] | `pagerank`, `louvain`, `sssp` and fifteen more |
//! | [`watch`] | how work is stopped and reports progress; knows nothing of jobs |
//! | [`declared`] | the parameters of filters and algorithms, for forms and documents |
//! | [`check`] | what is asked of a job before it is stored |
//! | [`handlers`] | the one module that knows the job library: filters and algorithms as job handlers |
//!
//! ```
//! use job_demo::{algorithms::Algorithm, movies, watch::Unwatched};
//!
//! let graph = movies::load()?;
//! let pagerank = Algorithm::find("pagerank").ok_or("no such algorithm")?;
//! let answer = pagerank.run(&graph, r#"{"alpha": "0.85", "directed": false}"#, &Unwatched)?;
//! assert_eq!(answer.list.map(|list| (list.name, list.len())), Some(("pagerank", 160)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod actions;
pub mod algorithms;
pub mod check;
pub mod declared;
pub mod filter;
pub mod filtered;
pub mod graph;
pub mod graphs;
pub mod handlers;
pub mod movies;
pub mod schema;
pub mod synthetic;
pub mod watch;
pub mod wordnet;

mod chance;
