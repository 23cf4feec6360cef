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
  const key = path + word("download");
  if (box.dataset.made === key) return;
  box.dataset.made = key;
  box.replaceChildren(...(path ? FORMATS : []).map(([format, textContent]) => {
    const file = `${path}/rows?format=${format}`;
    const link = Object.assign(document.createElement("a"), { href: address(file), download: `${id}.${format}`, textContent });
    link.setAttribute("aria-label", word("download", textContent));
    link.addEventListener("click", (event) => fetched(event, file, link.download));
    return link;
  }));
}
