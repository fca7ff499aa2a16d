/** Returns the rate and the time left in words, for the progress at a time in ms; undefined while the rate is unknown. */
export type RateMeter = (
  progress: { readonly done: number; readonly total?: number },
  now: number,
) => string | undefined;

const windowMs = 5000;

/**
 * Measures the rate of work from its `work-progress` events, over the last 5 to 10 seconds, so that work of an earlier run and a
 * slow start do not count for long.
 * @param started time of the start in ms, such as `performance.now()`
 */
export function rateMeter(started: number): RateMeter {
  let older = { time: started, done: 0 };
  let newer = older;
  return ({ done, total }, now) => {
    if (now - newer.time >= windowMs) {
      older = newer;
      newer = { time: now, done };
    }
    const rate = (1000 * (done - older.done)) / (now - older.time);
    if (!(rate > 0 && rate < Number.POSITIVE_INFINITY)) return undefined;
    const perSecond = `${rate < 10 ? rate.toFixed(1) : Math.round(rate)}/s`;
    return total === undefined ? perSecond : `${perSecond}, ${timeLeft((total - done) / rate)} left`;
  };
}

function timeLeft(seconds: number): string {
  if (seconds < 100) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 100 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
