// The rest of the view of a job: its parts while it runs, where it waits, its options and its segments.
import { format } from "./address.js";
import { here } from "./place.js";
import { $, build, element, put } from "./put.js";
import { clock, exact } from "./time.js";
import { number, size, state, word } from "./words.js";

const SEGMENTS = 100;
const WAITING = ["noHandler", "queued", "graphBusy", "classBusy", "suspect", "starting"];

const link = (text, address) => element("a", { href: format({ ...here(), ...address }) }, text);

function branch(tasks) {
  return element("ul", {}, ...tasks.map(({ name, done, total, tasks: inner }) => {
    const bar = element("progress", { ariaLabel: name, ...(total ? { max: total, value: done } : {}) });
    return element("li", {}, `${name} `, bar, total ? word("of", number(done), number(total)) : number(done), ...(inner?.length ? [branch(inner)] : []));
  }));
}

export function parts(job) {
  const tasks = job?.progress?.tasks ?? [];
  build($("parts"), tasks, () => (tasks.length ? [branch(tasks)] : []));
}

// Links to the job that is run again, and to what the job waits for.
export function links(job, { againOf } = {}) {
  const { reason, sentence } = job?.why ?? {};
  const jobs = job?.state !== "failed" && /^it waits for job /.test(sentence ?? "") ? sentence.match(/[0-9a-f]{8}-[0-9a-f-]{27}/g) ?? [] : [];
  const ahead = WAITING.includes(reason);
  build($("links"), [againOf, jobs, ahead, word("ahead"), here().graph], () => [
    ...(againOf ? [link(word("linkAgain", againOf.jobId, state(againOf.state)), { view: "job", job: againOf.jobId })] : []),
    ...jobs.map((id) => link(id, { view: "job", job: id })),
    ...(ahead ? [link(word("ahead"), { view: "list", filter: { state: "waiting,running,cancelling" } })] : []),
  ]);
}

function used(name, most, of, told) {
  return most === undefined ? "" : of === undefined ? word("atMost", word(name), told(most)) : `${word(name)} ${word("of", told(of), told(most))}`;
}

const engine = ({ id, isHere, leaseUntil }) => word(isHere ? "engineHere" : "engineIs", id, clock(leaseUntil));

// Pairs of a word and a text, of what the service tells of this job.
export function options(job, view) {
  const budget = view?.budget ?? {};
  const budgets = [used("rows", budget.rows, job.rows, number), used("bytes", budget.bytes, job.bytes, size), used("memory", budget.memory, undefined, size)];
  return [
    ["owner", view?.owner], ["label", view?.labels?.join(", ")],
    ["priority", view?.priority ? number(view.priority) : ""], ["class", view?.class && word(view.class)], ["graphVersion", view?.graphVersion],
    ["deadline", view?.deadline && exact(view.deadline)], ["budget", budgets.filter(Boolean).join(", ")],
    ["engine", view?.engine && engine(view.engine)], ["trace", view?.trace],
  ].filter(([, text]) => text).map(([name, text]) => [name, { text }]);
}

export function segments(view) {
  const found = view?.segments ?? [];
  const total = view?.segmentsTotal ?? found.length;
  $("segments").hidden = found.length === 0;
  put($("segments-title"), word("segments", number(total)));
  build($("segments-list"), [found, total, word("more")], () => [
    ...found.slice(0, SEGMENTS).map((one) => element("li", {}, word("segment", one.segment, one.attempt, number(one.rows), size(one.bytes)))),
    ...(total > SEGMENTS ? [element("li", {}, word("more", number(total - SEGMENTS)))] : []),
  ]);
}
