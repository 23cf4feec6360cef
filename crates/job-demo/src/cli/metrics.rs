//! The recorder of metrics of a server, whose text `/metrics` serves.

use std::{error::Error, time::Duration};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::{runtime::Runtime, time::interval};

/// The upper bounds of the classes of times, in seconds.
const CLASSES: [f64; 14] =
    [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_600.0];

/// Installs the recorder of this process. It is called before an engine is opened, since that looks its counters up.
pub(super) fn install() -> Result<PrometheusHandle, Box<dyn Error>> {
    // Classes can be added up over servers; quantiles of each server cannot.
    let times = Matcher::Suffix("_seconds".to_owned());
    Ok(PrometheusBuilder::new().set_buckets_for_metric(times, &CLASSES)?.install_recorder()?)
}

/// Sorts times into their classes every few seconds, until the runtime ends. Without it they gather in memory until a
/// client reads `/metrics`.
pub(super) fn keep(runtime: &Runtime, recorder: PrometheusHandle) {
    const EVERY: Duration = Duration::from_secs(5);
    runtime.spawn(async move {
        let mut every = interval(EVERY);
        loop {
            every.tick().await;
            recorder.run_upkeep();
        }
    });
}
