// Links that download a whole result. The service streams it, so it may have any size.
import { failed } from "./message.js";
import { build, element } from "./put.js";
import { address, blob, guarded } from "./service.js";
import { word } from "./words.js";

const FORMATS = [["csv", "CSV"], ["jsonl", "JSON Lines"]];

// A link sends no token, so with a token the page asks itself and hands the browser what came.
async function fetched(event, path, name) {
  if (!guarded()) return;
  event.preventDefault();
  try {
    const url = URL.createObjectURL(await blob(path));
    element("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  } catch (error) {
    failed(error);
  }
}

// `path` is that of the job; without it there are no links.
export function downloads(box, path, id) {
  build(box, [path, word("download")], () => (path ? FORMATS : []).map(([format, textContent]) => {
    const file = `${path}/rows?format=${format}`;
    const link = element("a", { href: address(file), download: `${id}.${format}`, textContent, ariaLabel: word("download", textContent) });
    link.addEventListener("click", (event) => fetched(event, file, link.download));
    return link;
  }));
}
