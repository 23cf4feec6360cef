// The lines of the table of rows: a fixed number of them, filled anew as the reader moves. They are one tab stop.
import { modified } from "./keys.js";
import { $, element, put } from "./put.js";
import { readable } from "./shape.js";
import { number, word } from "./words.js";

const HEIGHT = 24;

export class Lines {
  // `acts`: `go` to a first row, `choose` a row, `open` the chosen one.
  constructor(count, acts) {
    Object.assign(this, { count, acts, top: 0, chosen: 0, total: 0, names: undefined });
    const box = $("rows");
    this.head = element("div", { className: "head", role: "row" });
    this.lines = Array.from({ length: count }, (_, place) => {
      const line = element("div", { className: "line", id: `line-${place}`, role: "row" });
      line.addEventListener("click", () => this.click(place));
      return line;
    });
    box.append(this.head, ...this.lines);
    box.addEventListener("keydown", (event) => this.key(event));
    box.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.touch(box);
  }

  click(place) {
    // Text that is being selected is no click.
    if (String(getSelection())) return;
    this.acts.choose(this.top + place);
    this.acts.open();
  }

  key(event) {
    if (modified(event)) return;
    const page = this.count;
    const to = {
      ArrowDown: this.chosen + 1, j: this.chosen + 1, ArrowUp: this.chosen - 1, k: this.chosen - 1,
      Home: 0, End: this.total - 1,
    }[event.key];
    const turned = { PageDown: this.top + page, PageUp: this.top - page }[event.key];
    if (event.key === "Enter") this.acts.open();
    else if (to !== undefined) this.acts.choose(to);
    else if (turned !== undefined) this.turn(turned);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // A page up or down, and at the end to the last row.
  turn(top) {
    const isEnd = top < 0 || top > this.total - this.count;
    const at = this.chosen - this.top;
    this.acts.go(top);
    this.acts.choose(isEnd ? (top < 0 ? 0 : this.total - 1) : this.top + at);
  }

  // Whether there are rows in this direction; at the end the whole page is scrolled.
  canGo(by) {
    return by < 0 ? this.top > 0 : this.top < this.total - this.count;
  }

  wheel(event) {
    if (event.ctrlKey || event.shiftKey || event.deltaY === 0 || !this.canGo(event.deltaY)) return;
    event.preventDefault();
    this.acts.go(this.top + Math.sign(event.deltaY) * Math.max(1, Math.round(Math.abs(event.deltaY) / HEIGHT)));
  }

  touch(box) {
    let last;
    box.addEventListener("touchstart", (event) => { last = event.touches[0].clientY; }, { passive: true });
    box.addEventListener("touchmove", (event) => {
      const moved = last - event.touches[0].clientY;
      const lines = Math.trunc(moved / HEIGHT);
      if (lines === 0) return;
      last -= lines * HEIGHT;
      if (this.canGo(moved)) this.acts.go(this.top + lines);
      else scrollBy(0, lines * HEIGHT);
    }, { passive: true });
  }

  // A line for the names of the columns, and the widths of all.
  columns(columns, digits) {
    const names = JSON.stringify([columns, digits, word("row")]);
    if (names === this.names) return;
    this.names = names;
    // The last column takes what is left, unless it holds numbers, which stay near their ids.
    const most = columns.length > 2 ? 48 : 100;
    const widths = columns.map(({ width }) => `${Math.min(width, most) + 2}ch`);
    if (!columns.at(-1)?.numbers) widths.push(`minmax(${widths.pop() ?? "0"}, 1fr)`);
    $("rows").style.setProperty("--columns", widths.join(" "));
    $("rows").style.setProperty("--first", `${Math.max(digits, 4) + 2}ch`);
    $("rows").ariaColCount = columns.length + 1;
    this.head.replaceChildren(...[{ label: word("row"), numbers: true }, ...columns].map(({ label, name, numbers }) =>
      element("span", { role: "columnheader", textContent: label, title: name ?? "", className: numbers ? "number" : "" })));
  }

  draw({ shape, top, total, chosen, text }) {
    Object.assign(this, { top, total, chosen });
    this.columns(shape.columns, number(total).length);
    const box = $("rows");
    box.ariaRowCount = total + 1;
    if (total) box.setAttribute("aria-activedescendant", `line-${chosen - top}`);
    else box.removeAttribute("aria-activedescendant");
    this.lines.forEach((line, place) => {
      const row = top + place;
      line.hidden = row >= total;
      if (line.hidden) return;
      Object.assign(line, { ariaRowIndex: row + 2, ariaSelected: row === chosen });
      this.fill(line, row, text(row), shape);
    });
  }

  fill(line, row, { text, trouble }, shape) {
    const cells = text === undefined ? undefined : shape.cells(text);
    const texts = cells ? shape.columns.map(({ name }) => cells.get(name)) : [trouble ? `⚠ ${trouble}` : (text ?? "…").slice(0, 500)];
    while (line.children.length > texts.length + 1) line.lastChild.remove();
    while (line.children.length < texts.length + 1) line.append(element("span", { role: line.children.length ? "gridcell" : "rowheader" }));
    line.classList.toggle("whole", !cells);
    line.classList.toggle("damaged", Boolean(trouble));
    put(line.firstChild, number(row));
    texts.forEach((one, place) => {
      const isRaw = !cells || shape.kind === "raw";
      const shown = one === undefined ? "" : isRaw ? one.slice(0, 500) : readable(one);
      this.cell(line.children[place + 1], shown, cells && shape.columns[place].numbers, one === "null");
    });
  }

  cell(made, shown, isNumber, isNull) {
    put(made, shown);
    made.title = shown.length > 20 ? shown : "";
    made.className = [isNumber ? "number" : "", isNull ? "faint" : ""].join(" ").trim();
  }
}
