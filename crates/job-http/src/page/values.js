// The named values of a result as cards: a short value as it is, a long one to open, a path as a chain.
import { make } from "./buttons.js";
import { elements, pretty } from "./json.js";
import { readable } from "./shape.js";
import { number, word } from "./words.js";

const SHORT = 80;
const SHOWN = 20_000;
// The first and the last places of a long chain that are shown.
const ENDS = 50;
const isNested = (text) => /^[[{]/.test(text);

const element = (kind, text, className = "") => Object.assign(document.createElement(kind), { textContent: text, className });

// A path is a list of ids.
function chain(places) {
  const list = element("ol", "", "chain");
  const left = places.length - 2 * ENDS;
  const shown = left > 1 ? [...places.slice(0, ENDS), undefined, ...places.slice(-ENDS)] : places;
  list.append(...shown.map((place) => {
    const item = document.createElement("li");
    item.append(place === undefined ? element("span", word("more", number(left)), "left") : element("span", readable(place), "place"));
    return item;
  }));
  return list;
}

function long(name, text, copy) {
  const box = document.createElement("details");
  const summary = element("summary", `${text.slice(0, SHORT)}…`);
  const whole = element("pre", "");
  whole.tabIndex = 0;
  whole.setAttribute("aria-label", name);
  box.append(summary, whole, Object.assign(make("small", () => copy(text)), { textContent: word("copyValue", name) }));
  box.addEventListener("toggle", () => {
    const shown = pretty(text);
    whole.textContent = shown.length > SHOWN ? `${shown.slice(0, SHOWN)} …` : shown;
  });
  return box;
}

function content(name, text, copy) {
  const places = name === "path" && text.startsWith("[") ? elements(text) : [];
  if (places.length && !places.some(isNested)) return chain(places);
  return text.length > SHORT ? long(name, text, copy) : element("span", readable(text));
}

// `values` are names and JSON texts; `copy` copies a text.
export function cards(box, values, copy) {
  box.replaceChildren(...values.map(([name, text]) => {
    const card = document.createElement("div");
    const value = document.createElement("dd");
    value.append(content(name, text, copy));
    card.append(element("dt", name), value);
    card.classList.toggle("wide", text.length > SHORT || name === "path");
    return card;
  }));
}
