// The list of jobs, changed in place: a row keeps its place in the document and its focus.
import { allow, label, make } from "./buttons.js";
import { short } from "./ids.js";
import { number, state, why, word } from "./words.js";

const $ = (id) => document.getElementById(id);
const CELLS = ["state", "work", "id", "number", "why", "actions"];

export const ended = (job) => !["waiting", "running", "cancelling"].includes(job.state);
export const stoppable = (job) => ["waiting", "running"].includes(job.state);

// How far a running job is, from 0 to 1; undefined if it does not say.
const share = (job) => (job.progress?.total ? job.progress.done / job.progress.total : undefined);

export class List {
  // `acts` are the functions behind the buttons of a row, by name; each gets the id of the job.
  constructor(acts) {
    Object.assign(this, { acts, jobs: [], silent: false });
  }

  row(job) {
    const row = document.createElement("tr");
    row.dataset.id = job.jobId;
    for (const name of CELLS) row.insertCell().className = name;
    const [, , id, , reason, actions] = row.cells;
    id.append(make("copy", () => this.acts.copy(job.jobId)));
    reason.append(document.createElement("progress"), document.createElement("span"));
    for (const name of ["show", "cancel"]) actions.append(make(name, () => this.acts[name](job.jobId)), " ");
    return row;
  }

  fill(row, job, id) {
    const [stateCell, work, idCell, count, reason, actions] = row.cells;
    const name = `${job.kind} ${id}`;
    stateCell.className = `state ${job.state}`;
    stateCell.textContent = state(job.state);
    work.textContent = work.title = job.kind;
    label(idCell.firstChild, id, word("copyId", name));
    idCell.firstChild.title = job.jobId;
    count.textContent = job.state === "succeeded" || job.rows ? number(job.rows) : "";
    this.tell(reason, job);
    const [show, cancel] = actions.querySelectorAll("button");
    label(show, word("show"), word("showOf", name));
    label(cancel, word("cancel"), word("cancelOf", name));
    allow(show, job.state === "succeeded" && !this.silent);
    allow(cancel, stoppable(job) && !this.silent);
  }

  tell(cell, job) {
    const [bar, text] = cell.children;
    const done = share(job);
    bar.hidden = job.state !== "running" || done === undefined;
    bar.value = done ?? 0;
    bar.setAttribute("aria-label", `${Math.floor((done ?? 0) * 100)}%`);
    text.textContent = text.title = why(job);
  }

  // The row that the focus comes back to.
  focus(id) {
    document.querySelector(`tr[data-id="${CSS.escape(id)}"] button.show`)?.focus();
  }

  show(jobs) {
    this.jobs = jobs;
    this.draw();
  }

  draw() {
    const body = $("jobs");
    const ids = short(this.jobs.map((job) => job.jobId));
    // First those that are gone: a row that stays is never moved, for it would lose the focus.
    for (const row of [...body.rows].filter((row) => !ids.has(row.dataset.id))) row.remove();
    const known = new Map([...body.rows].map((row) => [row.dataset.id, row]));
    this.jobs.forEach((job, place) => {
      const row = known.get(job.jobId) ?? this.row(job);
      this.fill(row, job, ids.get(job.jobId));
      if (body.rows[place] !== row) body.insertBefore(row, body.rows[place] ?? null);
    });
  }
}
