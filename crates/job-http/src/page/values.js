// The named values of a result as cards: a short value as it is, a long one to open, a path as a chain.
import { make } from "./buttons.js";
import { elements, pretty } from "./json.js";
import { cut, element, put } from "./put.js";
import { readable } from "./shape.js";
import { number, word } from "./words.js";

const SHORT = 80;
const SHOWN = 20_000;
// The first and the last places of a long chain that are shown.
const ENDS = 50;
const isNested = (text) => /^[[{]/.test(text);

// A path is a list of ids.
function chain(places) {
  const left = places.length - 2 * ENDS;
  const shown = left > 1 ? [...places.slice(0, ENDS), undefined, ...places.slice(-ENDS)] : places;
  return element("ol", { className: "chain" }, ...shown.map((place) =>
    element("li", {}, element("span", place === undefined ? { className: "left" } : { className: "place" }, place === undefined ? word("more", number(left)) : readable(place)))));
}

function long(name, text, copy) {
  const whole = element("pre", { tabIndex: 0, ariaLabel: name });
  const button = Object.assign(make("small", () => copy(text)), { textContent: word("copyValue", name) });
  const box = element("details", {}, element("summary", {}, `${text.slice(0, SHORT)}…`), whole, button);
  box.addEventListener("toggle", () => put(whole, cut(pretty(text), SHOWN)));
  return box;
}

function content(name, text, copy) {
  const places = name === "path" && text.startsWith("[") ? elements(text) : [];
  if (places.length && !places.some(isNested)) return chain(places);
  return text.length > SHORT ? long(name, text, copy) : element("span", {}, readable(text));
}

// `values` are names and JSON texts; `copy` copies a text.
export function cards(box, values, copy) {
  box.replaceChildren(...values.map(([name, text]) => {
    const className = text.length > SHORT || name === "path" ? "wide" : "";
    return element("div", { className }, element("dt", {}, name), element("dd", {}, content(name, text, copy)));
  }));
}
