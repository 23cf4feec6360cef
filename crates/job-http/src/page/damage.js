// Which rows of a page that fails can be read. A damaged block takes neighbouring rows with it; those around it are there.

// The most rows that can be read from one end of `most` rows, by halves. `read` gets how many, and gives them or undefined.
async function longest(most, read) {
  let [good, bad, rows] = [0, most, []];
  // A page without a row at its end that can be read costs one question.
  for (let count = 1; good + 1 < bad; count = Math.floor((good + bad) / 2)) {
    const more = await read(count);
    if (more) [good, rows] = [count, more];
    else bad = count;
  }
  return rows;
}

export async function around(from, to, read) {
  const tried = (offset, limit) => read(offset, limit).catch((error) => {
    if (error.name === "AbortError") throw error;
  });
  const head = await longest(to - from, (count) => tried(from, count));
  const tail = await longest(to - from, (count) => tried(to - count, count));
  return { head, tail };
}
