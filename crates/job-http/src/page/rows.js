// The rows of one result. The page has as many lines as fit, for a result of any size. Pages are read ahead of the
// reader's place, so that moving on never waits for the service.
import { around } from "./damage.js";
import { Histogram } from "./histogram.js";
import { Lines } from "./lines.js";
import { outputs } from "./outputs.js";
import { $, build, on, put } from "./put.js";
import { RowBox } from "./row.js";
import { Shape } from "./shape.js";
import { cards } from "./values.js";
import { number, word } from "./words.js";

const LINES = 20;
const PAGE = 500;
const KEPT = 64;

export class Rows {
  // `read` gives the text of an answer; `copy` copies a text.
  constructor(read, copy) {
    Object.assign(this, { read, copy, moved: () => {} });
    this.lines = new Lines(LINES, { go: (top) => this.go(top), choose: (row) => this.choose(row), open: () => this.box.open(this.chosen) });
    this.box = new RowBox({ text: (row) => this.text(row), choose: (row) => this.choose(row), copy, total: () => this.total });
    this.histogram = new Histogram(read);
    this.forget();
    on("input", { slider: () => this.go(Number($("slider").value)) });
    on("change", { row: () => this.jump(Number($("row").value)), "plot-column": () => this.plot() });
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
    const found = outputs(await this.start(path, first * PAGE, asked.signal));
    if (asked.signal.aborted) return false;
    Object.assign(this, { path, total: found.total, list: found.list, values: found.values, grows, shape: new Shape(found.list ?? "") });
    cards($("values"), found.values, this.copy);
    if (found.rows.length > 0) this.has(first, found.rows);
    // A place behind the end shows the end. The columns are those of the rows there.
    this.go(top);
    this.choose(sameRows ? chosen : top);
    return true;
  }

  // The first answer. Where a row of it is damaged, a page behind the end has all but the rows.
  async start(path, offset, signal) {
    try {
      return await this.read(`${path}?offset=${offset}&limit=${PAGE}`, { signal });
    } catch (error) {
      // An answer that breaks off has no status.
      if (error.name === "AbortError" || (error.status ?? 500) !== 500) throw error;
      return await this.read(`${path}?offset=${Number.MAX_SAFE_INTEGER}&limit=1`, { signal });
    }
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
    const { pages, asked } = this;
    pages.set(page, { ...pages.get(page), asked: true });
    if (pages.size > KEPT) pages.delete(this.farthest());
    try {
      this.has(page, await this.part(page * PAGE, PAGE));
    } catch (error) {
      pages.set(page, { error });
      if (!asked.signal.aborted) await this.save(page, error);
    }
    if (!asked.signal.aborted) this.draw();
  }

  // Some rows, or an error also where another result is wanted by now.
  async part(offset, limit) {
    const { path, asked: { signal } } = this;
    const { rows } = outputs(await this.read(`${path}?offset=${offset}&limit=${limit}`, { signal }));
    signal.throwIfAborted();
    return rows;
  }

  // Reads what can be read of a damaged page.
  async save(page, error) {
    const { pages, asked } = this;
    const [from, to] = [page * PAGE, Math.min(this.total, (page + 1) * PAGE)];
    const { head, tail } = await around(from, to, (offset, limit) => this.part(offset, limit)).catch(() => ({ head: [], tail: [] }));
    if (asked.signal.aborted || (head.length === 0 && tail.length === 0)) return;
    const rows = new Array(to - from);
    head.forEach((row, place) => { rows[place] = row; });
    tail.forEach((row, place) => { rows[rows.length - tail.length + place] = row; });
    pages.set(page, { rows, error, damaged: [from + head.length, to - tail.length - 1] });
    this.shape.learn([...head, ...tail]);
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
    const at = Math.floor(row / PAGE);
    const page = this.pages.get(at);
    const text = page?.rows?.[row % PAGE];
    if (text !== undefined || !page?.error) return { text };
    const [from, to] = page.damaged ?? [at * PAGE, Math.min(this.total, (at + 1) * PAGE) - 1];
    return { trouble: word("damaged", number(from), number(to), page.error.message) };
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
    const options = [["–", ""], ...columns.map(({ name, label }) => [label, name])];
    $("plot-column").parentElement.hidden = columns.length === 0 || this.grows;
    if (build($("plot-column"), options, () => options.map((one) => new Option(...one)))) this.histogram.close();
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
    $("slider").ariaLabel = word("rows");
    $("slider").disabled = this.last() === 0;
    $("no-rows").hidden = this.total > 0 || this.grows;
    $("lines").hidden = $("row-keys").hidden = this.total === 0;
    this.offerPlots();
    this.lines.draw({ shape: this.shape, top: this.top, total: this.total, chosen: this.chosen, text: (row) => this.text(row) });
    this.box.draw();
  }
}
