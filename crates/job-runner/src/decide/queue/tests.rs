use proptest::prelude::*;

use super::*;

const AGEING: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(500);

fn queue(per_graph: usize, per_class: [usize; 2]) -> Queue {
    Queue::new(Limits { priority_aging: AGEING, longest_pause: LONGEST_PAUSE, per_graph, per_class })
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn job(n: u8, graph: &str) -> Waiting<'_> {
    Waiting {
        id: JobId::from_bytes([n; 16]),
        class: JobClass::Read,
        graph,
        priority: 0,
        submitted_at: at(u64::from(n)),
        not_before: None,
        suspect: None,
    }
}

fn id(n: u8) -> JobId {
    JobId::from_bytes([n; 16])
}

/// A suspect that was blamed this often.
fn suspect(n: u8, graph: &str, blamed: u32) -> Waiting<'_> {
    Waiting { suspect: Some(blamed), ..job(n, graph) }
}

fn taken(queue: &mut Queue) -> Vec<u8> {
    std::iter::from_fn(|| queue.pop(at(1_000))).map(|id| id.as_bytes()[0]).collect()
}

#[test]
fn jobs_of_a_graph_run_in_the_order_of_submission() {
    let mut queue = queue(9, [9, 9]);
    for n in [3, 1, 2] {
        queue.push(job(n, "g"));
    }
    assert_eq!(taken(&mut queue), [1, 2, 3]);
}

#[test]
fn priority_overtakes_until_age_catches_up() {
    let mut queue = queue(9, [9, 9]);
    queue.push(job(1, "g"));
    queue.push(Waiting { priority: 1, ..job(9, "g") }); // 8 s younger: one step of priority is worth 10 s
    queue.push(Waiting { priority: 1, ..job(15, "g") }); // 14 s younger: too late
    assert_eq!(taken(&mut queue), [9, 1, 15]);
}

#[test]
fn graphs_take_turns_however_many_jobs_one_has() {
    let mut queue = queue(9, [99, 9]);
    for n in 1..=6 {
        queue.push(job(n, "big"));
    }
    queue.push(job(7, "small"));
    queue.push(job(8, "small"));
    assert_eq!(taken(&mut queue)[..4], [1, 7, 2, 8]);
}

#[test]
fn a_graph_that_used_more_worker_time_waits() {
    let mut queue = queue(9, [1, 1]);
    for n in 1..=4 {
        queue.push(job(n, "slow"));
        queue.push(job(n + 10, "quick"));
    }
    let mut order = Vec::new();
    while let Some(id) = queue.pop(at(1_000)) {
        let n = id.as_bytes()[0];
        order.push(n);
        queue.finish(id, if n < 10 { Duration::from_mins(1) } else { Duration::from_secs(1) });
    }
    assert_eq!(order, [1, 11, 12, 13, 14, 2, 3, 4]);
}

#[test]
fn a_graph_at_its_limit_lets_others_pass() {
    let mut queue = queue(2, [9, 9]);
    for n in 1..=3 {
        queue.push(job(n, "a"));
    }
    queue.push(job(4, "b"));
    assert_eq!(taken(&mut queue), [1, 4, 2]);
    assert_eq!(queue.position(JobId::from_bytes([3; 16])), Some(Position::GraphBusy(2)));
    queue.finish(JobId::from_bytes([1; 16]), Duration::ZERO);
    assert_eq!(taken(&mut queue), [3]);
}

#[test]
fn classes_have_limits_of_their_own() {
    let mut queue = queue(9, [9, 1]);
    for n in 1..=3 {
        queue.push(Waiting { class: JobClass::Write, ..job(n, "g") });
    }
    queue.push(job(4, "g"));
    let order = taken(&mut queue);
    assert_eq!(order, [4, 1]);
    assert_eq!(queue.position(JobId::from_bytes([2; 16])), Some(Position::ClassBusy(1)));
    assert_eq!((queue.waiting(JobClass::Write), queue.running(JobClass::Write)), (2, 1));
}

#[test]
fn a_clock_that_jumps_back_sends_no_job_away_whose_time_had_come() {
    let mut queue = queue(9, [9, 9]);
    for n in [1, 2] {
        queue.push(Waiting { not_before: Some(at(50)), ..job(n, "g") });
    }
    assert!(queue.pop(at(50)).is_some());
    assert!(queue.pop(at(10)).is_some());
}

