//! Progress of something that only leaves traces on disk.

use std::{
    io::{self, IsTerminal},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

/// Shows how far `work` is while it runs: a bar on a terminal, elsewhere a line a minute.
pub(super) fn during<T>(name: &str, total: usize, done: impl Fn() -> usize + Sync, work: impl FnOnce() -> T) -> T {
    let (finished, wait) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(|| {
            // Owned by this thread: the receiver cannot be shared.
            let wait = wait;
            let show = if io::stderr().is_terminal() { bar } else { lines };
            show(name, total, &done, &wait);
        });
        let result = work();
        drop(finished);
        result
    })
}

fn bar(name: &str, total: usize, done: &dyn Fn() -> usize, wait: &mpsc::Receiver<()>) {
    let bar = ProgressBar::new(total as u64).with_prefix(name.to_owned());
    if let Ok(style) =
        ProgressStyle::with_template("{prefix} {wide_bar} {pos} of {len} files, {elapsed}, {eta} left")
    {
        bar.set_style(style);
    }
    while wait.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Timeout) {
        bar.set_position(done() as u64);
    }
    bar.finish_and_clear();
}

fn lines(name: &str, total: usize, done: &dyn Fn() -> usize, wait: &mpsc::Receiver<()>) {
    let start = Instant::now();
    while wait.recv_timeout(Duration::from_mins(1)) == Err(RecvTimeoutError::Timeout) {
        let minutes = start.elapsed().as_secs() / 60;
        super::say(&format!("{name}: {} of {total} files after {minutes} min", done()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_of_the_work_comes_back() {
        assert_eq!(during("work", 3, || 1, || 42), 42);
    }
}
