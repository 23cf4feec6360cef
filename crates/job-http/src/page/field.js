// One parameter of a new job: a field for what the service declares, its errors, and its value as JSON.
import { elements } from "./json.js";
import { suggest } from "./known.js";
import { element, put } from "./put.js";
import { word } from "./words.js";

const isNumber = ({ type }) => type === "number" || type === "integer";

// The range, in signs that each language has.
function range({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }) {
  const ends = [minimum === undefined ? "" : `${exclusiveMinimum ? ">" : "≥"} ${minimum}`, maximum === undefined ? "" : `${exclusiveMaximum ? "<" : "≤"} ${maximum}`];
  return ends.filter(Boolean).join(", ");
}

const inRange = ({ minimum = -Infinity, maximum = Infinity, exclusiveMinimum, exclusiveMaximum }, value) =>
  (exclusiveMinimum ? value > minimum : value >= minimum) && (exclusiveMaximum ? value < maximum : value <= maximum);

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function control(parameter) {
  const { type } = parameter;
  const choices = parameter.enum ?? (type === "boolean" ? ["true", "false"] : undefined);
  if (!choices) {
    const isLong = type === "object" || (type === "array" && !isPlain(parameter));
    return isLong ? element("textarea", { rows: 2, spellcheck: false }) : element("input", { autocomplete: "off", inputMode: isNumber(parameter) ? "decimal" : "text" });
  }
  return element("select", {}, ...(parameter.required ? [] : [new Option("–", "")]), ...choices.map((one) => new Option(one)));
}

// Lists of plain values are typed with commas.
const isPlain = ({ type, items }) => type === "array" && items && items !== "object" && items !== "array";

export class Field {
  constructor(parameter) {
    Object.assign(this, { parameter, name: parameter.name });
    const id = `parameter-${parameter.name}`;
    const about = [parameter.description, range(parameter), parameter.default === undefined ? "" : word("byDefault", JSON.stringify(parameter.default))];
    this.control = Object.assign(control(parameter), { id });
    this.wrong = element("small", { className: "bad", id: `${id}-wrong`, role: "alert" });
    this.control.setAttribute("aria-describedby", `${id}-about ${id}-wrong`);
    if (parameter.required) this.control.ariaRequired = "true";
    if (parameter.format === "vertex") suggest(this.control);
    this.control.addEventListener("input", () => this.tell(""));
    const label = element("label", { htmlFor: id, textContent: parameter.required ? `${parameter.name} *` : parameter.name });
    this.box = element("div", { className: "field" }, label, this.control, element("small", { id: `${id}-about` }, about.filter(Boolean).join("; ")), this.wrong);
  }

  tell(text) {
    put(this.wrong, text);
    this.control.ariaInvalid = text !== "";
  }

  // The value as JSON, with the digits that were typed; undefined if there is none.
  get json() {
    const text = this.control.value.trim();
    const { type, items } = this.parameter;
    if (text === "") return undefined;
    if (type === "string") return JSON.stringify(text);
    if (!isPlain(this.parameter) || text.startsWith("[")) return text;
    const all = text.split(",").map((one) => one.trim()).filter(Boolean);
    return `[${all.map((one) => (items === "string" ? JSON.stringify(one) : one)).join(",")}]`;
  }

  set json(text) {
    const plain = (one) => (one.startsWith("\"") ? JSON.parse(one) : one);
    if (text === undefined) this.control.value = "";
    else this.control.value = isPlain(this.parameter) && text.startsWith("[") ? elements(text).map(plain).join(", ") : plain(text);
    this.tell("");
  }

  // Whether the value can be sent; if not, the reason stands beside the field.
  check() {
    const { json, parameter } = this;
    const value = json === undefined ? undefined : parsed(json);
    let wrong = "";
    if (json === undefined) wrong = parameter.required ? word("isRequired") : "";
    else if (isNumber(parameter) && typeof value !== "number") wrong = word("noNumber");
    else if (parameter.type === "integer" && !Number.isInteger(value)) wrong = word("notWhole");
    else if (isNumber(parameter) && !inRange(parameter, value)) wrong = word("outOfRange", range(parameter));
    else if (value === undefined) wrong = word("noJson");
    this.tell(wrong);
    return wrong === "";
  }
}
