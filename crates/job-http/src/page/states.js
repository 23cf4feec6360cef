// The words and the offers of the page when the service refuses; acts that a client may not do are hidden.
import { graphs, here } from "./place.js";
import { format } from "./address.js";
import { trouble } from "./pulse.js";
import { $, build, element } from "./put.js";
import { word } from "./words.js";

const ACTS = ["list", "submit", "cancel"];

// Hides the actions of this kind until there is another token. The focus is not lost with them.
export function deny(act) {
  const { activeElement } = document;
  document.body.classList.add(`no-${act}`);
  if (activeElement.checkVisibility()) return;
  (activeElement.closest("tr") ?? [$("job-title"), $("filter-q"), $("language")].find((one) => one.checkVisibility())).focus();
}

export function allowAll() {
  document.body.classList.remove(...ACTS.map((act) => `no-${act}`));
}

export function welcome() {
  trouble("");
  document.body.classList.remove("no-list");
  $("token").ariaInvalid = "false";
  for (const id of ["who", "elsewhere"]) $(id).hidden = true;
}

function offerGraphs() {
  $("elsewhere").hidden = graphs().length === 0;
  build($("graphs"), graphs(), () => graphs().map((graph) => element("a", { href: format({ ...here(), view: "list", graph }) }, graph)));
}

export function refused({ status, message, isGone }) {
  const unknown = status === 401;
  const more = unknown ? word("giveToken") : isGone ? word("goneWhy") : "";
  trouble(`${message} ${more}`.trim());
  $("token").ariaInvalid = unknown;
  $("who").hidden = !unknown;
  if (unknown && document.activeElement === document.body) $("who-token").focus();
  $("elsewhere").hidden = true;
  if (status === 404) offerGraphs();
  if (status === 403) deny("list");
}

// `entered` is called when a token has been given.
export function askForToken(entered) {
  $("who").addEventListener("submit", (event) => {
    event.preventDefault();
    $("token").value = $("who-token").value;
    $("who-token").value = "";
    entered();
  });
}
