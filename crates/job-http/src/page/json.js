// Cuts JSON text into the texts of its parts, so that digits are shown as the service has sent them. The text must be
// valid JSON.
const [QUOTE, BACKSLASH, COMMA] = [34, 92, 44];
const OPEN = new Set([91, 123]);
const CLOSE = new Set([93, 125]);

function stringEnd(text, start) {
  let at = start + 1;
  while (text.charCodeAt(at) !== QUOTE) at += text.charCodeAt(at) === BACKSLASH ? 2 : 1;
  return at + 1;
}

// The end of the part that begins here: the place of the comma or bracket after it.
function partEnd(text, start) {
  let depth = 0;
  for (let at = start; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = stringEnd(text, at) - 1;
    else if (OPEN.has(code)) depth += 1;
    else if (depth === 0 && (code === COMMA || CLOSE.has(code))) return at;
    else if (CLOSE.has(code)) depth -= 1;
  }
  return text.length;
}

// The texts of the elements of a list, or of the members of an object with their names.
export function elements(text) {
  const inside = text.trim();
  const found = [];
  for (let at = 1; at < inside.length - 1;) {
    const end = partEnd(inside, at);
    const part = inside.slice(at, end).trim();
    if (part) found.push(part);
    at = end + 1;
  }
  return found;
}

export const members = (text) => new Map(elements(text).map((part) => {
  const end = stringEnd(part, 0);
  return [JSON.parse(part.slice(0, end)), part.slice(part.indexOf(":", end) + 1).trim()];
}));

// The same JSON with a line for each part. A text that is no JSON stays as it is.
export function pretty(text) {
  try {
    JSON.parse(text);
  } catch {
    return text;
  }
  return indented(text.trim(), "");
}

function indented(text, margin) {
  const isObject = text.startsWith("{");
  const inner = `${margin}  `;
  if (!isObject && !text.startsWith("[")) return text;
  const lines = isObject
    ? [...members(text)].map(([name, value]) => `${JSON.stringify(name)}: ${indented(value, inner)}`)
    : elements(text).map((value) => indented(value, inner));
  if (lines.length === 0) return isObject ? "{}" : "[]";
  const [open, close] = isObject ? "{}" : "[]";
  return `${open}\n${lines.map((line) => inner + line).join(",\n")}\n${margin}${close}`;
}
