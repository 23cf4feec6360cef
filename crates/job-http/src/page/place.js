// The project and the graph that the page looks at.
import { $, build } from "./put.js";
import { call } from "./service.js";
import { word } from "./words.js";

const encode = encodeURIComponent;
// The project that the service names, and the project whose graphs are known.
let home;
let listed;
let names = [];
let wanted = {};
let graph = "";

const project = () => wanted.project ?? home;
const projectPath = () => `ges/v1.0/${encode(project())}/graphs`;

// In an address, the name for all graphs. An operator sees them.
export const ALL = "*";

const isAll = () => graph === ALL;

// New work needs one graph.
export const graphPath = (name = isAll() ? names[0] : graph) => `${projectPath()}/${encode(name)}`;
const jobsPath = () => (isAll() ? "operator/jobs" : `${graphPath()}/jobs`);
export const listPath = () => (isAll() ? jobsPath() : `${jobsPath()}/overview`);
export const countsPath = () => `${jobsPath()}/counts`;
export const jobPath = (id) => `${jobsPath()}/${encode(id)}`;
export const idsPath = () => `${graphPath()}/vertices/ids`;
// The stream of events of a job; operators have none.
export const eventsPath = (id) => (isAll() ? undefined : `${jobPath(id)}/events`);
export const explainPath = (id) => (isAll() ? jobPath(id) : `${jobPath(id)}/explain`);
export const resultPath = (id) => `${jobPath(id)}/${isAll() ? "rows" : "status"}`;

// The part of it in an address: the project only if it is not the service's own.
export const here = () => ({ project: project() === home ? undefined : project(), graph });

export function want(place) {
  wanted = place;
}

// The graphs that the service names.
export const graphs = () => names;

// Asks for the graphs again, as another client.
export function forget() {
  listed = undefined;
}

// Reads what must be known first. Returns whether there is a graph.
export async function ready(signal) {
  home ??= (await call("page/config.json", { signal })).project ?? "";
  const name = project();
  if (listed !== name) {
    names = (await call(projectPath(), { signal })).graphs;
    listed = name;
  }
  draw();
  return graph !== "";
}

function draw() {
  // A graph that the service does not name may be in an address.
  const all = [...new Set([...names, wanted.graph ?? ALL, ALL])];
  graph = wanted.graph ?? names[0] ?? "";
  const options = all.map((one) => [one === ALL ? word("allGraphs") : one, one]);
  build($("graph"), options, () => options.map((one) => new Option(...one)));
  $("new-job").hidden = isAll();
  if ($("graph").value !== graph) $("graph").value = graph;
  if (document.activeElement !== $("project")) $("project").value = project();
}
