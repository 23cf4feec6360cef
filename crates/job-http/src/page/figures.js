// The figures of the engine now, and lines of their last 15 minutes.
import { $, element, put, svg } from "./put.js";
import { span } from "./time.js";
import { locale, number, word } from "./words.js";

const SPAN = 900_000;
const [WIDTH, HEIGHT] = [120, 24];
const rate = (value) => value.toLocaleString(locale(), { maximumFractionDigits: 2 });

// The name of each figure, its text now, and its value in a sample.
const FIGURES = [
  ["isWaiting", ({ waiting }) => number(waiting), ({ waiting }) => waiting, number],
  ["isRunning", ({ running, workers }) => (workers ? word("of", number(running), number(workers)) : number(running)), ({ running }) => running, number],
  ["starts", ({ startsPerSecond }) => rate(startsPerSecond), ({ starts }, every) => (starts * 1000) / every, rate],
  ["waits", ({ waitP50, waitP99 }) => (waitP99 == null ? "–" : `${span(waitP50)} / ${span(waitP99)}`), ({ waitP99 }) => waitP99, span],
];

// A line with a gap where nothing was sampled.
function line(points, newest, most) {
  let isOpen = false;
  return points.map(([at, value]) => {
    const isThere = value != null && newest - at <= SPAN;
    const step = isThere ? `${isOpen ? "L" : "M"}${(WIDTH * (1 - (newest - at) / SPAN)).toFixed(1)} ${(HEIGHT - 1 - ((HEIGHT - 2) * value) / most).toFixed(1)}${isOpen ? "" : "h1"}` : "";
    isOpen = isThere;
    return step;
  }).join("");
}

function tile() {
  const plot = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" }, svg("path"));
  return element("div", {}, element("dt"), element("dd", {}, element("b"), plot));
}

// `shown` is undefined where the service has no figures.
export function figures(shown) {
  $("figures").hidden = !shown;
  if (!shown) return;
  const list = $("figures-list");
  while (list.children.length < FIGURES.length) list.append(tile());
  const { samples, every } = shown;
  FIGURES.forEach(([name, now, of, told], place) => {
    const [term, value] = list.children[place].children;
    const [text, plot] = value.children;
    const points = samples.map((sample) => [sample.at, of(sample, every)]);
    const most = Math.max(0, ...points.map(([, one]) => one ?? 0));
    put(term, word(name));
    put(text, now(shown));
    plot.firstChild.setAttribute("d", line(points, samples.at(-1)?.at ?? 0, most || 1));
    plot.ariaLabel = word("lastMinutes", word(name), told(most));
  });
  put($("figures-of"), shown.shared ? word("ofThisProcess") : "");
}
