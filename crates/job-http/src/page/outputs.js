// The outputs of an answer: a list of rows, and named values. Both are texts, as they were sent.
import { elements, members } from "./json.js";

export function outputs(answer) {
  const all = members(members(members(answer).get("data") ?? "{}").get("outputs") ?? "{}");
  const total = Number(all.get("data_total_size") ?? 0);
  const list = all.has("data_total_size") ? [...all.keys()].findLast((name) => all.get(name).startsWith("[")) : undefined;
  const values = [...all].filter(([name]) => name !== list && !name.startsWith("data_"));
  return { total, list, values, rows: list === undefined ? [] : elements(all.get(list)) };
}
