//! Laws about what calls cost: not time, but how much a store looks at, where the fixture counts that.

use std::ops::ControlFlow;

use super::{Broken, Fixture, at, finish, key, list, running, succeed, versioned, waiting, write};
use crate::{Durability, Store, StoreError};

/// How many other jobs or blocks the store has in the small and in the large case.
const SIZES: [u64; 2] = [10, 1_000];

law! { Fixture;
    /// A call looks at as much in a large store as in a small one. The other jobs are older, newer or complete.
    [Cost]
    fn a_call_costs_what_it_asks_for_whatever_else_is_there(in fixture) {
        let mut store = fixture.open();
        let open: Vec<_> = (500_000..500_005).map(waiting).collect();
        store.insert(&open, Durability::Buffered)?;
        let done = finish(&*store, &versioned(500_010, "v1"))?;
        let alive = running(&*store, 500_020)?;
        store.save_checkpoint(alive.id, 1, b"half way")?;
        store.save_failures(alive.id, 1, &[super::failures::failed(1, "busy")])?;
        let (mut others, mut costs) = (0, Vec::new());
        for size in SIZES {
            while others < size {
                others += 1;
                // Half of the other jobs are older than the job of the call, half are newer.
                finish(&*store, &waiting(others + (others % 2) * 1_000_000))?;
            }
            // An engine may keep deleted keys until it tidies up, so the store is closed and opened again.
            drop(store);
            store = fixture.open();
            let calls: [(&str, Call<'_>); 11] = [
                ("get", &|| store.get(done.id).map(drop)),
                ("get of an unknown job", &|| store.get(waiting(600_000).id).map(drop)),
                ("find_key", &|| store.find_key("图", "key 500010").map(drop)),
                ("find_reusable", &|| store.find_reusable(&done.spec).map(drop)),
                ("usage", &|| store.usage(&[done.id, alive.id]).map(drop)),
                ("result", &|| store.result(done.id).map(drop)),
                ("checkpoint", &|| store.checkpoint(alive.id).map(drop)),
                ("failures", &|| store.failures(alive.id).map(drop)),
                ("unfinished_entries", &|| store.unfinished_entries().map(drop)),
                ("the newest entries", &|| store.entries(None, 0, 5).map(drop)),
                ("entries before one", &|| store.entries(Some(done.id), 0, 5).map(drop)),
            ];
            let mut all = Vec::new();
            for (name, call) in calls {
                let Some(cost) = cost(fixture, call)? else { return Ok(()) };
                all.push((name, cost));
            }
            costs.push(all);
        }
        grows_little(&costs)?;
    }

    /// A page costs one seek, and then the blocks that it touches, at any first row.
    [Cost, Read]
    fn a_page_costs_its_blocks_wherever_it_begins(in fixture) {
        let mut costs = Vec::new();
        let store = fixture.open();
        let store: &dyn Store = &*store;
        for (blocks, n) in SIZES.into_iter().zip(1..) {
            let running = running(store, n)?;
            let result = list(vec![write(store, key(&running, 0), 0, blocks * 10, 10)?]);
            let done = succeed(store, &running, at(9), &result, Durability::Buffered)?;
            let key = key(&done, 0);
            let windows = [("the first rows", 0), ("rows in the middle", blocks * 5), ("the last rows", blocks * 10 - 10)];
            let mut all = Vec::new();
            for (name, start) in windows {
                let window = || store.read(key, start..start + 10, &mut |_| Ok(ControlFlow::Continue(())));
                let Some(cost) = cost(fixture, &window)? else { return Ok(()) };
                all.push((name, cost));
            }
            let enough = || store.read(key, 0..blocks * 10, &mut |_| Ok(ControlFlow::Break(())));
            let Some(cost) = cost(fixture, &enough)? else { return Ok(()) };
            all.push(("rows whose reader has enough", cost));
            costs.push(all);
        }
        grows_little(&costs)?;
    }
}

type Call<'c> = &'c dyn Fn() -> Result<(), StoreError>;

/// The steps that a call takes in the store. `None` where the fixture does not count steps.
fn cost(fixture: &dyn Fixture, call: Call<'_>) -> Result<Option<u64>, Broken> {
    let Some(before) = fixture.looked_at() else { return Ok(None) };
    call()?;
    Ok(fixture.looked_at().map(|after| after - before))
}

/// Checks that a store of a hundred times the size costs at most twice as much and a few steps. A tree may be one
/// level deeper.
fn grows_little(costs: &[Vec<(&str, u64)>]) -> Result<(), Broken> {
    let [few, many] = costs else { return Err("it was not measured".into()) };
    for ((name, few), (_, many)) in few.iter().zip(many) {
        if *many > few * 2 + 8 {
            return Err(format!("{name}: {few} beside {}, {many} beside {}", SIZES[0], SIZES[1]).into());
        }
    }
    Ok(())
}
