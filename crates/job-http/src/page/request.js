// The request of a job, as the service has stored it.
import { members, pretty } from "./json.js";
import { graphPath } from "./place.js";
import { address, call, guarded } from "./service.js";

const ACTIONS = { vertex_filter: "vertices/action?action_id=query", edge_filter: "edges/action?action_id=query" };
const ALGORITHM = "action?action_id=execute-algorithm";
const SHOWN = 20_000;

// The least id above this one.
function successor(id) {
  const next = (BigInt(`0x${id.replaceAll("-", "")}`) + 1n).toString(16).padStart(32, "0");
  return next.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

// No route has the request of one job: the list has it, with one job of it.
export async function requestOf(id) {
  const { jobs } = await call(`${graphPath()}/jobs/status?limit=1&before=${successor(id)}`);
  return jobs[0]?.jobId === id ? jobs[0].rawRequest : undefined;
}

export const pathOf = (kind) => ACTIONS[kind] ?? ALGORITHM;

// The body that submits this work with these parameters, both as JSON.
export function bodyOf(kind, parameters) {
  if (parameters === undefined || ACTIONS[kind] || isWhole(parameters)) return parameters;
  return `{"algorithmName":${JSON.stringify(kind)},"parameters":${parameters}}`;
}

const isWhole = (request) => request.startsWith("{") && members(request).has("algorithmName");

// Where a job of this kind is submitted; undefined where its request is unknown or not one of a client's.
export function actionOf(kind, request) {
  if (request === undefined) return undefined;
  if (ACTIONS[kind]) return ACTIONS[kind];
  try {
    return JSON.parse(request).algorithmName === kind ? ALGORITHM : undefined;
  } catch {
    return undefined;
  }
}

export function shownRequest(request) {
  const text = pretty(request);
  return text.length > SHOWN ? `${text.slice(0, SHOWN)} …` : text;
}

// The keys of submissions whose answers have not come. The same request again is the same job then.
const keys = new Map();
const random = () => crypto.getRandomValues(new Uint32Array(4)).join("-");

export async function submit(path, body) {
  const request = `${path} ${body}`;
  if (!keys.has(request)) keys.set(request, random());
  const answer = await call(path, { method: "POST", body, headers: { "Idempotency-Key": keys.get(request) } });
  keys.delete(request);
  return answer;
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

// The token itself is not copied.
export function curl(path, body) {
  const token = guarded() ? ' -H "X-Auth-Token: $TOKEN"' : "";
  return `curl -s${token} ${quoted(address(path))}${body === undefined ? "" : ` --data-raw ${quoted(body)}`}`;
}
