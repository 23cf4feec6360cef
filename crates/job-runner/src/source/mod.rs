//! The two sources of jobs: [`Alone`] for an engine with its own store, [`Cluster`] for one of several on a shared
//! store.

mod alone;
mod claimer;
mod cluster;
mod leases;
mod remote;
mod take_up;
mod turn;

pub(crate) use self::{alone::Alone, cluster::Cluster};
