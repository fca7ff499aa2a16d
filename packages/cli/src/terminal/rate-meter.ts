/** Takes how much is done at a time, in ms, and tells the rate and the time left in words; undefined while nobody can tell. */
export type RateMeter = (
  progress: { readonly done: number; readonly total?: number },
  now: number,
) => string | undefined;

const windowMs = 5000;

/** Measures over the last five to ten seconds, so that what an earlier run did, and a slow start, are soon forgotten. */
export function rateMeter(started: number): RateMeter {
  let older = { at: started, done: 0 };
  let newer = older;
  return ({ done, total }, now) => {
    if (now - newer.at >= windowMs) {
      older = newer;
      newer = { at: now, done };
    }
    const rate = (1000 * (done - older.done)) / (now - older.at);
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
