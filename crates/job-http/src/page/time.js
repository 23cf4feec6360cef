// Times for people.
import { locale, word } from "./words.js";

const UNITS = [["days", 86_400_000], ["hours", 3_600_000], ["minutes", 60_000], ["seconds", 1000]];

const place = (milliseconds) => {
  const found = UNITS.findIndex(([, size]) => milliseconds >= size);
  return found < 0 ? UNITS.length - 1 : found;
};

const inUnit = ([unit, size], milliseconds) => word(unit, Math.max(0, Math.floor(milliseconds / size)));

// A length of time, in its largest unit.
export const coarse = (milliseconds) => inUnit(UNITS[place(milliseconds)], milliseconds);

// A length of time: in milliseconds, in seconds, or in its two largest units.
export function span(milliseconds) {
  if (milliseconds < 1000) return word("milliseconds", Math.max(0, Math.round(milliseconds)));
  if (milliseconds < 10_000) return word("seconds", (Math.floor(milliseconds / 100) / 10).toLocaleString(locale()));
  const [unit, next] = UNITS.slice(place(milliseconds));
  const rest = milliseconds % unit[1];
  return inUnit(unit, milliseconds) + (next && rest >= next[1] ? ` ${inUnit(next, rest)}` : "");
}

export const ago = (milliseconds) => word("ago", coarse(milliseconds));

export const exact = (time) => new Date(time).toLocaleString(locale(), { dateStyle: "medium", timeStyle: "long" });

// How long a job ran, or runs by now; undefined if it never did.
export const ran = (job, now) => (job.started === undefined ? undefined : Math.max(0, (job.finished ?? now) - job.started));

// How long a job waited for its start, or waits by now; undefined where it is not known.
export function waits(job, now) {
  const end = job.started ?? job.finished ?? now;
  return job.submitted ? Math.max(0, end - job.submitted) : undefined;
}

export const clock = (time) => new Date(time).toLocaleTimeString(locale());