#[test]
fn a_job_whose_pause_a_clock_has_set_that_was_ahead_is_due() {
    let mut queue = queue(9, [9; 2]);
    let pause = |n, due| Waiting { not_before: Some(at(due)), ..job(n, "g") };
    for (n, due) in
        [(1, 1_050), (2, 1_000 + LONGEST_PAUSE.as_secs()), (3, 9_000_000), (4, 1_001 + LONGEST_PAUSE.as_secs())]
    {
        queue.push(pause(n, due));
    }
    let ready: Vec<JobId> = std::iter::from_fn(|| queue.pop(at(1_000))).collect();
    assert_eq!(ready, [job(3, "g").id, job(4, "g").id]);
    assert_eq!(queue.next_due(), Some(at(1_050)));
}

#[test]
fn a_delayed_job_waits_for_its_time() {
    let mut queue = queue(9, [9, 9]);
    queue.push(Waiting { not_before: Some(at(50)), ..job(1, "g") });
    assert_eq!((queue.pop(at(49)), queue.next_due()), (None, Some(at(50))));
    assert_eq!(queue.position(JobId::from_bytes([1; 16])), Some(Position::Delayed(at(50))));
    assert!(queue.pop(at(50)).is_some());
}

#[test]
fn suspects_run_one_at_a_time_and_others_beside_them() {
    let mut queue = queue(9, [9, 9]);
    for waiting in [suspect(1, "a", 0), suspect(2, "b", 0), job(3, "a"), suspect(4, "a", 0), job(5, "b")] {
        queue.push(waiting);
    }
    assert_eq!(taken(&mut queue), [1, 5, 3]);
    assert_eq!((queue.position(id(2)), queue.position(id(4))), (Some(Position::Suspect), Some(Position::Suspect)));
    assert_eq!((queue.running_suspect(), queue.suspects(), queue.waiting_in_all()), (Some(id(1)), 2, 2));
    queue.finish(id(3), Duration::ZERO);
    assert_eq!(taken(&mut queue), [0u8; 0], "the end of another clears nobody");
    queue.finish(id(1), Duration::ZERO);
    assert_eq!(taken(&mut queue), [0u8; 0], "its end is not stored yet");
    assert!(queue.clear(id(1)));
    assert_eq!(taken(&mut queue), [2]);
    assert!(!queue.clear(id(4)));
    assert_eq!(taken(&mut queue), [0u8; 0], "one that does not run keeps its place");
    assert!(queue.clear(id(2)));
    assert_eq!(taken(&mut queue), [4], "beside the one that is cleared");
    assert_eq!((queue.running_suspect(), queue.suspects()), (Some(id(4)), 0));
}

/// The most blamed suspect comes first. Otherwise a long job could run beside it, and die with it again.
#[test]
fn of_the_suspects_whoever_was_blamed_most_comes_first() {
    let mut queue = queue(9, [9, 9]);
    for waiting in [suspect(1, "a", 0), suspect(2, "b", 1), suspect(3, "a", 2), suspect(4, "a", 1)] {
        queue.push(waiting);
    }
    let mut order = Vec::new();
    while let Some(next) = queue.pop(at(1_000)) {
        order.push(next.as_bytes()[0]);
        queue.finish(next, Duration::ZERO);
        queue.clear(next);
    }
    assert_eq!(order, [3, 2, 4, 1]);
}

#[test]
fn a_suspect_that_is_taken_out_lets_the_next_one_in() {
    let mut queue = queue(1, [9, 9]);
    for waiting in [job(1, "a"), suspect(2, "a", 1), suspect(3, "b", 0)] {
        queue.push(waiting);
    }
    assert_eq!(taken(&mut queue), [1], "the suspect waits in its lane, whose graph is busy");
    assert_eq!(
        (queue.position(id(2)), queue.position(id(3))),
        (Some(Position::GraphBusy(1)), Some(Position::Suspect))
    );
    assert!(queue.remove(id(2)));
    assert_eq!(taken(&mut queue), [3]);
}

#[test]
fn a_graph_that_is_gone_leaves_nothing() {
    let mut queue = queue(9, [9, 9]);
    for n in 1..=200 {
        let id = JobId::from_bytes([n; 16]);
        queue.push(job(n, &format!("graph {n}")));
        if n % 2 == 0 {
            assert!(queue.remove(id));
        } else {
            assert_eq!(queue.pop(at(1_000)), Some(id));
            queue.finish(id, Duration::ZERO);
        }
    }
    assert!(queue.lanes.is_empty() && queue.names.iter().all(HashMap::is_empty) && queue.seats.is_empty());
    assert!(queue.eligible.iter().all(BTreeSet::is_empty));
}

