// The page: its address says what is asked for, and each answer is shown by the view that asked for it.
import { again, cancel, copied, copyRequest } from "./acts.js";
import { format, parse, query } from "./address.js";
import { Aside } from "./aside.js";
import { allow, allowed } from "./buttons.js";
import { dismiss, help as showHelp } from "./dialog.js";
import { entry } from "./entry.js";
import { figures } from "./figures.js";
import { Filter } from "./filter.js";
import { Job } from "./job.js";
import { elements, members } from "./json.js";
import { listen } from "./keys.js";
import { List, ended } from "./list.js";
import { say } from "./message.js";
import { New } from "./new.js";
import { ALL, countsPath, eventsPath, explainPath, forget, graphs, here, listPath, ready, want } from "./place.js";
import { Poll } from "./poll.js";
import { Pulse, trouble } from "./pulse.js";
import { $, on, put } from "./put.js";
import { curl } from "./request.js";
import { Rows } from "./rows.js";
import { Refusal, call, text } from "./service.js";
import { allowAll, askForToken, refused, welcome } from "./states.js";
import { help, state as stateWord, switchLanguage, translate, word } from "./words.js";

const APART = 5;
const SEARCHES = 8;
// The view that the address names.
let wanted = parse(location.hash);
// Where the list was left.
let left = { view: "list" };

const rows = new Rows(text, copied);
const job = new Job(rows);
const list = new List({ show: open, open, cancel: (id) => cancelJob(id), copy: copied }, address);
const filter = new Filter((filter) => go({ view: "list", filter }));

// The address of a job: that of its rows if it has any. A graph that is not served has none of its own.
function address({ jobId, state, graph }) {
  return format({ ...here(), ...(graph ? { graph: graphs().includes(graph) ? graph : ALL } : {}), view: state === "succeeded" ? "rows" : "job", job: jobId, at: 0 });
}

function open(id) {
  history.pushState({ above: above() }, "", address(list.job(id)));
  arrive();
}

const isList = () => wanted.view === "list";

async function ask(signal) {
  if (!await ready(signal)) throw new Refusal(404, word("noGraph"));
  return isList() ? overview(signal) : explain(wanted.job, signal);
}

// Jobs with their requests as they were sent.
async function page(asked, signal) {
  const body = await text(`${listPath()}?${query(asked, list.most)}`, { signal });
  const answer = JSON.parse(body);
  const sent = elements(members(body).get("jobs") ?? "[]").map((job) => members(job).get("request"));
  return { ...answer, jobs: answer.jobs.map((job, place) => ({ ...job, request: sent[place] })) };
}

// A search may give a short page although there are more.
async function found(asked, signal) {
  const first = await page(asked, signal);
  for (let turn = 1; asked.filter.q && first.next && first.jobs.length < 1 && turn < SEARCHES; turn += 1) {
    Object.assign(first, { next: undefined }, await page({ ...asked, before: first.next }, signal));
  }
  return first;
}

// The jobs of these paths have no view.
const plain = new Set();

async function explain(id, signal) {
  const path = listPath();
  if (!plain.has(path)) {
    try {
      return await call(explainPath(id), { signal });
    } catch (error) {
      if (!error.isAbsent) throw error;
    }
  }
  const found = await entry(id, list.jobs, signal);
  plain.add(path);
  return found;
}

// The jobs of the list. Jobs that keep their row but left the list are read one by one, a few at a time.
async function overview(signal) {
  const answer = await found(wanted, signal);
  const apart = list.missing(answer.jobs).slice(0, APART).map((job) => explain(job.jobId, signal).catch((error) => {
    if (error instanceof Refusal) return { ...job, state: "removed", why: { reason: "removed", sentence: "" } };
    throw error;
  }));
  return { ...answer, apart: await Promise.all(apart) };
}

function shown(answer) {
  welcome();
  // A link to this view has the graph in it.
  if (wanted.graph !== here().graph) replace({ ...wanted, ...here() });
  if (isList()) listed(answer);
  else job.show(answer);
}

function listed({ jobs, next, apart }) {
  list.isFirst = wanted.before === undefined;
  const waiting = list.fresh.length;
  list.show(jobs, apart);
  list.next = next;
  filter.seen(jobs);
  filter.count(countsPath(), wanted.filter);
  const ends = list.changes.map((job) => word("ended", list.name(job.jobId), stateWord(job.state)));
  if (list.fresh.length > waiting) ends.push($("fresh").textContent);
  if (ends.length) put($("news"), ends.join(" "));
  const filtered = Object.keys(wanted.filter).length > 0;
  $("reading").hidden = true;
  $("pages").hidden = jobs.length === 0 && wanted.before === undefined && next === undefined;
  $("none").hidden = jobs.length > 0 || filtered;
  if (!$("none").hidden) fresh.try();
  $("nothing").hidden = jobs.length > 0 || !filtered;
  $("table").ariaRowCount = list.isFirst && next === undefined ? list.jobs.length + 1 : -1;
  allow($("newer"), wanted.before !== undefined);
  allow($("older"), next !== undefined);
}

const poll = new Poll(ask, shown, (error) => {
  // A refusal is an answer, so it is told at once. Silence is told by the pulse.
  if (!(error instanceof Refusal)) return;
  poll.heard();
  $("reading").hidden = true;
  refused(error);
  if (error.isGone) job.gone();
}, () => (isList() || !job.job || ended(job.job) ? undefined : eventsPath(wanted.job)));

const pulse = new Pulse(poll, (state) => {
  if (state === "silent" || state === "live") put($("news"), $("pulse").textContent);
  list.silent = job.silent = pulse.silent;
  list.draw();
  job.draw();
  if (!pulse.silent) rows.retry();
});

