// The list of jobs, changed in place: a row keeps its place in the document and its focus.
import { inShort } from "./brief.js";
import { allow, label, make } from "./buttons.js";
import { short } from "./ids.js";
import { modified } from "./keys.js";
import { merge } from "./merge.js";
import { $, element, put } from "./put.js";
import { now } from "./service.js";
import { ago, exact, ran, span, waits } from "./time.js";
import { Walk } from "./walk.js";
import { number, size, state, why, word } from "./words.js";

const CELLS = ["state", "work", "id", "time", "ran number", "count number", "actions"];
const PAGE = 50;
// The most jobs that one answer may have.
const MOST = 500;

export const ended = (job) => !["waiting", "running", "cancelling"].includes(job.state);
export const stoppable = (job) => ["waiting", "running"].includes(job.state);

// How far a running job is, from 0 to 1; undefined if it does not say.
const done = (job) => (job.progress?.total ? job.progress.done / job.progress.total : undefined);

// The part of the first in both, in percent.
const share = (one, other) => (one + other > 0 ? Math.round((one / (one + other)) * 100) : 0);

// Rows do not move under the pointer, the focus, a question about one of them, or while some are selected.
const isHeld = () => $("jobs").matches(":hover") || $("jobs").contains(document.activeElement) || $("ask").open || !$("picked").hidden;

export class List {
  // `acts` are the functions behind the buttons of a row, by name; each gets the id of the job. `address` gives the
  // address of a job.
  constructor(acts, address) {
    Object.assign(this, { acts, address, silent: false, isFirst: true, picked: new Set(), walk: new Walk($("jobs")) });
    $("jobs").addEventListener("keydown", (event) => this.enter(event));
    this.clear();
  }

  // Keys on a row itself: its buttons have their own.
  enter(event) {
    if (!event.target.matches("tr") || modified(event)) return;
    if (event.key === "Enter") this.acts.open(event.target.dataset.id);
    else if (event.key === "x") this.pick(event.target.dataset.id);
  }

  // Selects a job, or no longer; without an id, none is.
  pick(id) {
    const { picked } = this;
    if (id === undefined) picked.clear();
    else if (!picked.delete(id)) picked.add(id);
    this.draw();
  }

  clear() {
    if (this.walk.row) this.walk.want(undefined);
    Object.assign(this, { jobs: [], fresh: [], answer: [], changes: [] });
    this.picked.clear();
    this.draw();
  }

  // How many jobs to ask for: those that wait to be inserted do not push out those that are shown.
  get most() {
    return Math.min(MOST, PAGE + this.fresh.length);
  }

  // Held jobs that were not ended when last seen, and that the answer has no longer.
  missing(answer) {
    const answered = new Set(answer.map((job) => job.jobId));
    return isHeld() ? this.jobs.filter((job) => !ended(job) && !answered.has(job.jobId)) : [];
  }

  // `apart` are jobs that were asked for by their ids.
  show(answer, apart = []) {
    const before = new Map(this.jobs.map((job) => [job.jobId, job]));
    Object.assign(this, { answer }, merge(this.jobs, answer, apart, isHeld(), PAGE));
    this.changes = this.jobs.filter((job) => ended(job) && before.has(job.jobId) && !ended(before.get(job.jobId)));
    this.draw();
  }

  // Inserts the new jobs.
  release() {
    Object.assign(this, merge([], this.answer, [], false, PAGE));
    this.draw();
  }

  // The job that the next page begins after. A search may have shown none yet.
  get older() {
    return this.jobs.length < PAGE ? this.next ?? this.jobs.at(-1)?.jobId : this.jobs.at(-1).jobId;
  }

  job(id) {
    return this.jobs.find((job) => job.jobId === id);
  }

  name(id) {
    return `${this.job(id)?.kind ?? ""} ${this.ids.get(id) ?? id}`.trim();
  }

  row(job) {
    const button = (name) => make(name, () => this.acts[name](job.jobId));
    const box = element("input", { type: "checkbox" });
    box.addEventListener("change", () => this.pick(job.jobId));
    const two = (above, below = []) => [element("div", {}, ...above), element("div", {}, ...below)];
    const inside = [
      [box, element("span")],
      two([element("a"), " ", element("span", { className: "request" })], [element("progress"), element("span")]),
      two([button("copy")]),
      two([element("time")]),
      two([], [element("i", { className: "waited" }), element("i", { className: "ran" })]),
      two([]),
      [button("show"), " ", button("cancel")],
    ];
    const row = element("tr", { role: "row" }, ...CELLS.map((className, place) => element("td", { role: "gridcell", className }, ...inside[place])));
    row.dataset.id = job.jobId;
    row.cells[1].lastChild.className = "why";
    row.cells[4].lastChild.className = "spent";
    for (const stop of [row, ...row.querySelectorAll("a, button, input")]) stop.tabIndex = -1;
    return row;
  }

