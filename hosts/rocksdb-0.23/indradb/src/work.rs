//! The handlers: they see the graph and the context of their job.

use std::{
    collections::BTreeMap,
    ops::{ControlFlow, Range},
};

use job_runner::{Iterative, JobContext, JobError, Partition};
use uuid::Uuid;

use crate::graph::Graph;

/// Cuts all ids by their first byte into 32 ranges. The last one has no end that an id reaches.
fn ranges() -> Vec<Range<Uuid>> {
    let bound = |part: u128| Uuid::from_u128(part << 123);
    let all = (0..32).map(|part| bound(part)..if part == 31 { Uuid::max() } else { bound(part + 1) });
    all.collect()
}

/// The vertices of an age of at least 18. Idle workers take a range of ids each.
pub(crate) fn adults(ctx: &mut JobContext, graph: &Graph) -> Result<(), JobError> {
    let graph = graph.clone();
    ctx.scan_ranges("vertices", ranges(), move |range: &Range<Uuid>, part: &mut Partition<'_>| {
        graph.each_vertex(range, |id, age| {
            part.check_stopped()?;
            match age {
                Some(age) if age >= 18 => {
                    part.push_json(format!(r#"{{"id":"{id}","properties":{{"Age":[{age}]}}}}"#).as_bytes())
                }
                _ => Ok(()),
            }
        })
    })
}

/// The least number of a vertex in the component of each one. The numbers are the places in the order of ids.
struct Components {
    graph: Graph,
    places: BTreeMap<Uuid, u32>,
    least: Vec<u32>,
    step: u64,
    begun_at: u64,
    held: Option<u64>,
}

/// A row for each vertex, in the order of ids: the vertex with the least id that edges lead to, in either direction.
pub(crate) fn components(ctx: &mut JobContext, graph: &Graph, held: Option<u64>) -> Result<(), JobError> {
    let mut ids = Vec::new();
    graph.each_vertex::<JobError>(&(Uuid::nil()..Uuid::max()), |id, _| {
        ids.push(id);
        ctx.check_stopped()
    })?;
    let places = ids.iter().copied().zip(0..).collect();
    let least = (0..u32::try_from(ids.len())?).collect();
    let mut components = Components { graph: graph.clone(), places, least, step: 0, begun_at: 0, held };
    ctx.iterate(&mut components)?;
    ctx.set_output("begun_at", &components.begun_at)?;
    let mut rows = ctx.rows("community")?;
    for (id, least) in ids.iter().zip(&components.least) {
        let of = usize::try_from(*least).ok().and_then(|least| ids.get(least));
        let of = of.ok_or_else(|| JobError::failed("a component has no vertex"))?;
        rows.push_json(format!(r#"{{"{id}":"{of}"}}"#).as_bytes())?;
    }
    Ok(())
}

impl Iterative for Components {
    /// Both ends of each edge take the lesser of their numbers. The order of the edges decides how many steps it takes, and
    /// not how they end.
    fn step(&mut self) -> Result<ControlFlow<()>, JobError> {
        story::hold(self.step, self.held);
        let Self { graph, places, least, .. } = self;
        let mut next = least.clone();
        let place = |id| places.get(&id).and_then(|place| usize::try_from(*place).ok());
        graph.each_edge(|from, to| {
            let Some((from, to)) = place(from).zip(place(to)) else { return };
            let lesser = least.get(from).min(least.get(to)).copied();
            for end in [from, to] {
                if let Some((next, lesser)) = next.get_mut(end).zip(lesser) {
                    *next = lesser.min(*next);
                }
            }
        })?;
        self.step += 1;
        let is_done = *least == next;
        self.least = next;
        Ok(if is_done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn progress(&self) -> Range<u64> {
        // How many steps there are is known at the end.
        0..0
    }

    fn save(&self) -> Option<Vec<u8>> {
        let least = self.least.iter().flat_map(|number| number.to_be_bytes());
        Some(self.step.to_be_bytes().into_iter().chain(least).collect())
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), JobError> {
        let cut_off = || JobError::failed("the saved state of components is cut off");
        let (step, least) = state.split_first_chunk().ok_or_else(cut_off)?;
        let (least, rest) = least.as_chunks();
        if !rest.is_empty() {
            return Err(cut_off());
        }
        self.step = u64::from_be_bytes(*step);
        self.least = least.iter().map(|number| u32::from_be_bytes(*number)).collect();
        self.begun_at = self.step;
        Ok(())
    }
}
