// The addresses of the page: #/jobs?state=failed, #/jobs/ID and #/jobs/ID/rows?at=58829, each with its graph.
export const FILTERS = ["state", "q", "kind", "owner", "label"];

// A text that is no address of the page is the list.
export function parse(hash) {
  const [path, query = ""] = hash.replace(/^#/, "").split(/\?(.*)/s);
  const names = new URLSearchParams(query);
  const get = (name) => names.get(name) || undefined;
  const [, jobs, job, rows] = path.split("/");
  const filter = Object.fromEntries(FILTERS.map((name) => [name, get(name)]).filter(([, value]) => value));
  const view = jobs !== "jobs" || !job ? "list" : rows === "rows" ? "rows" : "job";
  const at = Math.max(0, Math.floor(Number(get("at"))) || 0);
  return { view, job: view === "list" ? undefined : decode(job), project: get("project"), graph: get("graph"), filter, before: get("before"), at };
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function format({ view, job, project, graph, filter = {}, before, at }) {
  const path = { list: "#/jobs", job: `#/jobs/${encodeURIComponent(job)}`, rows: `#/jobs/${encodeURIComponent(job)}/rows` }[view];
  const names = { project, graph, ...(view === "list" ? { ...filter, before } : {}), ...(view === "rows" ? { at } : {}) };
  const query = new URLSearchParams(Object.entries(names).filter(([, value]) => value !== undefined && value !== ""));
  // Commas between states stay readable.
  return `${path}?${query}`.replace(/\?$/, "").replaceAll("%2C", ",");
}

// The filter of the list.
export function query({ filter, before }, limit) {
  return new URLSearchParams({ limit, ...filter, ...(before ? { before } : {}) });
}
