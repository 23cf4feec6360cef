// Links that download a whole result. The service streams it, so it may have any size.
import { failed } from "./message.js";
import { address, blob, guarded } from "./service.js";
import { word } from "./words.js";

const FORMATS = [["csv", "CSV"], ["jsonl", "JSON Lines"]];

// A link sends no token, so with a token the page asks itself and hands the browser what came.
async function fetched(event, path, name) {
  if (!guarded()) return;
  event.preventDefault();
  try {
    const url = URL.createObjectURL(await blob(path));
    Object.assign(document.createElement("a"), { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  } catch (error) {
    failed(error);
  }
}

// `path` is that of the job; without it there are no links.
export function downloads(box, path, id) {
  if (box.dataset.path === path) {
    for (const link of box.children) link.setAttribute("aria-label", word("download", link.textContent));
    return;
  }
  box.dataset.path = path;
  box.replaceChildren(...(path ? FORMATS : []).map(([format, text]) => {
    const link = document.createElement("a");
    const name = `${id}.${format}`;
    const file = `${path}/rows?format=${format}`;
    Object.assign(link, { href: address(file), download: name, textContent: text });
    link.setAttribute("aria-label", word("download", text));
    link.addEventListener("click", (event) => fetched(event, file, name));
    return link;
  }));
}
