import { digest } from '@rarefy/core';
import type { Schedule } from '../optimizer/schedule.js';

/**
 * Everything that decides the numbers of a run, by the name of its option, as JSON. A value may be a record of its own, such as the
 * options of a loss. A run resumes only with the same settings.
 */
export type RunSettings = Readonly<Record<string, unknown>>;

/** How each setting of a resumed run differs from the saved one, in words: `loss.beta was 0.1 and is now 0.2`. */
export function changedSettings(saved: RunSettings, current: RunSettings): string[] {
  const [before, now] = [new Map(leaves(saved)), new Map(leaves(current))];
  return [...new Set([...before.keys(), ...now.keys()])].flatMap((name) => {
    const [was, is] = [before.get(name) ?? 'none', now.get(name) ?? 'none'];
    return was === is ? [] : [`${name} was ${was} and is now ${is}`];
  });
}

/** The values as JSON text, with the path of each. A list is one value. */
function leaves(value: unknown, path: readonly string[] = []): [path: string, text: string | undefined][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return [[path.join('.'), JSON.stringify(value)]];
  }
  return Object.entries(value).flatMap(([name, inner]) => leaves(inner, [...path, name]));
}

/** The learning rates of the first `count` steps of a run of `steps`, as shares of the highest rate. */
export function scheduledRates(schedule: Schedule, count: number, steps: number): Float64Array {
  return Float64Array.from({ length: count }, (_, index) => schedule(index + 1, steps));
}

/** Describes a schedule: five of its rates for people, and the digest of all. */
export function scheduleSetting(schedule: Schedule, steps: number): string {
  const rates = scheduledRates(schedule, steps, steps);
  const shownRates = [0, 1, 2, 3, 4].map((quarter) => rates[Math.round((quarter * (steps - 1)) / 4)] ?? Number.NaN);
  return `rates ${shownRates.map((rate) => Number(rate.toPrecision(3))).join(', ')} (digest ${digest(rates)})`;
}
