//! The demo from the outside: payloads of every kind of work, facts about `WordNet`, and the program itself.
#![cfg(test)]

mod actions;
#[cfg(feature = "postgres")]
mod cluster;
mod docs;
mod facts;
mod normal;
mod operate;
mod payloads;
mod program;
mod readme;
mod samples;
mod serve;
mod served;
mod wordnet;
