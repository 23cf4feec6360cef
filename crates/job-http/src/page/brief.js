// The parameters of a job in a few words, with the digits that were sent.
import { elements, members } from "./json.js";
import { readable } from "./shape.js";

const MOST = 200;
const EMPTY = new Set(["[]", "{}", "null", "\"\""]);
const isObject = (text) => text.startsWith("{");

function item(text) {
  if (!isObject(text)) return readable(text);
  const all = members(text);
  const values = all.has("values") ? elements(all.get("values")) : [];
  const known = ["propertyName", "predicate", "key", "orderValue"].map((name) => all.get(name)).filter(Boolean);
  return known.length ? [...known, ...values].map(readable).join(" ") : text;
}

function part(name, value) {
  if (EMPTY.has(value)) return "";
  if (!value.startsWith("[")) return `${name} ${readable(value)}`;
  const items = elements(value);
  return `${items.some(isObject) ? "" : `${name} `}${items.map(item).join(" ")}`;
}

// `request` is JSON; undefined where it is not known.
export function inShort(request) {
  if (!request || !isObject(request)) return "";
  const text = [...members(request)].map(([name, value]) => part(name, value)).filter(Boolean).join(", ");
  return text.length > MOST ? `${text.slice(0, MOST)}…` : text;
}
