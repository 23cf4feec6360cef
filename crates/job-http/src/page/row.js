// One row as formatted JSON, in a dialog over the table.
import { pretty } from "./json.js";
import { modified } from "./keys.js";
import { $, cut, on, put } from "./put.js";
import { number, word } from "./words.js";

const SHOWN = 100_000;

export class RowBox {
  // `from`: the `text` of a row, how to `choose` one, to `copy` a text, and the `total` of rows.
  constructor(from) {
    Object.assign(this, { from, row: 0 });
    on("click", {
      "one-next": () => this.move(1), "one-before": () => this.move(-1), "one-close": () => this.close(),
      "one-copy": () => from.copy(from.text(this.row).text ?? ""),
    });
    $("one").addEventListener("keydown", (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1, j: 1, k: -1 }[event.key];
      if (by === undefined || modified(event)) return;
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
    put($("one-text"), cut(shown, SHOWN));
    $("one-before").ariaDisabled = this.row === 0;
    $("one-next").ariaDisabled = this.row >= this.from.total() - 1;
  }
}
