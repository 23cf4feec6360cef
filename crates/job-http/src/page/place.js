// The project and the graph that the page looks at.
import { call } from "./service.js";

const $ = (id) => document.getElementById(id);
const encode = encodeURIComponent;
// The project that the service names, and the project whose graphs are in the list.
let home;
let listed;

const projectPath = () => `ges/v1.0/${encode($("project").value)}/graphs`;

export const graph = () => $("graph").value;
export const graphPath = () => `${projectPath()}/${encode(graph())}`;
export const jobPath = (id) => `${graphPath()}/jobs/${encode(id)}`;
export const project = () => ($("project").value === home ? undefined : $("project").value);

// A graph that the service does not name may be in an address.
function select(name) {
  if (![...$("graph").options].some((option) => option.value === name)) $("graph").add(new Option(name));
  $("graph").value = name;
}

// Reads what the page must know first, and what has changed.
export async function ready(signal, wanted = {}) {
  if (home === undefined) {
    home = (await call("page/config.json", { signal })).project ?? "";
    $("project").value ||= home;
  }
  if (wanted.project !== undefined) $("project").value = wanted.project || home;
  const name = $("project").value;
  if (listed !== name) {
    const { graphs } = await call(projectPath(), { signal });
    const before = graph();
    $("graph").replaceChildren(...graphs.map((one) => new Option(one)));
    if (graphs.includes(before)) $("graph").value = before;
    listed = name;
  }
  if (wanted.graph) select(wanted.graph);
}
