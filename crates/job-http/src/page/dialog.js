// Asks before something is done. The browser gives the focus back to where it was.
import { $, on, pairs, put } from "./put.js";

export function ask({ title, more, yes }) {
  const dialog = $("ask");
  for (const [part, text] of Object.entries({ title, more, yes })) put($(`ask-${part}`), text);
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

export function help(keys) {
  pairs($("help-keys"), keys.map(([key, text]) => [key, { text }]));
  $("help").showModal();
}

on("click", { "ask-yes": () => $("ask").close("yes"), "ask-no": dismiss, "help-close": () => $("help").close() });
