// The rows of one result. The page has as many lines as fit, for a result of any size. Pages are read ahead of the
// reader's place, so that moving on never waits for the service.
import { elements, members } from "./json.js";
import { pairs, put } from "./put.js";
import { number, word } from "./words.js";

const LINES = 20;
const PAGE = 500;
const KEPT = 64;
const $ = (id) => document.getElementById(id);

// The outputs of an answer: a list of rows, and named values. Both are texts, as they were sent.
function outputs(answer) {
  const all = members(members(members(answer).get("data")).get("outputs"));
  const total = Number(all.get("data_total_size") ?? 0);
  const list = all.has("data_total_size") ? [...all.keys()].findLast((name) => all.get(name).startsWith("[")) : undefined;
  const values = [...all].filter(([name]) => name !== list && !name.startsWith("data_"));
  return { total, list, values, rows: list === undefined ? [] : elements(all.get(list)) };
}

export class Rows {
  // `read` gives the text of an answer.
  constructor(read) {
    Object.assign(this, { read, moved: () => {} });
    this.forget();
    $("rows").append(...Array.from({ length: LINES }, () => {
      const line = document.createElement("div");
      line.setAttribute("role", "row");
      line.append(document.createElement("b"), document.createElement("span"));
      line.firstChild.setAttribute("role", "rowheader");
      line.lastChild.setAttribute("role", "cell");
      return line;
    }));
    this.listen();
  }

  listen() {
    const box = $("rows");
    box.addEventListener("keydown", (event) => this.key(event));
    box.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.go(this.top + Math.sign(event.deltaY) * Math.max(1, Math.round(Math.abs(event.deltaY) / 22)));
    }, { passive: false });
    $("slider").addEventListener("input", () => this.go(Number($("slider").value)));
    $("row").addEventListener("change", () => this.go(Number($("row").value)));
  }

  // Drops this result, and the answers about it that are still to come.
  forget() {
    this.asked?.abort();
    Object.assign(this, { asked: new AbortController(), path: "", total: 0, top: 0, pages: new Map(), list: undefined, values: [] });
  }

  // Shows the result at this path from this row on. False if another result was wanted meanwhile.
  async open(path, top = 0) {
    this.forget();
    const { asked } = this;
    const first = Math.floor(top / PAGE);
    const found = outputs(await this.read(`${path}?offset=${first * PAGE}&limit=${PAGE}`, { signal: asked.signal }));
    if (asked.signal.aborted) return false;
    Object.assign(this, { path, total: found.total, list: found.list, values: found.values });
    if (found.list !== undefined) this.pages.set(first, { rows: found.rows });
    $("slider").max = $("row").max = this.last();
    $("rows").setAttribute("aria-rowcount", this.total);
    this.go(top);
    return true;
  }

  // The address of the rows that are seen.
  get seen() {
    return `${this.path}?offset=${this.top}&limit=${Math.min(LINES, Math.max(1, this.total))}`;
  }

  last() {
    return Math.max(0, this.total - LINES);
  }

  key(event) {
    const to = {
      ArrowDown: this.top + 1, ArrowUp: this.top - 1, PageDown: this.top + LINES, PageUp: this.top - LINES,
      Home: 0, End: this.last(),
    }[event.key];
    if (to === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    this.go(to);
  }

  go(row) {
    const to = Math.min(this.last(), Math.max(0, Math.floor(row) || 0));
    const direction = to < this.top ? -1 : 1;
    this.top = to;
    this.draw();
    for (const near of [to, to + LINES - 1, to + direction * PAGE, to + direction * 2 * PAGE]) this.page(near);
    this.moved(to);
  }

  // Reads the page of this row unless it is there or on its way.
  async page(row) {
    const page = Math.floor(row / PAGE);
    if (row < 0 || row >= this.total || this.pages.has(page)) return;
    const { path, pages, asked } = this;
    pages.set(page, {});
    if (pages.size > KEPT) pages.delete(this.farthest());
    try {
      const answer = await this.read(`${path}?offset=${page * PAGE}&limit=${PAGE}`, { signal: asked.signal });
      pages.set(page, { rows: outputs(answer).rows });
    } catch (error) {
      pages.set(page, { error });
    }
    if (!asked.signal.aborted) this.draw();
  }

  // Asks once more for the pages that could not be read.
  retry() {
    if (!this.path) return;
    for (const [page, { error }] of this.pages) if (error) this.pages.delete(page);
    this.go(this.top);
  }

  farthest() {
    const here = this.top / PAGE;
    return [...this.pages.keys()].reduce((a, b) => (Math.abs(a - here) > Math.abs(b - here) ? a : b));
  }

  text(row) {
    const page = this.pages.get(Math.floor(row / PAGE));
    return page?.error ? `⚠ ${page.error.message}` : page?.rows?.[row % PAGE] ?? "…";
  }

  draw() {
    const end = Math.min(this.total, this.top + LINES);
    $("browser").hidden = this.list === undefined;
    put($("list-name"), this.list ?? "");
    put($("range"), this.total ? word("range", number(this.top), number(end - 1), number(this.total)) : word("noRows"));
    $("slider").value = this.top;
    // A number that is being typed stays.
    if (document.activeElement !== $("row") || this.top !== this.drawn) $("row").value = this.top;
    this.drawn = this.top;
    $("slider").setAttribute("aria-label", word("rows"));
    $("slider").disabled = this.last() === 0;
    pairs($("values"), this.values.map(([name, text]) => [name, { text, title: text.slice(0, 2000) }]));
    [...$("rows").children].forEach((line, place) => {
      const row = this.top + place;
      line.hidden = row >= end;
      line.setAttribute("aria-rowindex", row + 1);
      put(line.firstChild, number(row));
      put(line.lastChild, this.text(row));
    });
  }
}
