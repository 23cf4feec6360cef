// Short ids: the end of an id, as long as it takes to be unique among those shown. The command line has the same.
const SHORTEST = 8;

const common = (one, other) => {
  let length = 0;
  while (length < one.length && one.at(-1 - length) === other.at(-1 - length)) length += 1;
  return length;
};

const backwards = (id) => [...id].reverse().join("");

function end(id, length) {
  const from = Math.max(0, id.length - length);
  // A hyphen at the beginning would be an option of the command line.
  return id.slice(from > 0 && id[from] === "-" ? from - 1 : from);
}

// One length for all.
export function short(ids) {
  const sorted = ids.map(backwards).sort().map(backwards);
  const length = sorted.reduce((most, id, place) => Math.max(most, place ? common(sorted[place - 1], id) + 1 : 0), SHORTEST);
  return new Map(ids.map((id) => [id, end(id, length)]));
}
