//! The API over an engine in memory, through the router and without a network.
#![cfg(test)]

mod access;
mod actions;
mod caches;
mod cancel;
mod dialects;
mod docs;
mod download;
mod export;
mod extensions;
mod figures;
mod hanging;
mod host;
mod lenient;
mod limits;
mod list;
mod neutral;
mod openapi;
mod operator;
mod origins;
mod proxies;
mod raw;
mod readback;
mod serve;
mod status;
mod streaming;
mod submit;
mod synchronous;
mod view;
