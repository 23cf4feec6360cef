// When a job was submitted, each of its attempts, and its end.
import { ended } from "./list.js";
import { $, element, put } from "./put.js";
import { now } from "./service.js";
import { ago, exact, ran, span, waits } from "./time.js";
import { state, word } from "./words.js";

function failed({ attempt, started, ended: end, failure }) {
  return [word("attemptIs", attempt), started, word("attemptFailed", span(Math.max(0, end - started)), failure.message), "bad"];
}

// Steps of a name, a time, more, and a class.
function steps(job, attempts) {
  if (!job.submitted) return [];
  const [waited, lasted] = [waits(job, now()), ran(job, now())];
  const all = [[word("submitted"), job.submitted, job.started || job.finished ? "" : word("waitsFor", span(waited))]];
  all.push(...attempts.filter((one) => one.attempt < job.attempt || !job.started).map(failed));
  // The first start is told with the time before it.
  const before = attempts.length || waited === undefined ? "" : word("waitedFor", span(waited));
  if (job.started) all.push([job.attempt > 1 ? word("attemptIs", job.attempt) : word("started"), job.started, before]);
  if (job.finished) all.push([state(job.state), job.finished, lasted === undefined ? "" : word("ranFor", span(lasted)), job.state]);
  else if (job.started && !ended(job)) all.push([state(job.state), now(), word("ranFor", span(lasted)), job.state]);
  return all;
}

export function timeline(job, attempts = []) {
  const list = $("timeline");
  const all = job ? steps(job, attempts) : [];
  while (list.children.length > all.length) list.lastChild.remove();
  while (list.children.length < all.length) list.append(element("li", {}, element("b"), element("time"), element("span")));
  all.forEach(([name, time, more, kind = ""], place) => {
    const item = list.children[place];
    item.className = `state ${kind}`;
    put(item.children[0], name);
    put(item.children[1], `${exact(time)} (${ago(now() - time)})`);
    put(item.children[2], more);
  });
}
