// The rows of one result. The page has as many lines as fit, for a result of any size. Pages are read ahead of the
// reader's place, so that moving on never waits for the service.
import { Histogram } from "./histogram.js";
import { Lines } from "./lines.js";
import { outputs } from "./outputs.js";
import { put } from "./put.js";
import { RowBox } from "./row.js";
import { Shape } from "./shape.js";
import { cards } from "./values.js";
import { number, word } from "./words.js";

const LINES = 20;
const PAGE = 500;
const KEPT = 64;
const $ = (id) => document.getElementById(id);

export class Rows {
  // `read` gives the text of an answer; `copy` copies a text.
  constructor(read, copy) {
    Object.assign(this, { read, copy, moved: () => {} });
    this.lines = new Lines(LINES, { go: (top) => this.go(top), choose: (row) => this.choose(row), open: () => this.box.open(this.chosen) });
    this.box = new RowBox({ text: (row) => this.text(row), choose: (row) => this.choose(row), copy, total: () => this.total });
    this.histogram = new Histogram(read);
    this.forget();
    $("slider").addEventListener("input", () => this.go(Number($("slider").value)));
    $("row").addEventListener("change", () => this.jump(Number($("row").value)));
    $("plot-column").addEventListener("change", () => this.plot());
  }

  // Drops this result, and the answers about it that are still to come.
  forget() {
    this.asked?.abort();
    this.histogram.close();
    this.box.close();
    const empty = { path: "", total: 0, top: 0, chosen: 0, pages: new Map(), list: undefined, values: [], grows: false, shape: new Shape("") };
    Object.assign(this, { asked: new AbortController(), ...empty });
  }

  // Shows the result at this path from this row on. `grows`: the job still adds rows. False if another result was
  // wanted meanwhile.
  async open(path, top = 0, grows = false) {
    const sameRows = this.grows && !grows;
    const { chosen } = this;
    this.forget();
    const { asked } = this;
    const first = Math.floor(top / PAGE);
    const found = outputs(await this.read(`${path}?offset=${first * PAGE}&limit=${PAGE}`, { signal: asked.signal }));
    if (asked.signal.aborted) return false;
    Object.assign(this, { path, total: found.total, list: found.list, values: found.values, grows, shape: new Shape(found.list ?? "") });
    cards($("values"), found.values, this.copy);
    if (found.list !== undefined) this.has(first, found.rows);
    // A place behind the end shows the end. The columns are those of the rows there.
    this.go(top);
    this.choose(sameRows ? chosen : top);
    return true;
  }

  // The job has this many rows by now.
  grow(total) {
    if (!this.grows || this.list === undefined || total <= this.total) return;
    this.total = total;
    this.go(this.top);
  }

  // The address of the rows that are seen.
  get seen() {
    return `${this.path}?offset=${this.top}&limit=${Math.min(LINES, Math.max(1, this.total))}`;
  }

  last() {
    return Math.max(0, this.total - LINES);
  }

  // The row that the keys are at is kept in sight.
  choose(row) {
    this.chosen = Math.max(0, Math.min(this.total - 1, row));
    if (this.chosen < this.top) this.go(this.chosen);
    else if (this.chosen >= this.top + LINES) this.go(this.chosen - LINES + 1);
    else this.draw();
  }

  jump(row) {
    const to = Math.max(0, Math.floor(row) || 0);
    this.go(to);
    this.choose(to);
  }

  go(row) {
    const to = Math.min(this.last(), Math.max(0, Math.floor(row) || 0));
    const direction = to < this.top ? -1 : 1;
    this.top = to;
    this.chosen = Math.max(0, Math.min(Math.max(this.chosen, to), to + LINES - 1, this.total - 1));
    this.draw();
    for (const near of [to, to + LINES - 1, to + direction * PAGE, to + direction * 2 * PAGE]) this.page(near);
    this.moved(to);
  }

  // A page of a growing result may have had fewer rows when it was read.
  isKnown(page) {
    const known = this.pages.get(page);
    return known !== undefined && (!known.rows || known.asked || known.rows.length >= Math.min(PAGE, this.total - page * PAGE));
  }

  // Reads the page of this row unless it is there or on its way.
  async page(row) {
    const page = Math.floor(row / PAGE);
    if (row < 0 || row >= this.total || this.isKnown(page)) return;
    const { path, pages, asked } = this;
    pages.set(page, { ...pages.get(page), asked: true });
    if (pages.size > KEPT) pages.delete(this.farthest());
    try {
      const { rows } = outputs(await this.read(`${path}?offset=${page * PAGE}&limit=${PAGE}`, { signal: asked.signal }));
      if (!asked.signal.aborted) this.has(page, rows);
    } catch (error) {
      pages.set(page, { error });
    }
    if (!asked.signal.aborted) this.draw();
  }

  has(page, rows) {
    this.pages.set(page, { rows });
    this.shape.learn(rows);
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

  // The text of a row. It is undefined before the row is there; `trouble` says why it never came.
  text(row) {
    const page = this.pages.get(Math.floor(row / PAGE));
    return { text: page?.rows?.[row % PAGE], trouble: page?.error?.message };
  }

  plot() {
    const column = this.shape.columns.find(({ name }) => name === $("plot-column").value);
    if (!column) return this.histogram.close();
    const { path, total, shape } = this;
    return this.histogram.open({ path, total, column: column.label, cell: (row) => shape.cells(row)?.get(column.name) });
  }

  // The columns of numbers, of which one may be plotted.
  offerPlots() {
    const columns = this.shape.columns.filter(({ numbers }) => numbers);
    const names = ["", ...columns.map(({ name }) => name)];
    const select = $("plot-column");
    select.parentElement.hidden = columns.length === 0 || this.grows;
    if ([...select.options].map(({ value }) => value).join("\n") !== names.join("\n")) {
      select.replaceChildren(new Option("–", ""), ...columns.map(({ name, label }) => new Option(label, name)));
      this.histogram.close();
    }
  }

  draw() {
    const end = Math.min(this.total, this.top + LINES);
    $("browser").hidden = this.list === undefined;
    put($("list-name"), this.list ?? "");
    put($("range"), this.total ? word("range", number(this.top), number(end - 1), number(this.total)) : word("noRows"));
    $("so-far").hidden = !this.grows;
    $("slider").max = this.last();
    $("row").max = Math.max(0, this.total - 1);
    $("slider").value = this.top;
    // A number that is being typed stays.
    if (document.activeElement !== $("row") || this.chosen !== this.drawn) $("row").value = this.chosen;
    this.drawn = this.chosen;
    $("slider").setAttribute("aria-label", word("rows"));
    $("slider").disabled = this.last() === 0;
    this.offerPlots();
    this.lines.draw({ shape: this.shape, top: this.top, total: this.total, chosen: this.chosen, text: (row) => this.text(row) });
    this.box.draw();
  }
}