  fill(row, job) {
    const [stateCell, work, id, time, , count, actions] = row.cells;
    const name = this.name(job.jobId);
    stateCell.className = `state ${job.state}`;
    put(stateCell.lastChild, state(job.state));
    const isPicked = this.picked.has(job.jobId);
    row.ariaSelected = isPicked;
    Object.assign(stateCell.firstChild, { checked: isPicked, ariaLabel: word("pick", name) });
    const [link, request] = work.firstChild.children;
    put(link, job.kind || word("unknown"));
    link.href = this.address(job);
    put(request, inShort(job.request));
    work.title = `${job.kind} ${request.textContent}`.trim();
    const copy = id.querySelector("button");
    label(copy, this.ids.get(job.jobId), word("copyId", name));
    copy.title = job.jobId;
    put(id.lastChild, job.attempt > 1 || job.failedAttempts ? word("attemptOf", job.attempt, job.maxAttempts ?? "?") : "");
    time.firstChild.firstChild.dateTime = job.submitted ? new Date(job.submitted).toISOString() : "";
    put(time.lastChild, job.graph ?? "");
    time.title = job.submitted ? exact(job.submitted) : "";
    put(count.firstChild, job.state === "succeeded" || job.rows ? number(job.rows) : "");
    put(count.lastChild, job.bytes ? size(job.bytes) : "");
    this.tell(work.lastChild, job);
    const [show, cancel] = actions.querySelectorAll("button");
    label(show, word("show"), word("showOf", name));
    label(cancel, word("cancel"), word("cancelOf", name));
    allow(show, job.state === "succeeded" && !this.silent);
    allow(cancel, stoppable(job) && !this.silent);
    this.age(row, job);
  }

  // The times of a row, which change without an answer.
  age(row, job) {
    const [, , , time, length] = row.cells;
    const [lasted, waited] = [ran(job, now()), waits(job, now())];
    put(time.firstChild.firstChild, job.submitted ? ago(now() - job.submitted) : "");
    put(length.firstChild, lasted === undefined ? "" : span(lasted));
    length.title = [waited === undefined ? "" : word("waitedFor", span(waited)), lasted === undefined ? "" : word("ranFor", span(lasted))].filter(Boolean).join(", ");
    const [before, after] = length.lastChild.children;
    before.style.width = `${share(waited ?? 0, lasted ?? 0)}%`;
    after.style.width = `${share(lasted ?? 0, waited ?? 0)}%`;
  }

  tell(cell, job) {
    const [bar, text] = cell.children;
    const part = done(job);
    Object.assign(bar, { hidden: job.state !== "running" || part === undefined, value: part ?? 0, ariaLabel: `${Math.floor((part ?? 0) * 100)}%` });
    put(text, why(job));
    text.title = text.textContent;
  }

  tick() {
    this.jobs.forEach((job, place) => this.age($("jobs").rows[place], job));
  }

  draw() {
    const body = $("jobs");
    this.ids = short(this.jobs.map((job) => job.jobId));
    // First those that are gone: a row that stays is never moved, for it would lose the focus.
    for (const row of [...body.rows].filter((row) => !this.ids.has(row.dataset.id))) row.remove();
    const known = new Map([...body.rows].map((row) => [row.dataset.id, row]));
    this.jobs.forEach((job, place) => {
      const row = known.get(job.jobId) ?? this.row(job);
      this.fill(row, job);
      // The number of a row is known on the first page only.
      row.ariaRowIndex = this.isFirst ? place + 2 : null;
      if (body.rows[place] !== row) body.insertBefore(row, body.rows[place] ?? null);
    });
    this.walk.settle();
    for (const id of this.picked) if (!this.ids.has(id)) this.picked.delete(id);
    $("picked").hidden = this.picked.size === 0;
    put($("picked-count"), word("pickedCount", number(this.picked.size)));
    $("fresh").hidden = this.fresh.length === 0;
    put($("fresh"), this.fresh.length === 1 ? word("freshOne") : word("fresh", number(this.fresh.length)));
  }
}
