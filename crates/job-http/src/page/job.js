// One job: its facts and its result.
import { allow, label } from "./buttons.js";
import { ended, stoppable } from "./list.js";
import { jobPath } from "./place.js";
import { number, state, why, word } from "./words.js";

const $ = (id) => document.getElementById(id);

export class Job {
  // `at` is the row that the result begins with.
  constructor(rows) {
    Object.assign(this, { rows, id: undefined, job: undefined, silent: false });
  }

  open(id, at) {
    if (id === this.id) return this.rows.path ? this.rows.go(at) : undefined;
    this.close();
    Object.assign(this, { id, at });
    this.draw();
    return undefined;
  }

  close() {
    this.rows.forget();
    Object.assign(this, { id: undefined, job: undefined, read: false });
    $("result").hidden = true;
    $("result-trouble").hidden = true;
  }

  show(job) {
    this.job = job;
    this.draw();
    if (job.state === "succeeded" && !this.read) this.result();
  }

  // Reads the result, once: it never changes.
  async result() {
    this.read = true;
    try {
      if (!await this.rows.open(`${jobPath(this.id)}/status`, this.at)) return;
      $("result").hidden = false;
      $("result-trouble").hidden = true;
      // The reader may have gone elsewhere meanwhile.
      if (this.wantsRows && [document.body, $("job-title")].includes(document.activeElement)) $("rows").focus();
    } catch (error) {
      if (error.name === "AbortError") return;
      this.read = false;
      $("result-trouble").textContent = error.message;
      $("result-trouble").hidden = false;
    }
  }

  facts() {
    const { job } = this;
    if (!job) return [["reading", ""]];
    return [
      ["state", state(job.state)],
      ["rows", ended(job) || job.rows ? number(job.rows) : ""],
      ["attempt", job.attempt > 1 ? number(job.attempt) : ""],
      ["why", why(job)],
    ].filter(([, text]) => text !== "");
  }

  draw() {
    const { job } = this;
    if (!this.id) return;
    $("job-title").textContent = `${job?.kind ?? ""} ${this.id}`.trim();
    $("facts").replaceChildren(...this.facts().map(([name, text]) => {
      const [pair, key, value] = ["div", "dt", "dd"].map((kind) => document.createElement(kind));
      key.textContent = word(name);
      value.textContent = text;
      if (name === "state") value.className = `state ${job.state}`;
      pair.append(key, value);
      return pair;
    }));
    label($("job-cancel"), word("cancel"), word("cancelOf", $("job-title").textContent));
    allow($("job-cancel"), Boolean(job) && stoppable(job) && !this.silent);
    this.rows.draw();
  }
}
