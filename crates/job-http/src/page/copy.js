// Copies a text. The clipboard of a browser needs HTTPS or this machine; elsewhere a selection is copied.
import { cut, element } from "./put.js";

function copySelected(text) {
  const back = document.activeElement;
  const area = element("textarea", { value: text, className: "unseen" });
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  back?.focus();
  return done;
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelected(text);
  }
}

// The message about a copied text.
export const told = (text) => cut(text, 160);
