// Asks before something is done. The browser gives the focus back to where it was.
import { $, on, pairs, put } from "./put.js";

// Answers the question that is open. A later answer to the same one changes nothing.
let answer = () => {};

export function ask({ title, more, yes }) {
  const dialog = $("ask");
  answer(false);
  for (const [part, text] of Object.entries({ title, more, yes })) put($(`ask-${part}`), text);
  dialog.showModal();
  $("ask-no").focus();
  return new Promise((resolve) => { answer = resolve; });
}

function settle(isYes) {
  $("ask").close();
  answer(isYes);
}

// Takes back a question about what is no longer on the page.
export const dismiss = () => settle(false);

export function help(keys) {
  pairs($("help-keys"), keys.map(([key, text]) => [key, { text }]));
  $("help").showModal();
}

on("click", { "ask-yes": () => settle(true), "ask-no": dismiss, "help-close": () => $("help").close() });
// Escape closes it, too. This event may come when the next question is open already.
on("close", { ask: () => { if (!$("ask").open) answer(false); } });