let measured;
const aside = new Aside(() => poll.paused, (known) => { measured = known; figures(known); });

function replace(address) {
  wanted = parse(format(address));
  if (isList()) left = wanted;
  history.replaceState(history.state, "", format(wanted));
}

// Goes to an address of this graph. `above` are the pages of the list before it.
function go(address, above = []) {
  history.pushState({ above }, "", format({ ...here(), ...address }));
  arrive();
}

// The place in the rows is in the address once the reader rests there.
let resting = 0;
rows.moved = (at) => {
  clearTimeout(resting);
  resting = setTimeout(() => {
    if (isList()) return;
    put($("news"), $("range").textContent);
    if (at !== wanted.at) replace({ ...wanted, view: "rows", at });
  }, 300);
};

const place = ({ project, graph }) => JSON.stringify([project, graph]);
const listKey = (address) => JSON.stringify([place(address), address.filter, address.before]);

// Shows what the address says; nothing of another graph, filter or job stays.
function arrive() {
  const before = wanted;
  wanted = parse(location.hash);
  want(wanted);
  trouble("");
  say("");
  dismiss();
  clearTimeout(resting);
  if (isList()) arriveAtList();
  else arriveAtJob();
  $("list").hidden = !isList();
  $("job").hidden = isList();
  poll.restart();
  if (before.job && isList()) list.walk.want(before.job);
  else if (!isList() && before.job !== wanted.job) $("job-title").focus();
}

function arriveAtList() {
  job.close();
  filter.show(wanted.filter);
  if (listKey(left) === listKey(wanted)) return;
  left = wanted;
  list.clear();
  fresh.learn();
  for (const [name, hidden] of [["reading", false], ["none", true], ["nothing", true]]) $(name).hidden = hidden;
}

function arriveAtJob() {
  if (left.graph !== ALL && place(left) !== place(wanted)) {
    left = { view: "list", project: wanted.project, graph: wanted.graph };
    list.clear();
  }
  $("back").href = format({ ...left, project: wanted.project, graph: left.graph === ALL ? ALL : wanted.graph });
  job.wantsRows = wanted.view === "rows";
  job.open(wanted.job, wanted.at);
}

// The job that an act is about, as it is known now.
const subject = (id) => (isList() ? { job: list.job(id), name: list.name(id) } : { job: job.job, name: $("job-title").textContent });

async function act(what, id) {
  if (await what({ ...subject(id), silent: pulse.silent })) poll.restart();
}

const cancelJob = (id) => act(({ job, ...more }) => cancel({ jobs: [job], ...more }), id);
// The buttons about the selected jobs go with the selection, and the focus goes back to the list.
function unpick() {
  list.pick();
  list.walk.enter();
}

async function cancelPicked() {
  const jobs = [...list.picked].map((id) => list.job(id));
  if (!await cancel({ jobs, silent: pulse.silent })) return;
  unpick();
  poll.restart();
}

const runAgain = (id) => act(again, id);

function pause() {
  poll.pause(!poll.paused);
  $("pause").ariaPressed = poll.paused;
}

function release() {
  list.release();
  list.walk.go($("jobs").rows[0]);
}

// A button that is marked as not allowed does nothing.
document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button && !allowed(button)) event.stopImmediatePropagation();
}, { capture: true });

const above = () => history.state?.above ?? [];
const older = () => go({ ...wanted, before: list.older }, [...above(), wanted.before ?? null]);
const newer = () => go({ ...wanted, before: above().at(-1) ?? undefined }, above().slice(0, -1));

const fresh = new New(() => (wanted.before ? go({ ...wanted, before: undefined }) : poll.restart()));

// A form for a new job with the request of the one that is open.
function openAsNew() {
  const { kind } = job.job ?? {};
  const { sent } = job;
  go({ ...left, view: "list" });
  fresh.open(kind, sent);
}

function entered() {
  forget();
  allowAll();
  poll.restart();
  aside.ask();
}

askForToken(entered);
on("submit", { place: (event) => event.preventDefault() });
on("change", {
  project: () => go({ view: "list", project: $("project").value, graph: undefined }),
  graph: () => go({ view: "list", graph: $("graph").value }),
  token: entered,
});
on("click", {
  newer, older, pause,
  "job-cancel": () => cancelJob(wanted.job),
  "job-again": () => runAgain(wanted.job),
  "job-copy": () => copied(wanted.job),
  "request-copy": () => copyRequest(job.job, job.sent),
  "request-new": openAsNew,
  "rows-copy": () => copied(curl(rows.seen)),
  "picked-cancel": cancelPicked,
  "picked-none": unpick,
  fresh: release,
  keys: () => showHelp(help()),
  language: () => { switchLanguage(); list.draw(); filter.draw(); job.draw(); fresh.offer(); figures(measured); },
});
setInterval(() => { list.tick(); job.tick(!poll.paused && !document.hidden); }, 1000);

// The job that a key is about: the one that is open, or that of the row with the focus.
const chosen = () => (isList() ? list.walk.row?.dataset.id : wanted.job);
const about = (act) => () => {
  const id = chosen();
  if (id) act(id);
  return Boolean(id);
};
const inList = (act) => () => {
  if (isList()) act();
  return isList();
};

const enter = inList(() => list.walk.enter());

listen({
  c: about(cancelJob),
  r: about(runAgain),
  j: enter,
  k: enter,
  "/": inList(() => $("filter-q").focus()),
  "?": () => { showHelp(help()); return true; },
});

// Escape leaves a job also from a field, but not from a question about it.
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !isList() && !event.target.closest("dialog")) $("back").click();
});
addEventListener("popstate", arrive);
translate();
arrive();
