// The project and the graph that the page looks at.
import { $ } from "./put.js";
import { call } from "./service.js";

const encode = encodeURIComponent;
// The project that the service names, and the project whose graphs are known.
let home;
let listed;
let names = [];
let wanted = {};
let graph = "";

const project = () => wanted.project ?? home;
const projectPath = () => `ges/v1.0/${encode(project())}/graphs`;

export const graphPath = () => `${projectPath()}/${encode(graph)}`;
export const jobPath = (id) => `${graphPath()}/jobs/${encode(id)}`;

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
  const all = wanted.graph && !names.includes(wanted.graph) ? [...names, wanted.graph] : names;
  graph = wanted.graph ?? names[0] ?? "";
  const shown = [...$("graph").options].map((option) => option.value);
  if (shown.join("\n") !== all.join("\n")) $("graph").replaceChildren(...all.map((one) => new Option(one)));
  if ($("graph").value !== graph) $("graph").value = graph;
  if (document.activeElement !== $("project")) $("project").value = project();
}
