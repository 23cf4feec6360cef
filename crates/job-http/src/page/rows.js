// The rows of one result. The page has as many lines as fit, for a result of any size. Pages are read ahead of the
// reader's place, so that moving on never waits for the service.
import { number, word } from "./words.js";

const LINES = 20;
const PAGE = 500;
const KEPT = 64;
const $ = (id) => document.getElementById(id);

export class Rows {
  constructor(call, failed) {
    Object.assign(this, { call, failed, path: "", total: 0, top: 0, pages: new Map(), list: "" });
    const box = $("rows");
    box.append(...Array.from({ length: LINES }, () => {
      const line = document.createElement("div");
      line.setAttribute("role", "listitem");
      line.append(document.createElement("b"), "");
      return line;
    }));
    box.addEventListener("keydown", (event) => this.key(event));
    box.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.go(this.top + Math.sign(event.deltaY) * Math.max(1, Math.round(Math.abs(event.deltaY) / 22)));
    }, { passive: false });
    $("slider").addEventListener("input", () => this.go(Number($("slider").value)));
    $("row").addEventListener("change", () => this.go(Number($("row").value)));
    $("close").addEventListener("click", () => this.close());
    $("result").addEventListener("keydown", (event) => { if (event.key === "Escape") this.close(); });
  }

  async open(path, title) {
    this.back = document.activeElement;
    Object.assign(this, { path, title, total: 0, top: 0, pages: new Map(), list: "" });
    try {
      const outputs = (await this.call(`${path}?offset=0&limit=${PAGE}`)).data.outputs;
      this.total = outputs.data_total_size ?? 0;
      this.list = "data_total_size" in outputs ? Object.keys(outputs).findLast((name) => Array.isArray(outputs[name])) : "";
      this.values = Object.entries(outputs).filter(([name]) => name !== this.list && !name.startsWith("data_"));
      if (this.list) this.pages.set(0, outputs[this.list]);
    } catch (error) {
      this.failed(error);
      return;
    }
    $("result").hidden = false;
    $("slider").max = $("row").max = this.last();
    this.go(0);
    $("rows").focus();
    $("result").scrollIntoView({ block: "nearest" });
  }

  close() {
    $("result").hidden = true;
    this.back?.focus();
  }

  last() {
    return Math.max(0, this.total - LINES);
  }

  key(event) {
    const to = {
      ArrowDown: this.top + 1, ArrowUp: this.top - 1, PageDown: this.top + LINES, PageUp: this.top - LINES,
      Home: 0, End: this.last(),
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.go(to);
  }

  go(row) {
    const to = Math.min(this.last(), Math.max(0, Math.floor(row) || 0));
    this.direction = to < this.top ? -1 : 1;
    this.top = to;
    this.draw();
    this.read(this.top);
    this.read(this.top + LINES - 1);
    this.read(this.top + this.direction * PAGE);
    this.read(this.top + this.direction * 2 * PAGE);
  }

  // Reads the page of this row unless it is there or on its way.
  async read(row) {
    const page = Math.floor(row / PAGE);
    if (row < 0 || row >= this.total || this.pages.has(page)) return;
    const { path, pages } = this;
    pages.set(page, null);
    if (pages.size > KEPT) pages.delete(this.farthest());
    try {
      const outputs = (await this.call(`${path}?offset=${page * PAGE}&limit=${PAGE}`)).data.outputs;
      pages.set(page, outputs[this.list]);
    } catch (error) {
      pages.delete(page);
      this.failed(error);
    }
    if (path === this.path) this.draw();
  }

  farthest() {
    const here = this.top / PAGE;
    return [...this.pages.keys()].reduce((a, b) => (Math.abs(a - here) > Math.abs(b - here) ? a : b));
  }

  draw() {
    if ($("result").hidden) return;
    const end = Math.min(this.total, this.top + LINES);
    $("result-title").textContent = this.list ? `${this.title} · ${this.list}` : this.title;
    $("range").textContent = this.total ? word("range", number(this.top), number(end - 1), number(this.total)) : "";
    $("slider").value = $("row").value = this.top;
    $("slider").setAttribute("aria-label", word("rows"));
    $("values").replaceChildren(...this.values.map(([name, value]) => {
      const pair = document.createElement("div");
      const [key, text] = [document.createElement("dt"), document.createElement("dd")];
      key.textContent = name;
      text.textContent = JSON.stringify(value);
      pair.append(key, text);
      return pair;
    }));
    [...$("rows").children].forEach((line, place) => {
      const row = this.top + place;
      const value = this.pages.get(Math.floor(row / PAGE))?.[row % PAGE];
      line.hidden = row >= end;
      line.firstChild.textContent = number(row);
      line.lastChild.textContent = value === undefined ? "…" : JSON.stringify(value);
    });
  }
}
