// The bar that says which jobs are listed.
import { FILTERS } from "./address.js";
import { make } from "./buttons.js";
import { $, build, on, put } from "./put.js";
import { call } from "./service.js";
import { number, state, word } from "./words.js";

const STATES = ["waiting", "running", "cancelling", "succeeded", "failed", "cancelled"];
const FIELDS = FILTERS.slice(1);
const EVERY = 5000;

export class Filter {
  // `changed` gets the new filter.
  constructor(changed) {
    Object.assign(this, { changed, counts: {}, counted: "", again: 0 });
    this.kinds = new Set(["vertex_filter", "edge_filter"]);
    $("states").append(...STATES.map((name) => {
      const button = make("chip", () => this.toggle(button));
      button.dataset.state = name;
      button.ariaPressed = "false";
      return button;
    }));
    for (const name of FIELDS) $(`filter-${name}`).addEventListener("change", () => changed(this.value()));
    on("submit", { filter: (event) => { event.preventDefault(); changed(this.value()); } });
    for (const button of document.querySelectorAll("button.clear")) button.addEventListener("click", () => this.clear());
  }

  toggle(button) {
    button.ariaPressed = button.ariaPressed !== "true";
    this.changed(this.value());
  }

  // The button may be gone after it, so the focus goes to the first field.
  clear() {
    $("filter-q").focus();
    this.changed({});
  }

  value() {
    const states = [...$("states").children].filter((button) => button.ariaPressed === "true");
    const fields = FIELDS.map((name) => [name, $(`filter-${name}`).value.trim()]);
    return Object.fromEntries([["state", states.map((button) => button.dataset.state).join(",")], ...fields].filter(([, value]) => value));
  }

  show(filter) {
    const states = (filter.state ?? "").split(",");
    for (const button of $("states").children) button.ariaPressed = states.includes(button.dataset.state);
    for (const name of FIELDS) $(`filter-${name}`).value = filter[name] ?? "";
    $("clear").hidden = Object.keys(filter).length === 0;
    this.draw();
  }

  // Offers the kinds of work that were seen.
  seen(jobs) {
    for (const job of jobs) if (job.kind) this.kinds.add(job.kind);
    const kinds = [...this.kinds].sort();
    build($("kinds"), kinds, () => kinds.map((kind) => new Option("", kind)));
  }

  // Reads how many jobs there are in each state, now and then. Older services do not tell.
  async count(path, { kind, owner, label, q }) {
    const asked = `${path}?${new URLSearchParams(Object.entries({ kind, owner, label }).filter(([, value]) => value))}`;
    if (asked === this.counted && performance.now() < this.again) return;
    Object.assign(this, { counted: asked, again: performance.now() + EVERY });
    const counts = q ? {} : (await call(asked).catch(() => ({}))).counts ?? {};
    if (asked !== this.counted) return;
    this.counts = counts;
    this.draw();
  }

  draw() {
    for (const button of $("states").children) {
      const { jobs, more } = this.counts[button.dataset.state] ?? {};
      put(button, `${state(button.dataset.state)}${jobs === undefined ? "" : ` ${number(jobs)}${more ? "+" : ""}`}`);
    }
    $("states").ariaLabel = word("state");
  }
}
