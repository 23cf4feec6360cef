// Asks the service again and again. A request that hangs holds no later one up, and an answer that is older than one
// that was shown is dropped.
const EVERY = 1000;
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

  // `ask` gets a signal that ends it, `show` its value, `fail` its error.
  constructor(ask, show, fail) {
    Object.assign(this, { ask, show, fail, paused: false });
    document.addEventListener("visibilitychange", () => {
      this.#since = performance.now();
      this.#turn();
    });
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
    return this.#turn(true);
  }

  pause(paused) {
    this.paused = paused;
    this.#since = performance.now();
    if (!paused) this.#turn();
  }

  // An answer has come that is not shown.
  heard() {
    this.#answered = performance.now();
  }

  #later(time, turn) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(turn, time);
  }

  async #turn(wanted = !this.paused && !document.hidden) {
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
