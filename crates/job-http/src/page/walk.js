// The focus in the list. The list is one tab stop; arrows move between rows, and between the buttons of a row.
import { modified } from "./keys.js";

const STEPS = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };

export class Walk {
  constructor(body) {
    Object.assign(this, { body, wanted: undefined });
    body.addEventListener("focusin", (event) => this.stop(event.target.closest("tr")));
    body.addEventListener("keydown", (event) => this.key(event));
  }

  get row() {
    return document.activeElement.closest("#jobs tr");
  }

  // The row that the Tab key comes to.
  stop(row) {
    for (const other of this.body.rows) other.tabIndex = other === row ? 0 : -1;
  }

  go(row) {
    row?.focus();
    row?.scrollIntoView({ block: "nearest" });
  }

  // Enters the list where it was left.
  enter() {
    this.go([...this.body.rows].find((row) => row.tabIndex === 0));
  }

  // Puts the focus on the row of this job, or on the first one, as soon as there are rows.
  want(id) {
    this.wanted = { id };
    this.settle();
  }

  // After each change of the rows: one of them is the tab stop, and the focus is where it was wanted.
  settle() {
    const rows = [...this.body.rows];
    if (rows.length === 0) return;
    if (!rows.some((row) => row.tabIndex === 0)) this.stop(rows[0]);
    const { wanted } = this;
    this.wanted = undefined;
    // The reader may have gone elsewhere meanwhile.
    if (wanted && (document.activeElement === document.body || !document.activeElement.checkVisibility())) {
      this.go(rows.find((row) => row.dataset.id === wanted.id) ?? rows[0]);
    }
  }

  key(event) {
    if (modified(event)) return;
    const row = event.target.closest("tr");
    if (event.key in STEPS) this.step(row, STEPS[event.key]);
    else if (event.key === "ArrowRight" || event.key === "ArrowLeft") this.inside(row, event.key === "ArrowRight" ? 1 : -1);
    else if (event.key === "Escape") this.go(row);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  step(row, by) {
    const rows = [...this.body.rows];
    this.go(rows[Math.min(rows.length - 1, Math.max(0, rows.indexOf(row) + by))]);
  }

  inside(row, by) {
    const stops = [row, ...row.querySelectorAll("input, a, button")];
    stops[stops.indexOf(document.activeElement) + by]?.focus();
  }
}
