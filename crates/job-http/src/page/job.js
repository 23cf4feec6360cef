// One job: its facts, its request and its result.
import { allow, label } from "./buttons.js";
import { links, options, parts, segments } from "./details.js";
import { downloads } from "./download.js";
import { ended, stoppable } from "./list.js";
import { jobPath, resultPath } from "./place.js";
import { $, pairs, put } from "./put.js";
import { requestIn, shownRequest } from "./request.js";
import { Refusal, now, text } from "./service.js";
import { span } from "./time.js";
import { timeline } from "./timeline.js";
import { number, size, state, why, word } from "./words.js";

// The least time between two looks at a lease.
const LEASE = 3000;

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
    Object.assign(this, { id: undefined, job: undefined, read: undefined, sent: undefined, view: undefined, looked: undefined, untold: undefined, pretty: undefined });
    $("result").hidden = true;
    $("result-trouble").hidden = true;
    $("request").open = false;
    put($("request-text"), "");
  }

  show(job) {
    this.job = job;
    this.look();
    this.draw();
    if (job.state === "succeeded" && this.read !== "whole") this.result("whole", resultPath(this.id));
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

  // Reads the view of the job when it is opened and at each change of its state.
  async look(anew) {
    const { id, job } = this;
    const key = `${job.attempt} ${job.state}`;
    if (this.looked === key && !anew) return;
    Object.assign(this, { looked: key, next: now() + LEASE });
    const body = await text(jobPath(id)).catch((error) => { this.untold = error.isAbsent ? word("notAgain") : error.message; });
    if (id !== this.id) return;
    if (body !== undefined) {
      this.view = JSON.parse(body);
      this.sent = requestIn(body, job.kind);
      this.pretty = undefined;
    }
    this.draw();
  }

  // Puts the request into lines when it is looked at: it may be long.
  request() {
    if (!$("request").open || !this.id) return;
    if (this.sent !== undefined) this.pretty ??= shownRequest(this.sent);
    put($("request-text"), this.pretty ?? this.untold ?? word("reading"));
  }

  facts() {
    const { job, view } = this;
    if (!job) return [];
    const left = job.progress?.remaining;
    return [
      ["state", { text: state(job.state), className: `state ${job.state}` }],
      ["why", why(job) && { text: why(job) }],
      ["left", left !== undefined && { text: word("about", span(left)) }],
      ["rows", (ended(job) || job.rows) && { text: number(job.rows) }],
      ["bytes", job.bytes && { text: size(job.bytes) }],
      ["attempt", (job.attempt > 1 || job.failedAttempts > 0) && { text: word("of", number(job.attempt), job.maxAttempts ?? "?") }],
      ...options(job, view),
    ].filter(([, value]) => value).map(([name, value]) => [word(name), value]);
  }

  // Times change without an answer. A lease that is over was renewed, or the job has another engine.
  tick(mayAsk) {
    if (!this.job) return;
    timeline(this.job, this.view?.attempts);
    if (mayAsk && !this.silent && !ended(this.job) && now() > Math.max(this.view?.engine?.leaseUntil, this.next)) this.look(true);
  }

  draw() {
    const { job } = this;
    if (!this.id) return;
    const name = `${job?.kind ?? ""} ${this.id}`.trim();
    put($("job-title"), name);
    pairs($("facts"), this.facts());
    timeline(job, this.view?.attempts);
    parts(job);
    links(job, this.view);
    segments(this.view);
    this.request();
    label($("job-cancel"), word("cancel"), word("cancelOf", name));
    label($("job-again"), word("again"), word("againOf", name));
    allow($("job-cancel"), Boolean(job) && stoppable(job) && !this.silent);
    allow($("job-again"), Boolean(job) && job.state !== "removed" && !this.silent);
    this.offer();
    this.rows.draw();
  }
}
