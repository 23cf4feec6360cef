// Requests to the service. Addresses are relative to the page's own files, so the page works under any path prefix.
import { refusal as told, word } from "./words.js";

const ROOT = new URL("../", import.meta.url);
// An action that has no answer after this time is given up.
const PATIENCE = 30_000;

export const address = (path) => new URL(path, ROOT).href;

// A refusal of the service itself, with its sentence.
export class Refusal extends Error {
  // `plain` is the sentence alone.
  constructor(status, message, code, plain = message) {
    super(message);
    Object.assign(this, { status, code, plain });
  }

  // Whether the service does not have the path.
  get isAbsent() {
    return this.status === 404 || this.status === 405;
  }

  // Whether the service does not have the job.
  get isGone() {
    return this.code === "GES.8301" && this.status === 400;
  }
}

// Milliseconds that the clock of the service is ahead of this one.
let ahead = 0;

export const now = () => Date.now() + ahead;

// A clock of the service that differs by less than this is the time that the answer took.
const CLOSE = 3000;

function compare(date) {
  const difference = Date.parse(date ?? "") - Date.now();
  if (!Number.isNaN(difference)) ahead = Math.abs(difference) < CLOSE ? 0 : difference;
}

export const guarded = () => token() !== "";

const token = () => document.getElementById("token").value;

function parsed(text, response) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(word("strange", response.status));
  }
}

async function answer(path, { signal, headers = {}, ...options }) {
  const known = { "X-Job-Dialect": "document", ...(token() && { "X-Auth-Token": token() }) };
  const response = await fetch(address(path), { ...options, headers: { ...headers, ...known }, signal });
  compare(response.headers.get("date"));
  return response;
}

const refusal = (response, { errorMessage, errorCode }) => new Refusal(response.status, told(errorMessage, errorCode), errorCode, errorMessage);

// The text of an answer that is JSON. An answer to a request that was given up is an error, never a value.
export async function text(path, { signal = AbortSignal.timeout(PATIENCE), ...options } = {}) {
  const response = await answer(path, { signal, ...options });
  const body = await response.text();
  signal.throwIfAborted();
  const value = parsed(body, response);
  if (!response.ok) throw refusal(response, value);
  return body;
}

export const call = async (path, options) => JSON.parse(await text(path, options));

// The values of a stream of events as they come; undefined for each sign of life between them.
export async function* events(path, signal) {
  const response = await answer(path, { signal });
  if (!response.ok || !response.body) throw new Error();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let [left, part] = ["", await reader.read()]; !part.done; part = await reader.read()) {
    yield undefined;
    const whole = (left + part.value).split("\n\n");
    left = whole.pop();
    for (const [, data] of whole.map((event) => /^data: ?(.*)/m.exec(event)).filter(Boolean)) yield JSON.parse(data);
  }
}

// An answer of any size and form.
export async function blob(path) {
  const response = await answer(path, {});
  if (!response.ok) throw refusal(response, parsed(await response.text(), response));
  return response.blob();
}
