// Ids of vertices that the service gives complete what is typed.
import { idsPath } from "./place.js";
import { element } from "./put.js";
import { call } from "./service.js";

const LATER = 200;
const list = element("datalist", { id: "vertices" });
// The path of a service that gives none, and the last question.
let [absent, asked, timer] = ["", new AbortController(), 0];
document.body.append(list);

async function ask(prefix) {
  const path = idsPath();
  if (path === absent) return;
  asked.abort();
  asked = new AbortController();
  const { signal } = asked;
  try {
    const { vertices } = await call(`${path}?${new URLSearchParams({ prefix })}`, { signal });
    list.replaceChildren(...vertices.map((id) => new Option("", id)));
  } catch (error) {
    if (signal.aborted) return;
    list.replaceChildren();
    if (error.isAbsent) absent = path;
  }
}

export function suggest(input) {
  input.setAttribute("list", list.id);
  for (const [event, pause] of [["focus", 0], ["input", LATER]]) {
    input.addEventListener(event, () => {
      clearTimeout(timer);
      timer = setTimeout(() => ask(input.value), pause);
    });
  }
}
