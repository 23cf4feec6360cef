// Says whether what is on the page is what the service has: live, silent, refused or paused.
import { $, put } from "./put.js";
import { ago, coarse } from "./time.js";
import { word } from "./words.js";

const SILENT = 3000;

export class Pulse {
  // `changed` is called when the service falls silent or answers again.
  constructor(poll, changed) {
    Object.assign(this, { poll, changed, state: "live" });
    setInterval(() => this.draw(), 250);
  }

  get silent() {
    return this.state === "silent";
  }

  next() {
    if (document.hidden) return this.state;
    if (this.poll.paused) return "paused";
    if (this.poll.silence > SILENT) return "silent";
    return $("trouble").hidden ? "live" : "refused";
  }

  text(state) {
    if (state === "silent") return word("silent", coarse(this.poll.silence));
    return this.poll.age === undefined ? word("reading") : word(state, ago(this.poll.age));
  }

  draw() {
    const state = this.next();
    put($("pulse"), this.text(state));
    if (state === this.state) return;
    this.state = state;
    document.body.dataset.pulse = state;
    document.body.toggleAttribute("data-stale", state === "silent" || state === "refused");
    this.changed(state);
  }
}

export function trouble(text) {
  put($("trouble"), text);
  $("trouble").hidden = !text;
}
