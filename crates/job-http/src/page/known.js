// Ids of vertices that were seen, which complete what is typed. No route lists the vertices of a graph.
import { members } from "./json.js";
import { element } from "./put.js";

const MOST = 300;
const list = element("datalist", { id: "vertices" });
const known = new Set();
document.body.append(list);

// `texts` are JSON.
export function seen(texts) {
  const before = known.size;
  for (const text of texts) if (text?.startsWith("\"") && text.length < 200 && known.size < MOST) known.add(JSON.parse(text));
  if (known.size > before) list.replaceChildren(...[...known].map((id) => new Option("", id)));
}

export function seenInRequest(request) {
  if (!request?.startsWith("{")) return;
  const parameters = members(request);
  seen([parameters.get("source"), parameters.get("target")]);
}

export const suggest = (input) => input.setAttribute("list", list.id);
