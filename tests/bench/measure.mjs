/**
 * Minimum CPU time of each task over several rounds, in nanoseconds per operation. The tasks take turns, so that a change of the
 * machine's speed affects all of them. The minimum of many short rounds is the least disturbed by other processes.
 * @param tasks name → { operations, run }: `run` performs that many operations
 */
export function leastTimes(tasks, rounds) {
  const least = Object.fromEntries(Object.keys(tasks).map((name) => [name, Number.POSITIVE_INFINITY]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, { operations, run }] of Object.entries(tasks)) {
      const before = process.cpuUsage();
      const started = process.hrtime.bigint();
      run();
      const wall = Number(process.hrtime.bigint() - started);
      const { user, system } = process.cpuUsage(before);
      // cpuUsage counts whole microseconds and includes other threads, so the clock is better for short tasks.
      const time = wall < 5e6 ? wall : Math.min(wall, 1000 * (user + system));
      least[name] = Math.min(least[name], time / operations);
    }
  }
  return least;
}
