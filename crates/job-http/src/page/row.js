// One row as formatted JSON, in a dialog over the table.
import { pretty } from "./json.js";
import { $, put } from "./put.js";
import { number, word } from "./words.js";

const SHOWN = 100_000;

export class RowBox {
  // `from`: the `text` of a row, how to `choose` one, to `copy` a text, and the `total` of rows.
  constructor(from) {
    Object.assign(this, { from, row: 0 });
    $("one-next").addEventListener("click", () => this.move(1));
    $("one-before").addEventListener("click", () => this.move(-1));
    $("one-close").addEventListener("click", () => this.close());
    $("one-copy").addEventListener("click", () => from.copy(from.text(this.row).text ?? ""));
    $("one").addEventListener("keydown", (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1, j: 1, k: -1 }[event.key];
      if (by === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      this.move(by);
    });
  }

  open(row) {
    if (row >= this.from.total() || row < 0) return;
    this.row = row;
    $("one").showModal();
    this.draw();
    $("one-text").focus();
    $("one-text").scrollTop = 0;
  }

  close() {
    $("one").close();
  }

  move(by) {
    const to = this.row + by;
    if (to < 0 || to >= this.from.total()) return;
    this.row = to;
    $("one-text").scrollTop = 0;
    this.from.choose(to);
  }

  draw() {
    if (!$("one").open) return;
    const { text, trouble } = this.from.text(this.row);
    const shown = text === undefined ? trouble ?? "…" : pretty(text);
    put($("one-title"), word("oneRow", number(this.row), number(this.from.total())));
    put($("one-text"), shown.length > SHOWN ? `${shown.slice(0, SHOWN)} …` : shown);
    $("one-before").setAttribute("aria-disabled", this.row === 0);
    $("one-next").setAttribute("aria-disabled", this.row >= this.from.total() - 1);
  }
}
