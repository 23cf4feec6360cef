// The page: what is asked for, and what is done about each answer.
import { allowed } from "./buttons.js";
import { copy } from "./copy.js";
import { List } from "./list.js";
import { New } from "./new.js";
import { graphPath, jobPath, ready } from "./place.js";
import { Poll } from "./poll.js";
import { Pulse, trouble } from "./pulse.js";
import { Rows } from "./rows.js";
import { Refusal, call, text } from "./service.js";
import { switchLanguage, translate, word } from "./words.js";

const PAGE = 50;
const $ = (id) => document.getElementById(id);
// The last jobs of the pages before this one: new jobs move none to another page.
let above = [];

function say(text, bad = false) {
  $("message").textContent = text;
  $("message").classList.toggle("bad", bad);
}

// A refusal is the service's own sentence; anything else means that there was no answer.
const failed = (error) => say(error instanceof Refusal ? error.message : word("lost", error.message), true);

const rows = new Rows(text);
const list = new List({ show, cancel, copy: copyId });

async function ask(signal) {
  await ready(signal);
  if (!$("graph").value) return { jobs: [] };
  const before = above.length ? `&before=${above.at(-1)}` : "";
  return call(`${graphPath()}/jobs/overview?limit=${PAGE}${before}`, { signal });
}

function shown({ jobs, next }) {
  trouble("");
  list.show(jobs);
  $("none").hidden = jobs.length > 0;
  $("newer").disabled = above.length === 0;
  $("older").disabled = next === undefined;
}

const poll = new Poll(ask, shown, (error) => {
  // A refusal is an answer, so it is told at once. Silence is told by the pulse.
  if (!(error instanceof Refusal)) return;
  poll.heard();
  trouble(error.message);
});

const pulse = new Pulse(poll, () => {
  list.silent = pulse.silent;
  list.draw();
  if (!pulse.silent) rows.retry();
});

async function cancel(id) {
  try {
    await call(jobPath(id), { method: "DELETE" });
    say(word("cancelled", id));
    poll.restart();
  } catch (error) {
    failed(error);
  }
}

async function show(id) {
  const back = document.activeElement;
  const job = list.jobs.find((job) => job.jobId === id);
  try {
    if (!await rows.open(`${jobPath(id)}/status`)) return;
    $("result-title").textContent = `${job.kind} ${id}`;
    $("result").hidden = false;
    $("result").back = back;
    $("rows").focus();
    $("result").scrollIntoView({ block: "nearest" });
  } catch (error) {
    if (error.name !== "AbortError") failed(error);
  }
}

function close() {
  rows.forget();
  $("result").hidden = true;
  $("result").back?.focus();
}

async function copyId(id) {
  say(await copy(id) ? word("copied", id) : word("notCopied"));
}

// Another graph is wanted: nothing of this one stays.
function elsewhere() {
  above = [];
  close();
  list.show([]);
  $("none").hidden = true;
  trouble("");
  poll.restart();
}

// A button that is marked as not allowed does nothing.
document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button && !allowed(button)) event.stopImmediatePropagation();
}, { capture: true });

function turn(change) {
  change();
  poll.restart();
}

new New(say, failed, () => turn(() => { above = []; }));
$("place").addEventListener("submit", (event) => event.preventDefault());
for (const id of ["project", "token", "graph"]) $(id).addEventListener("change", elsewhere);
$("newer").addEventListener("click", () => turn(() => above.pop()));
$("older").addEventListener("click", () => turn(() => above.push(list.jobs.at(-1).jobId)));
$("close").addEventListener("click", close);
$("result").addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
$("language").addEventListener("click", () => { switchLanguage(); list.draw(); rows.draw(); });
translate();
poll.restart();
