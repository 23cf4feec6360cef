// The rows of a result as a table: its columns, and the texts of the cells of a row. All texts are JSON as it was sent.
import { elements, members } from "./json.js";

// Columns beyond these are seen in the row itself only.
const MOST = 40;
const WIDEST = 100;
const isObject = (text) => text.startsWith("{");
const isList = (text) => text.startsWith("[");
const SPLIT = "properties";

// A list of one element is shown as that element.
function single(text) {
  if (!isList(text)) return text;
  const inside = elements(text);
  return inside.length === 1 ? single(inside[0]) : text;
}

// The cells of an object by the names of their columns.
function cellsOf(text) {
  const cells = new Map();
  for (const [name, value] of members(text)) {
    if (name !== SPLIT || !isObject(value)) cells.set(name, single(value));
    else for (const [inner, one] of members(value)) cells.set(`${SPLIT}.${inner}`, single(one));
  }
  return cells;
}

const oneMember = (text) => isObject(text) && members(text).size === 1;

// Whether each row is an id and its value, as {"Zoe": 0.25} is, and not a record with one field.
function arePairs(rows) {
  if (!rows.every(oneMember)) return false;
  const names = new Set(rows.map((row) => members(row).keys().next().value));
  return names.size > 1 || (rows.length === 1 && !names.has("id"));
}

function kindOf(rows) {
  if (rows.length === 0) return undefined;
  if (!rows.some(isObject)) return "value";
  if (arePairs(rows)) return "pair";
  return rows.every(isObject) ? "object" : "raw";
}

const NUMBER = /^-?\d/;
const wide = (text) => [...text].reduce((sum, letter) => sum + (letter > "\u2e80" ? 2 : 1), 0);

// The text of a cell for people: a text without its quotes, on one line.
export function readable(text) {
  const plain = text.startsWith("\"") ? JSON.parse(text).replace(/\s/g, " ") : text;
  return plain.length > 500 ? `${plain.slice(0, 500)}…` : plain;
}

export class Shape {
  // `list` is the name of the list of rows.
  constructor(list) {
    Object.assign(this, { list, kind: undefined, columns: [] });
  }

  // Learns from a page of rows. The first one decides the kind; later ones may add columns.
  learn(rows) {
    this.kind ??= kindOf(rows);
    if (this.kind === "pair") this.know(["id", this.list]);
    if (this.kind === "value" || this.kind === "raw") this.know([this.list]);
    const found = rows.map((row) => this.cells(row)).filter(Boolean);
    for (const cells of found) this.know([...cells.keys()]);
    for (const column of this.columns) this.measure(column, found.map((cells) => cells.get(column.name)));
  }

  know(names) {
    const known = new Set(this.columns.map(({ name }) => name));
    const added = names.filter((name) => !known.has(name)).slice(0, MOST - this.columns.length);
    this.columns.push(...added.map((name) => ({ name, width: 0, numbers: undefined })));
    if (added.length) for (const column of this.columns) column.label = this.label(column.name);
  }

  // A property has its own name where no other column has it.
  label(name) {
    const short = name.startsWith(`${SPLIT}.`) ? name.slice(SPLIT.length + 1) : name;
    return this.columns.filter((other) => other.name === short || other.name === `${SPLIT}.${short}`).length > 1 ? name : short;
  }

  measure(column, texts) {
    const values = texts.filter((text) => text !== undefined && text !== "null");
    const widest = values.reduce((most, text) => Math.max(most, wide(readable(text))), wide(column.label) + 1);
    column.width = Math.max(column.width, Math.min(widest, WIDEST));
    if (values.length) column.numbers = column.numbers !== false && values.every((text) => NUMBER.test(text));
  }

  // The cells of a row by name; undefined if the row is not like the others.
  cells(text) {
    if (this.kind === "value" || this.kind === "raw") return new Map([[this.list, this.kind === "value" ? single(text) : text]]);
    if (!isObject(text)) return undefined;
    if (this.kind === "object") return cellsOf(text);
    const [pair, more] = members(text);
    return pair && !more ? new Map([["id", JSON.stringify(pair[0])], [this.list, single(pair[1])]]) : undefined;
  }
}
