// The actions on a job. All that an act is about is settled when it begins: the reader may go elsewhere meanwhile.
import { copy, told } from "./copy.js";
import { ask } from "./dialog.js";
import { stoppable } from "./list.js";
import { failed, say } from "./message.js";
import { graphPath, jobPath } from "./place.js";
import { curl, pathOf, requestIn, submit } from "./request.js";
import { call, text } from "./service.js";
import { deny } from "./states.js";
import { number, word } from "./words.js";

export async function copied(text) {
  say(await copy(text) ? word("copied", told(text)) : word("notCopied"));
}

// Asks nothing of a service that is silent: what is known of the job may be old.
function possible(job, silent) {
  if (silent) say(word("silentNow"), true);
  return job !== undefined && !silent;
}

// An act that the client may not do is no longer offered.
export function refused(error, act) {
  failed(error);
  if (error.status === 403) deny(act);
}

// Each returns whether something was done. `name` is the job's for people.

// Cancels those of these jobs that wait or run, after one question. A single job has a `name`.
export async function cancel({ jobs, name, silent }) {
  if (!possible(jobs[0], silent)) return false;
  const left = jobs.filter(stoppable);
  if (left.length === 0) {
    say(word("notCancel"));
    return false;
  }
  const running = left.filter((job) => job.state === "running").length;
  const [paths, count] = [left.map((job) => jobPath(job.jobId)), number(left.length)];
  const more = running === 0 ? word("askWaiting") : name ? word("askRunning") : word("askMany", number(running));
  if (!await ask({ title: word("askCancel", name ?? word("pickedCount", count)), more, yes: word(name ? "yesCancel" : "yesMany") })) return false;
  try {
    for (const path of paths) await call(path, { method: "DELETE" });
    say(name ? word("cancelled", jobs[0].jobId) : word("cancelledMany", count));
  } catch (error) {
    refused(error, "cancel");
  }
  return true;
}

// Runs the request of a job as a new job.
export async function again({ job, name, silent }) {
  if (!possible(job, silent)) return false;
  const graph = graphPath(job.graph);
  try {
    const view = await text(jobPath(job.jobId)).catch((error) => { if (!error.isAbsent) throw error; });
    const request = view && requestIn(view, job.kind);
    if (!request) {
      say(word("notAgain"), true);
      return false;
    }
    if (!await ask({ title: word("askAgain", name), more: word("askCopy"), yes: word("again") })) return false;
    say(word("stored", (await submit(`${graph}/${pathOf(job.kind)}`, request, `&again_of=${job.jobId}`)).jobId));
  } catch (error) {
    refused(error, "submit");
  }
  return true;
}

export async function copyRequest(job, request) {
  if (request) await copied(curl(`${graphPath(job.graph)}/${pathOf(job.kind)}`, request));
  else say(word("notAgain"), true);
}
