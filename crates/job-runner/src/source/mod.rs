//! The two sources of jobs: an engine [`Alone`] with its store, or one of several ([`Cluster`]) on a store that they share.

mod alone;
mod claimer;
mod cluster;
mod leases;
mod remote;
mod take_up;
mod turn;

pub(crate) use self::{alone::Alone, cluster::Cluster};
