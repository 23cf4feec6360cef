//! The server of a store: commands go to it while it runs, because the store is open there.

use std::{error::Error, time::Duration};

use super::{
    Global,
    address::{self, Address, Heard, Standing},
    client::Unreached,
    exit::{Exit, Mistake},
    location::Location,
    remote::Remote,
};

/// The longest time for a server to identify itself.
const PATIENCE: Duration = Duration::from_secs(5);

/// The server of `--server`, or else the one that has the store; `None` if the store is free.
pub(super) fn find(global: &Global) -> Result<Option<Remote>, Box<dyn Error>> {
    if let Some(url) = &global.server {
        return Ok(Some(Remote::new(url)?));
    }
    Ok(match running_at(&global.store)? {
        Some(address) => Some(Remote::new(&address.url)?),
        None => None,
    })
}

/// The address of the store's server, if it runs.
pub(super) fn running_at(store: &Location) -> Result<Option<Address>, Box<dyn Error>> {
    let Location::Directory(directory) = store else { return Ok(None) };
    let Some(address) = Address::read(directory) else { return Ok(None) };
    let Address { url, pid, .. } = &address;
    let heard = match Remote::new(url)?.instance(PATIENCE) {
        Ok(instance) => Heard::Instance(instance),
        Err(Unreached::Silent { .. }) => Heard::Silence,
        Err(_) => Heard::Nobody,
    };
    match address::judge(&address, &heard, address::is_alive(*pid)) {
        Standing::Serves => Ok(Some(address)),
        Standing::Stale => Ok(None),
        Standing::Hangs => {
            let message = format!(
                "the store is served at {url} by process {pid}, which does not answer: try again, or end that process"
            );
            Err(Mistake::new(Exit::Store, message).into())
        }
    }
}

/// Refuses a command that cannot run while a server has the store open, nor through a server.
pub(super) fn none(global: &Global, command: &str) -> Result<(), Box<dyn Error>> {
    if global.server.is_some() {
        let message = format!("{command} opens a store itself: leave out --server");
        return Err(Mistake::new(Exit::Usage, message).into());
    }
    none_at(&global.store, command)
}

/// Refuses what needs a store for itself beside a server that has it.
pub(super) fn none_at(store: &Location, command: &str) -> Result<(), Box<dyn Error>> {
    match running_at(store)? {
        None => Ok(()),
        Some(Address { url, pid, .. }) => {
            let message = format!(
                "the store {store} is served at {url} by process {pid}: {command} needs it for itself; end that one first"
            );
            Err(Mistake::new(Exit::Store, message).into())
        }
    }
}
