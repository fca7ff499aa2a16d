import { type DescentMemory, descentWords } from '@rarefy/neighbors-wasm';
import type { Crew } from '../../workers/crew.js';
import { phaseOf } from '../../workers/phases.js';

const leafRows = 64;
const taskRows = 512;
/** The search ends when this share of the entries is fresh, or less. */
const fewFresh = 0.003;

/**
 * Builds the graph of the quantized rows: first by a forest of projection trees, then in rounds in which neighbors of neighbors are
 * compared. The first tree also decides the positions: rows that are near each other become neighbors in memory.
 * Source: Dong, Moses and Li, "Efficient k-nearest neighbor graph construction for generic similarity measures", WWW 2011.
 * @param onRound receives the number of finished rounds
 * @returns the row of the caller's order at each position; int32
 */
export async function descend(
  layout: DescentMemory,
  crew: Crew,
  rounds: number,
  onRound: (done: number) => void,
): Promise<Int32Array> {
  const { memory, rows, width, trees } = layout;
  const int32 = (address: number, length: number) => new Int32Array(memory.buffer, address, length);
  const words = int32(layout.wordsAt, 16);
  await crew.run(phaseOf('clear', { items: rows, taskItems: 65536 }));

  await crew.run(phaseOf('firstTree', { items: 1, taskItems: 1, value: leafRows }));
  const leaves = Atomics.load(words, descentWords.fresh);
  const order = int32(layout.order, rows).slice();
  const starts = int32(layout.freshCounts, leaves).slice().sort();
  await crew.run(phaseOf('permute', { items: 1, taskItems: 1 }));
  const sorted = int32(layout.forest, leaves + 1);
  sorted.set(starts);
  sorted[leaves] = rows;
  await crew.run(phaseOf('leaves', { items: leaves, taskItems: 16 }));
  await crew.run(phaseOf('trees', { items: trees - 1, taskItems: 1, value: leafRows }));

  const freshCounts = int32(layout.freshCounts, rows);
  const oldCounts = int32(layout.oldCounts, rows);
  for (let round = 0; round < rounds; round++) {
    onRound(round);
    freshCounts.fill(0);
    oldCounts.fill(0);
    Atomics.store(words, descentWords.fresh, 0);
    await crew.run(phaseOf('fresh', { items: rows, taskItems: taskRows, value: round }));
    if (Atomics.load(words, descentWords.fresh) <= fewFresh * rows * width) break;
    await crew.run(phaseOf('old', { items: rows, taskItems: taskRows, value: round }));
    await crew.run(phaseOf('age', { items: rows, taskItems: 4096 }));
    await crew.run(phaseOf('join', { items: rows, taskItems: taskRows }));
  }
  return order;
}
