import type { Metric } from '@rarefy/core';
import type { DescentCrew } from './descent-crew.js';
import { control, type DescentMemory } from './descent-memory.js';
import type { DescentPhase } from './descent-phases.js';

export interface DescentSettings {
  readonly metric: Metric;
  readonly leafRows: number;
  readonly rounds: number;
  /** Ends when this share of the entries is fresh, or less. */
  readonly fewFresh: number;
}

const taskRows = 512;

/** A phase over `items`, cut into tasks of `taskItems`. */
export function phaseOf(name: DescentPhase['name'], items: number, taskItems = taskRows, value = 0): DescentPhase {
  return { name, tasks: Math.ceil(items / taskItems), items, taskItems, value };
}

/**
 * Builds the graph of the quantised rows: a forest of projection trees first, then rounds in which neighbours of neighbours meet.
 * The first tree also puts rows that are near each other next to each other in memory.
 * Source: Dong, Moses and Li, "Efficient k-nearest neighbor graph construction for generic similarity measures", WWW 2011.
 * @returns for each position which row of the caller's order lies there now; int32
 */
export async function descend(
  place: DescentMemory,
  crew: DescentCrew,
  { leafRows, rounds, fewFresh }: DescentSettings,
  onRound: (done: number) => void,
): Promise<Int32Array> {
  const { memory, rows, width, trees } = place;
  const words = new Int32Array(memory.buffer, place.control, 16);
  const int32 = (address: number, length: number) => new Int32Array(memory.buffer, address, length);
  await crew.run(phaseOf('clear', rows, 65536));

  await crew.run(phaseOf('firstTree', 1, 1, leafRows));
  const leaves = Atomics.load(words, control.fresh);
  const order = int32(place.order, rows).slice();
  const starts = int32(place.freshCounts, leaves).slice().sort();
  await crew.run(phaseOf('permute', 1, 1));
  const sorted = int32(place.forest, leaves + 1);
  sorted.set(starts);
  sorted[leaves] = rows;
  await crew.run(phaseOf('leaves', leaves, 16));

  await crew.run(phaseOf('trees', trees - 1, 1, leafRows));

  const freshCounts = int32(place.freshCounts, rows);
  const oldCounts = int32(place.oldCounts, rows);
  for (let round = 0; round < rounds; round++) {
    onRound(round);
    freshCounts.fill(0);
    oldCounts.fill(0);
    Atomics.store(words, control.fresh, 0);
    await crew.run(phaseOf('fresh', rows, taskRows, round));
    if (Atomics.load(words, control.fresh) <= fewFresh * rows * width) break;
    await crew.run(phaseOf('old', rows, taskRows, round));
    await crew.run(phaseOf('age', rows, 4096));
    await crew.run(phaseOf('join', rows));
  }
  return order;
}
