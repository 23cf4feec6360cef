// Changes the document only where it differs, so that a selection stays.
export const $ = (id) => document.getElementById(id);

export function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Names and values in a `dl`. A value may be a text, or a text with a class or a title.
export function pairs(list, entries) {
  const names = entries.map(([name]) => name);
  const shown = [...list.querySelectorAll("dt")].map((term) => term.textContent);
  if (names.join("\n") !== shown.join("\n")) {
    list.replaceChildren(...names.map((name) => {
      const [pair, term, value] = ["div", "dt", "dd"].map((kind) => document.createElement(kind));
      term.textContent = name;
      pair.append(term, value);
      return pair;
    }));
  }
  [...list.querySelectorAll("dd")].forEach((value, place) => {
    const { text, ...more } = entries[place][1];
    put(value, text);
    Object.assign(value, more);
  });
}
