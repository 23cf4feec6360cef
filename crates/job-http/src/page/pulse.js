// Says whether what is on the page is what the service has: live, silent or paused.
import { ago, coarse } from "./time.js";
import { word } from "./words.js";

const SILENT = 3000;
const $ = (id) => document.getElementById(id);

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
    if (this.poll.paused) return "paused";
    return this.poll.silence > SILENT ? "silent" : "live";
  }

  draw() {
    const state = this.next();
    const age = this.poll.age;
    const text = { live: () => word("live", ago(age)), silent: () => word("silent", coarse(this.poll.silence)), paused: () => word("paused", ago(age)) };
    $("pulse").textContent = text[state]();
    if (state === this.state) return;
    this.state = state;
    document.body.dataset.pulse = state;
    this.changed(state);
  }
}

export function trouble(text) {
  $("trouble").textContent = text;
  $("trouble").hidden = !text;
}
