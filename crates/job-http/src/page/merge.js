// Which jobs are shown when an answer comes. `held` rows keep their places: new jobs wait, and those that the answer
// has no longer stay, as `apart` has them.
export function merge(shown, answer, apart, held, most) {
  if (!held || shown.length === 0) return { jobs: answer.slice(0, most), fresh: [] };
  const [first, last] = [shown[0].jobId, shown.at(-1).jobId];
  const answered = new Map([...apart, ...answer].map((job) => [job.jobId, job]));
  const kept = shown.map((job) => answered.get(job.jobId) ?? job);
  const places = new Set(shown.map((job) => job.jobId));
  const others = answer.filter((job) => !places.has(job.jobId));
  const below = others.filter((job) => job.jobId < last).slice(0, Math.max(0, most - kept.length));
  return { jobs: [...kept, ...below], fresh: others.filter((job) => job.jobId > first) };
}
