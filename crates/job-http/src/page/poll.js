// Asks the service again and again, or follows a stream of events where there is one. A request that hangs holds no later
// one up, and an answer that is older than one that was shown is dropped.
import { events } from "./service.js";

const EVERY = 1000;
// A stream that lives says so each second.
const QUIET = 2500;
const HANGS = 3000;
const MOST = 4;

export class Poll {
  #open = new Map();
  #timer = 0;
  #asked = 0;
  #shown = 0;
  #since = performance.now();
  #answered = 0;
  #came;
  // The one stream that is open, and one that has told nothing.
  #stream;
  #deaf;

  // `ask` gets a signal that ends it, `show` its value, `fail` its error. `path` gives that of a stream of later values.
  constructor(ask, show, fail, path) {
    Object.assign(this, { ask, show, fail, path, paused: false });
    document.addEventListener("visibilitychange", () => this.#rest());
  }

  // Milliseconds since what is shown came; undefined before there is any.
  get age() {
    return this.#came === undefined ? undefined : performance.now() - this.#came;
  }

  // Milliseconds since the last answer; since the page is looked at, if that is shorter.
  get silence() {
    return performance.now() - Math.max(this.#answered, this.#since);
  }

  // Asks at once. Answers to earlier questions are dropped.
  restart() {
    for (const asked of this.#open.values()) asked.abort();
    this.#open.clear();
    this.#deaf = undefined;
    this.#leave();
    return this.#turn(true);
  }

  pause(paused) {
    this.paused = paused;
    this.#rest();
  }

  // The page is paused or hidden, or is looked at again. A stream is open only while it is looked at.
  #rest() {
    this.#since = performance.now();
    if (!this.#wanted) this.#leave();
    this.#turn();
  }

  get #wanted() {
    return !this.paused && !document.hidden;
  }

  #leave() {
    this.#stream?.abort();
    this.#stream = undefined;
  }

  // Shows what comes by events. Nothing is asked while the stream lives.
  async #follow() {
    const path = this.path();
    if (!path || path === this.#deaf || this.#stream || !this.#wanted) return;
    const stream = new AbortController();
    this.#stream = stream;
    let told = false;
    try {
      for await (const value of events(path, stream.signal)) {
        if (stream.signal.aborted) return;
        this.#later(QUIET, () => this.#turn());
        this.heard();
        this.#came = performance.now();
        if (value === undefined) continue;
        told = true;
        // Answers that are on their way are older.
        this.#asked += 1;
        this.#shown = this.#asked;
        this.show(value);
      }
    } catch { /* The service is asked again. */ }
    if (stream.signal.aborted) return;
    this.#stream = undefined;
    if (!told) this.#deaf = path;
    this.#later(EVERY, () => this.#turn());
  }

  // An answer has come that is not shown.
  heard() {
    this.#answered = performance.now();
  }

  #later(time, turn) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(turn, time);
  }

  async #turn(wanted = this.#wanted) {
    if (!wanted) return;
    this.#later(HANGS, () => this.#turn());
    this.#asked += 1;
    const number = this.#asked;
    const asked = new AbortController();
    if (this.#open.size >= MOST) this.#end(Math.min(...this.#open.keys()));
    this.#open.set(number, asked);
    try {
      const value = await this.ask(asked.signal);
      if (asked.signal.aborted || number < this.#shown) return;
      this.#shown = number;
      this.heard();
      this.#came = performance.now();
      for (const older of [...this.#open.keys()].filter((one) => one < number)) this.#end(older);
      this.show(value);
      this.#follow();
    } catch (error) {
      if (!asked.signal.aborted) this.fail(error);
    } finally {
      this.#open.delete(number);
      if (number === this.#asked) this.#later(EVERY, () => this.#turn());
    }
  }

  #end(number) {
    this.#open.get(number).abort();
    this.#open.delete(number);
  }
}
