// A histogram of a column of numbers, from small pages that are spread evenly over all rows.
import { outputs } from "./outputs.js";
import { $, put, svg } from "./put.js";
import { brief, number, word } from "./words.js";

const PAGES = 200;
const LIMIT = 50;
const WHOLE = 1000;
const TOGETHER = 6;
const BARS = 40;
const [WIDTH, HEIGHT] = [640, 120];

// The first row and the number of rows of each page. Few rows are read as a whole.
function places(total) {
  if (total <= PAGES * LIMIT) return Array.from({ length: Math.ceil(total / WHOLE) }, (_, place) => [place * WHOLE, WHOLE]);
  return Array.from({ length: PAGES }, (_, place) => [Math.floor((place * (total - LIMIT)) / (PAGES - 1)), LIMIT]);
}

// Spans of values that grow by a factor show numbers of very different size.
function scaleOf(least, most) {
  const [to, from] = least > 0 && most / least > 1000 ? [Math.log, Math.exp] : [(x) => x, (x) => x];
  const width = (to(most) - to(least)) / BARS || 1;
  return {
    isLog: to === Math.log,
    bar: (value) => Math.min(BARS - 1, Math.floor((to(value) - to(least)) / width)),
    start: (bar) => from(to(least) + bar * width),
  };
}

function draw(values) {
  const scale = scaleOf(values[0], values.at(-1));
  const counts = new Array(BARS).fill(0);
  for (const value of values) counts[scale.bar(value)] += 1;
  const highest = Math.max(...counts);
  const bars = counts.map((count, bar) => {
    const height = (count / highest) * HEIGHT;
    const title = svg("title", {}, `${brief(scale.start(bar))} – ${brief(scale.start(bar + 1))}: ${number(count)}`);
    return svg("rect", { x: (bar * WIDTH) / BARS, y: HEIGHT - height, width: WIDTH / BARS - 1, height }, title);
  });
  $("plot-bars").replaceChildren(...bars);
  return scale.isLog;
}

export class Histogram {
  // `read` gives the text of an answer.
  constructor(read) {
    Object.assign(this, { read, asked: new AbortController() });
  }

  close() {
    this.asked.abort();
    $("plot").hidden = true;
  }

  // `cell` gives the text of this column in a row.
  async open({ path, total, column, cell }) {
    this.close();
    const asked = new AbortController();
    Object.assign(this, { asked });
    $("plot").hidden = false;
    $("plot-bars").replaceChildren();
    put($("plot-words"), word("reading"));
    const { texts, rows, bad } = await this.sample(path, places(total), cell, asked.signal);
    if (asked.signal.aborted) return;
    const values = texts.map(Number).filter(Number.isFinite).sort((a, b) => a - b);
    const isLog = values.length > 0 && draw(values);
    this.tell(column, values, { rows, total, bad, isLog });
  }

  tell(column, values, { rows, total, bad, isLog }) {
    const middle = values[Math.floor(values.length / 2)];
    const figures = values.length ? word("plotFigures", brief(values[0]), brief(middle), brief(values.at(-1))) : word("plotNone");
    const from = rows >= total ? word("plotAll", number(total)) : word("plotSome", number(rows), number(total), PAGES);
    put($("plot-words"), [figures, from, isLog ? word("plotLog") : "", bad ? word("plotBad", bad) : ""].filter(Boolean).join(" "));
    put($("plot-least"), values.length ? brief(values[0]) : "");
    put($("plot-most"), values.length ? brief(values.at(-1)) : "");
    $("plot-bars").ariaLabel = word("plotOf", column, figures);
  }

  async sample(path, pages, cell, signal) {
    const found = { texts: [], rows: 0, bad: 0 };
    const left = [...pages];
    const reader = async () => {
      for (let page = left.shift(); page && !signal.aborted; page = left.shift()) {
        try {
          const { rows } = outputs(await this.read(`${path}?offset=${page[0]}&limit=${page[1]}`, { signal }));
          found.rows += rows.length;
          found.texts.push(...rows.map(cell).filter((text) => text !== undefined && text !== "null"));
        } catch {
          found.bad += 1;
        }
      }
    };
    await Promise.all(Array.from({ length: TOGETHER }, reader));
    return found;
  }
}
