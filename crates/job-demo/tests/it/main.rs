//! The demo from the outside: payloads of every kind of work, facts about `WordNet`, and the program itself.
#![cfg(test)]

mod actions;
#[cfg(feature = "postgres")]
mod cluster;
mod docs;
mod operate;
mod payloads;
mod program;
mod readme;
mod serve;
mod served;
mod wordnet;
