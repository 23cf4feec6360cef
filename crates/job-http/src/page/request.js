// The request of a job, as the service has stored it.
import { members, pretty } from "./json.js";
import { cut } from "./put.js";
import { address, call, guarded } from "./service.js";

const ACTIONS = { vertex_filter: "vertices/action?action_id=query", edge_filter: "edges/action?action_id=query" };
const ALGORITHM = "action?action_id=execute-algorithm";
const SHOWN = 20_000;

export const pathOf = (kind) => ACTIONS[kind] ?? ALGORITHM;

// The body that submits this work with these parameters, both as JSON.
export const bodyOf = (kind, parameters) => (ACTIONS[kind] ? parameters : `{"algorithmName":${JSON.stringify(kind)},"parameters":${parameters}}`);

// The body that submits what a view of a job tells, which is a text.
export function requestIn(view, kind) {
  const parameters = members(view).get("request");
  return parameters && bodyOf(kind, parameters);
}

export const shownRequest = (request) => cut(pretty(request), SHOWN);

// The keys of submissions whose answers have not come. The same request again is the same job then.
const keys = new Map();
const random = () => crypto.getRandomValues(new Uint32Array(4)).join("-");

// `more` is put behind the path.
export async function submit(path, body, more = "") {
  const request = `${path}${more} ${body}`;
  if (!keys.has(request)) keys.set(request, random());
  const answer = await call(path + more, { method: "POST", body, headers: { "Idempotency-Key": keys.get(request) } });
  keys.delete(request);
  return answer;
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

// The token itself is not copied.
export function curl(path, body) {
  const token = guarded() ? ' -H "X-Auth-Token: $TOKEN"' : "";
  return `curl -s${token} ${quoted(address(path))}${body === undefined ? "" : ` --data-raw ${quoted(body)}`}`;
}
