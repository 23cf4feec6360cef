// One job: its facts, its request and its result.
import { allow, label } from "./buttons.js";
import { downloads } from "./download.js";
import { ended, stoppable } from "./list.js";
import { jobPath } from "./place.js";
import { pairs, put } from "./put.js";
import { requestOf, shownRequest } from "./request.js";
import { Refusal, now } from "./service.js";
import { ago, exact, ran, span } from "./time.js";
import { number, state, why, word } from "./words.js";

const $ = (id) => document.getElementById(id);

export class Job {
  constructor(rows) {
    Object.assign(this, { rows, id: undefined, job: undefined, silent: false });
    $("request").addEventListener("toggle", () => this.request());
  }

  // `at` is the row that the result begins with.
  open(id, at) {
    if (id === this.id) {
      if (this.rows.path) this.rows.go(at);
      return;
    }
    this.close();
    Object.assign(this, { id, at });
    this.draw();
  }

  close() {
    this.rows.forget();
    Object.assign(this, { id: undefined, job: undefined, read: undefined, sent: undefined });
    $("result").hidden = true;
    $("result-trouble").hidden = true;
    $("request").open = false;
    put($("request-text"), "");
  }

  show(job) {
    this.job = job;
    this.draw();
    if (job.state === "succeeded" && this.read !== "whole") this.result("whole", `${jobPath(this.id)}/status`);
    else if (!ended(job) && job.rows > 0 && !this.read) this.result("so far", `operator/jobs/${encodeURIComponent(this.id)}/rows`);
    else if (!ended(job)) this.rows.grow(job.rows);
  }

  // The service has it no longer, or never had it.
  gone() {
    if (this.job) this.show({ ...this.job, state: "removed", progress: undefined, why: { reason: "removed", sentence: "" } });
  }

  // Reads the whole result, once, for it never changes; of a running job, the rows so far.
  async result(read, path) {
    const grows = read === "so far";
    const at = this.rows.path ? this.rows.top : this.at;
    this.read = read;
    try {
      if (!await this.rows.open(path, at, grows)) return;
      this.offer();
      $("result").hidden = false;
      $("result-trouble").hidden = true;
      // The reader may have gone elsewhere meanwhile.
      if (this.wantsRows && [document.body, $("job-title")].includes(document.activeElement)) $("rows").focus();
    } catch (error) {
      // The rows so far are for operators, and where the job runs. Others see the result when it is there.
      if (error.name === "AbortError" || (grows && error instanceof Refusal)) return;
      this.read = undefined;
      put($("result-trouble"), error.message);
      $("result-trouble").hidden = false;
    }
  }

  // A whole list can be downloaded.
  offer() {
    const whole = this.read === "whole" && this.rows.list !== undefined;
    downloads($("downloads"), whole ? jobPath(this.id) : "", this.id);
  }

  // Reads the request when it is looked at: it may be long.
  async request() {
    const { id } = this;
    if (!$("request").open || this.sent !== undefined) return;
    try {
      const sent = await requestOf(id);
      if (id !== this.id) return;
      this.sent = sent;
      put($("request-text"), sent === undefined ? word("noRequest") : shownRequest(sent));
    } catch (error) {
      if (id === this.id) put($("request-text"), error.message);
    }
  }

  facts() {
    const { job } = this;
    if (!job) return [];
    const time = (at) => at && { text: `${exact(at)} (${ago(now() - at)})` };
    const lasted = ran(job, now());
    return [
      ["state", { text: state(job.state), className: `state ${job.state}` }],
      ["why", why(job) && { text: why(job) }],
      ["rows", (ended(job) || job.rows) && { text: number(job.rows) }],
      ["ran", lasted !== undefined && { text: span(lasted) }],
      ["waited", job.started && job.submitted && { text: span(Math.max(0, job.started - job.submitted)) }],
      ["submitted", time(job.submitted)], ["started", time(job.started)], ["finished", time(job.finished)],
      ["attempt", job.attempt > 1 && { text: number(job.attempt) }],
    ].filter(([, value]) => value).map(([name, value]) => [word(name), value]);
  }

  tick() {
    if (this.job) pairs($("facts"), this.facts());
  }

  draw() {
    const { job } = this;
    if (!this.id) return;
    const name = `${job?.kind ?? ""} ${this.id}`.trim();
    put($("job-title"), name);
    pairs($("facts"), this.facts());
    label($("job-cancel"), word("cancel"), word("cancelOf", name));
    label($("job-again"), word("again"), word("againOf", name));
    allow($("job-cancel"), Boolean(job) && stoppable(job) && !this.silent);
    allow($("job-again"), Boolean(job) && job.state !== "removed" && !this.silent);
    this.offer();
    this.rows.draw();
  }
}
