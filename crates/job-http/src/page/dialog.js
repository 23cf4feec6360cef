// Asks before something is done. The browser gives the focus back to where it was.
import { $, pairs } from "./put.js";

export function ask({ title, more, yes, no }) {
  const dialog = $("ask");
  for (const [id, text] of [["ask-title", title], ["ask-more", more], ["ask-yes", yes], ["ask-no", no]]) $(id).textContent = text;
  dialog.returnValue = "";
  dialog.showModal();
  $("ask-no").focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

// Takes back a question about what is no longer on the page.
export function dismiss() {
  $("ask").close("no");
}

for (const [id, value] of [["ask-yes", "yes"], ["ask-no", "no"]]) {
  $(id).addEventListener("click", () => $("ask").close(value));
}

export function help(keys) {
  pairs($("help-keys"), keys.map(([key, text]) => [key, { text }]));
  $("help").showModal();
}

$("help-close").addEventListener("click", () => $("help").close());
