// Times for people.
import { locale, word } from "./words.js";

const UNITS = [["days", 86_400_000], ["hours", 3_600_000], ["minutes", 60_000], ["seconds", 1000]];

// A length of time, in its two largest units where the second one says something.
export function span(milliseconds) {
  if (milliseconds < 1000) return word("milliseconds", Math.max(0, Math.round(milliseconds)));
  if (milliseconds < 10_000) return word("seconds", (Math.floor(milliseconds / 100) / 10).toLocaleString(locale()));
  return coarse(milliseconds);
}

// A length of time, in its largest unit.
export function coarse(milliseconds) {
  const [unit, size] = UNITS.find(([, size]) => milliseconds >= size) ?? UNITS.at(-1);
  return word(unit, Math.max(0, Math.floor(milliseconds / size)));
}

export const ago = (milliseconds) => word("ago", coarse(milliseconds));

export const exact = (time) => new Date(time).toLocaleString(locale(), { dateStyle: "medium", timeStyle: "long" });
