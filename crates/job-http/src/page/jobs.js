// The list of jobs: read once a second, changed in place so that the focus stays where it is.
import { number, state, switchLanguage, translate, why, word } from "./words.js";
import { Rows } from "./rows.js";

const PAGE = 50;
const $ = (id) => document.getElementById(id);
const SAMPLES = {
  vertices: ["/vertices/action?action_id=query", '{"labels": ["noun"]}'],
  edges: ["/edges/action?action_id=query", '{"labels": ["antonym"]}'],
  algorithm: ["/action?action_id=execute-algorithm", '{"algorithmName": "pagerank", "parameters": {}}'],
};
// The last jobs of the pages before this one: new jobs move none to another page.
let above = [];
let current = [];

const encode = encodeURIComponent;
const project = () => `/ges/v1.0/${encode($("project").value)}/graphs`;
const graph = () => `${project()}/${encode($("graph").value)}`;

export async function call(path, options = {}) {
  const token = $("token").value;
  const headers = token ? { "X-Auth-Token": token } : {};
  const response = await fetch(path, { ...options, headers });
  const body = await response.json();
  if (!response.ok) throw new Error(`${body.errorMessage} (${body.errorCode})`);
  return body;
}

function say(text, bad = false) {
  $("message").textContent = text;
  $("message").classList.toggle("bad", bad);
}

const rows = new Rows(call, (error) => say(error.message, true));

function line(job) {
  const row = document.createElement("tr");
  row.dataset.id = job.jobId;
  for (const name of ["id", "kind", "state", "progress", "number", "why", "actions"]) {
    row.insertCell().className = name;
  }
  const [id, kind, , progress, , , actions] = row.cells;
  id.textContent = job.jobId;
  kind.textContent = job.kind;
  progress.append(Object.assign(document.createElement("progress"), { max: 1 }));
  for (const [name, act] of [["show", open], ["cancel", cancel]]) {
    const button = Object.assign(document.createElement("button"), { type: "button", className: name });
    button.addEventListener("click", () => act(row.dataset.id));
    actions.append(button, " ");
  }
  return row;
}

function fill(row, job) {
  const [, , stateCell, progressCell, count, reason, actions] = row.cells;
  const done = job.state === "succeeded" ? 1 : job.progress?.total ? job.progress.done / job.progress.total : 0;
  stateCell.className = `state ${job.state}`;
  stateCell.textContent = state(job.state);
  const bar = progressCell.firstChild;
  // A running job that does not know how far it is shows an unknown progress.
  if (job.state === "running" && !job.progress?.total) bar.removeAttribute("value");
  else bar.value = done;
  bar.setAttribute("aria-label", `${Math.floor(done * 100)}%`);
  count.textContent = number(job.rows);
  reason.textContent = why(job);
  const [show, stop] = actions.querySelectorAll("button");
  show.textContent = word("show");
  show.disabled = job.state !== "succeeded";
  stop.textContent = word("cancel");
  stop.disabled = !["waiting", "running"].includes(job.state);
}

function draw() {
  const body = $("jobs");
  const known = new Map([...body.rows].map((row) => [row.dataset.id, row]));
  current.forEach((job, place) => {
    const row = known.get(job.jobId) ?? line(job);
    known.delete(job.jobId);
    fill(row, job);
    if (body.rows[place] !== row) body.insertBefore(row, body.rows[place] ?? null);
  });
  for (const row of known.values()) row.remove();
  $("none").hidden = current.length > 0;
  $("newer").disabled = above.length === 0;
  $("older").disabled = current.length < PAGE;
}

async function refresh() {
  if (!$("graph").value) return;
  const before = above.length ? `&before=${above.at(-1)}` : "";
  const answer = await call(`${graph()}/jobs/overview?limit=${PAGE}${before}`);
  current = answer.jobs;
  draw();
}

async function cancel(id) {
  try {
    await call(`${graph()}/jobs/${id}`, { method: "DELETE" });
    say(word("cancelled", id));
    await refresh();
  } catch (error) {
    say(error.message, true);
  }
}

function open(id) {
  const job = current.find((job) => job.jobId === id);
  if (job?.state === "succeeded") rows.open(`${graph()}/jobs/${id}/status`, `${job.kind} ${id}`);
}

async function submit(event) {
  event.preventDefault();
  const [path] = SAMPLES[$("kind").value];
  try {
    const answer = await call(graph() + path, { method: "POST", body: $("body").value });
    say(word("submitted", answer.jobId));
    above = [];
    await refresh();
  } catch (error) {
    say(error.message, true);
  }
}

async function graphs() {
  const { graphs } = await call(project());
  $("graph").replaceChildren(...graphs.map((name) => new Option(name)));
  await refresh();
}

function keys(event) {
  const row = event.target.closest("tr");
  const buttons = (of) => [...(of?.querySelectorAll("button:not(:disabled)") ?? [])];
  const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
  if (step && row) {
    let next = row[step];
    while (next && !buttons(next).length) next = next[step];
    buttons(next)[0]?.focus();
    event.preventDefault();
  } else if (event.key === "Delete" && row) {
    cancel(row.dataset.id);
  }
}

const attempt = (act) => act().catch((error) => say(word("lost", error.message), true));

async function turn() {
  if (!document.hidden) await attempt(refresh);
  setTimeout(turn, 1000);
}

$("jobs").addEventListener("keydown", keys);
$("new").addEventListener("submit", submit);
$("kind").addEventListener("change", () => { $("body").value = SAMPLES[$("kind").value][1]; });
$("place").addEventListener("submit", (event) => event.preventDefault());
$("project").addEventListener("change", () => attempt(graphs));
$("token").addEventListener("change", () => attempt(graphs));
$("graph").addEventListener("change", () => { above = []; attempt(refresh); });
$("newer").addEventListener("click", () => { above.pop(); attempt(refresh); });
$("older").addEventListener("click", () => { above.push(current.at(-1).jobId); attempt(refresh); });
$("language").addEventListener("click", () => { switchLanguage(); draw(); rows.draw(); });
translate();
$("body").value = SAMPLES.vertices[1];
await attempt(async () => {
  $("project").value = (await (await fetch("/page/config.json")).json()).project ?? "";
  await graphs();
});
turn();
