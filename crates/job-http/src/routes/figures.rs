//! `GET /figures`: the load of the engine, now and in the last 15 minutes (extension).

use axum::{Json, extract::State};
use job_runner::{Figures, Sample};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    context::Context,
    extract::{Observe, Project},
    failure::ApiFailure,
    openapi::Failures,
    overview::{duration_millis, millis},
};

/// The load of the engine of this process. Times are in milliseconds.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FiguresBody {
    /// Whether other engines may work on the same store. All figures are of the engine of this process only.
    shared: bool,
    /// Workers; 0 if this process runs no jobs.
    #[schema(format = "uint64")]
    workers: usize,
    /// Jobs that wait.
    #[schema(format = "uint64")]
    waiting: usize,
    /// Jobs that run.
    #[schema(format = "uint64")]
    running: usize,
    /// Starts a second, in the last minute.
    starts_per_second: f64,
    /// The time for which half of the jobs that started in the last 15 minutes had waited at most. It is rounded up by
    /// less than an eighth. `null` if no job started.
    #[schema(format = "uint64")]
    wait_p50: Option<u64>,
    /// As `waitP50`, for 99 of 100 jobs.
    #[schema(format = "uint64")]
    wait_p99: Option<u64>,
    /// The time that a sample stands for.
    #[schema(format = "uint64")]
    every: u64,
    /// The last 15 minutes, the oldest first; at most 90. The newest goes on.
    samples: Vec<SampleBody>,
}

/// The figures of one period.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SampleBody {
    /// When the period began, in milliseconds since 1970, UTC.
    #[schema(format = "uint64")]
    at: u64,
    /// Jobs that waited near the end of the period; `null` if the engine did not look.
    #[schema(format = "uint64")]
    waiting: Option<usize>,
    /// Jobs that ran then.
    #[schema(format = "uint64")]
    running: Option<usize>,
    /// Starts in the period.
    #[schema(format = "uint64")]
    starts: u64,
    /// Of the jobs that started in the period.
    #[schema(format = "uint64")]
    wait_p50: Option<u64>,
    /// Of the jobs that started in the period.
    #[schema(format = "uint64")]
    wait_p99: Option<u64>,
}

impl From<Figures> for FiguresBody {
    fn from(figures: Figures) -> Self {
        // The counts of a minute are far below the numbers that a float cannot tell apart.
        let starts = u32::try_from(figures.starts_last_minute).unwrap_or(u32::MAX);
        Self {
            shared: figures.shared,
            workers: figures.workers,
            waiting: figures.waiting,
            running: figures.running,
            starts_per_second: f64::from(starts) / 60.0,
            wait_p50: figures.wait_p50.map(duration_millis),
            wait_p99: figures.wait_p99.map(duration_millis),
            every: duration_millis(Figures::PERIOD),
            samples: figures.samples.iter().map(SampleBody::from).collect(),
        }
    }
}

impl From<&Sample> for SampleBody {
    fn from(sample: &Sample) -> Self {
        Self {
            at: millis(sample.at),
            waiting: sample.waiting,
            running: sample.running,
            starts: sample.starts,
            wait_p50: sample.wait_p50.map(duration_millis),
            wait_p99: sample.wait_p99.map(duration_millis),
        }
    }
}

/// Extension: the load of the engine of this process, now and in the last 15 minutes.
///
/// The figures are in the memory of the process, so the answer waits for no store.
#[utoipa::path(
    get,
    path = "/figures",
    operation_id = "figures",
    responses((status = 200, description = "The figures.", body = FiguresBody), Failures)
)]
pub(crate) async fn figures(
    State(api): State<Context>,
    _: Project<Observe>,
) -> Result<Json<FiguresBody>, ApiFailure> {
    Ok(Json(api.engine.figures().into()))
}
