// Changes the document only where it differs, so that a selection stays.
export const $ = (id) => document.getElementById(id);

export function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// A new element with these properties, and with these elements or texts inside.
export function element(kind, names = {}, ...inside) {
  const made = Object.assign(document.createElement(kind), names);
  made.append(...inside);
  return made;
}

export function svg(kind, names = {}, ...inside) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", kind);
  for (const [name, value] of Object.entries(names)) made.setAttribute(name, value);
  made.append(...inside);
  return made;
}

// Makes the inside of an element anew when `from` differs from what it was made from last; returns whether it did.
export function build(box, from, make) {
  const key = JSON.stringify(from);
  if (box.dataset.built === key) return false;
  box.dataset.built = key;
  box.replaceChildren(...make());
  return true;
}

// Listens for an event, by the ids of elements.
export function on(event, acts) {
  for (const [id, act] of Object.entries(acts)) $(id).addEventListener(event, act);
}

export const cut = (text, most) => (text.length > most ? `${text.slice(0, most)} …` : text);

// Names and values in a `dl`. A value may be a text, or a text with a class or a title.
export function pairs(list, entries) {
  const names = entries.map(([name]) => name);
  const shown = [...list.querySelectorAll("dt")].map((term) => term.textContent);
  if (names.join("\n") !== shown.join("\n")) {
    list.replaceChildren(...names.map((name) => element("div", {}, element("dt", {}, name), element("dd"))));
  }
  [...list.querySelectorAll("dd")].forEach((value, place) => {
    const { text, ...more } = entries[place][1];
    put(value, text);
    Object.assign(value, more);
  });
}
