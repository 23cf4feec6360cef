// A job as its status and the list tell of it, where the service has no view of a job.
import { query } from "./address.js";
import { listPath, resultPath } from "./place.js";
import { call } from "./service.js";

const STATES = { waiting: "waiting", running: "running", complete: "succeeded" };
const MOST = 50;

// `shown` are the jobs of the list as it was read last.
export async function entry(id, shown, signal) {
  const { jobs } = await call(`${listPath()}?${query({ filter: { q: id } }, MOST)}`, { signal }).catch(() => ({ jobs: shown }));
  const listed = jobs.find((job) => job.jobId === id);
  const { status } = await call(`${resultPath(id)}?limit=1`, { signal }).catch((error) => {
    // The status of a job that has failed is a refusal as well.
    if (!listed || !error.status || error.isAbsent) throw error;
    return {};
  });
  return { jobId: id, kind: "", attempt: 0, rows: 0, why: { reason: "unknown", sentence: "" }, ...listed, state: STATES[status] ?? listed.state };
}