#[derive(Debug, Clone)]
enum Step {
    Push { graph: &'static str, priority: i8, write: bool, delay: Option<u64>, suspect: Option<u32> },
    Pop,
    Finish(usize),
    Remove(usize),
    Clear(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (
            prop::sample::select(vec!["a", "b", "c", "d"]),
            -3..3i8,
            any::<bool>(),
            prop::option::of(0..60u64),
            prop::option::weighted(0.3, 0..3u32),
        )
            .prop_map(|(graph, priority, write, delay, suspect)| Step::Push { graph, priority, write, delay, suspect }),
        3 => Just(Step::Pop),
        1 => (0..20usize).prop_map(Step::Finish),
        1 => (0..20usize).prop_map(Step::Remove),
        1 => (0..20usize).prop_map(Step::Clear),
    ]
}

proptest! {
    /// No job is lost or given twice, and limits hold. One suspect runs at a time, and a waiting job has a reason
    /// to wait.
    #[test]
    fn any_use_keeps_the_promises(steps in prop::collection::vec(step(), 0..200)) {
        let mut queue = queue(2, [3, 1]);
        let (mut waiting, mut running): (Vec<Waiting>, Vec<Waiting>) = (Vec::new(), Vec::new());
        // The suspect that has entered its lane.
        let mut let_in: Option<JobId> = None;
        for (now, step) in (0u64..).zip(steps) {
            match step {
                Step::Push { graph, priority, write, delay, suspect } => {
                    let class = if write { JobClass::Write } else { JobClass::Read };
                    let id = JobId::from_bytes(u128::from(now + 1).to_be_bytes());
                    let not_before = delay.map(|delay| at(now + delay));
                    let pushed = Waiting {
                        id, class, graph, priority, submitted_at: at(now), not_before, suspect,
                    };
                    waiting.push(pushed);
                    queue.push(pushed);
                }
                Step::Pop => {
                    let due = |job: &&Waiting| job.not_before.is_none_or(|due| due <= at(now));
                    let rank = |job: &Waiting| {
                        let rank = job.submitted_at.as_micros().cast_signed() - i64::from(job.priority) * 10_000_000;
                        (Reverse(job.suspect), rank, job.id)
                    };
                    let suspects = waiting.iter().filter(|job| job.suspect.is_some());
                    let_in = let_in.or_else(|| suspects.filter(due).min_by_key(|job| rank(job)).map(|job| job.id));
                    let of = |list: &[Waiting], class| list.iter().filter(|job| job.class == class).count();
                    let free = |job: &Waiting| {
                        let graph = running.iter().filter(|other| (&other.graph, other.class) == (&job.graph, job.class));
                        due(&job)
                            && (job.suspect.is_none() || let_in == Some(job.id))
                            && graph.count() < 2
                            && of(&running, job.class) < if job.class == JobClass::Read { 3 } else { 1 }
                    };
                    let expected = waiting.iter().any(free);
                    prop_assert_eq!(queue.has_ready(at(now)), expected);
                    let popped = queue.pop(at(now));
                    prop_assert_eq!(popped.is_some(), expected);
                    if let Some(id) = popped {
                        let found = waiting.iter().position(|job| job.id == id).unwrap();
                        prop_assert!(free(&waiting[found]));
                        running.push(waiting.remove(found));
                    }
                }
                Step::Finish(n) if n < running.len() => {
                    let id = running.remove(n).id;
                    let_in = let_in.filter(|other| *other != id);
                    queue.finish(id, Duration::from_secs(1));
                    queue.clear(id);
                }
                Step::Remove(n) if n < waiting.len() => {
                    let id = waiting.remove(n).id;
                    let_in = let_in.filter(|other| *other != id);
                    prop_assert!(queue.remove(id));
                }
                Step::Clear(n) if n < running.len() => {
                    let_in = let_in.filter(|other| *other != running[n].id);
                    queue.clear(running[n].id);
                }
                Step::Finish(_) | Step::Remove(_) | Step::Clear(_) => {}
            }
            for class in JobClass::ALL {
                let of = |list: &[Waiting]| list.iter().filter(|job| job.class == class).count();
                prop_assert_eq!((queue.waiting(class), queue.running(class)), (of(&waiting), of(&running)));
            }
        }
    }
}

#[test]
fn a_newcomer_starts_level_with_those_that_were_there() {
    let mut queue = queue(9, [1, 1]);
    for n in 1..=4 {
        queue.push(job(n, "old"));
    }
    let served = |queue: &mut Queue| {
        let id = queue.pop(at(1_000)).unwrap();
        queue.finish(id, Duration::from_secs(10));
        id.as_bytes()[0]
    };
    assert_eq!((served(&mut queue), served(&mut queue)), (1, 2));
    for n in 11..=14 {
        queue.push(job(n, "new"));
    }
    let order: Vec<u8> = (0..6).map(|_| served(&mut queue)).collect();
    assert_eq!(order, [11, 3, 12, 4, 13, 14]);
}
