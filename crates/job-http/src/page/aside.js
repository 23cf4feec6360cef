// Asks beside the view, and less often, whether the engine is well, and for its figures.
import { $, put } from "./put.js";
import { Refusal, call } from "./service.js";
import { word } from "./words.js";

const EVERY = 5000;

// A service without an answer here is told by the pulse.
async function health(signal) {
  try {
    await call("health", { signal });
    return "";
  } catch (error) {
    return error instanceof Refusal && error.status === 503 ? word("unwell", error.message) : undefined;
  }
}

export class Aside {
  // `isQuiet` says when nothing is to be asked; `shown` gets the figures, or undefined where there are none.
  constructor(isQuiet, shown) {
    Object.assign(this, { isQuiet, shown, asked: new AbortController() });
    setInterval(() => this.ask(), EVERY);
    this.ask();
  }

  // Earlier questions, as another client perhaps, count no longer.
  async ask() {
    this.asked.abort();
    if (document.hidden || this.isQuiet()) return;
    const asked = new AbortController();
    Object.assign(this, { asked });
    const [sentence, figures] = await Promise.all([health(asked.signal), call("figures", { signal: asked.signal }).catch(() => undefined)]);
    if (asked.signal.aborted) return;
    if (sentence !== undefined) {
      put($("unwell"), sentence);
      $("unwell").hidden = !sentence;
    }
    this.shown(figures);
  }
}
