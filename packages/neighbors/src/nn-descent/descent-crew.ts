import { type Crew, inlineCrew, workerCrew } from '../kernels/crew.js';
import { loadKernel } from '../kernels/load-kernel.js';
import type { DescentMemory } from './descent-memory.js';
import { bindDescent, type DescentKernel, type DescentPhase, type DescentStart } from './descent-phases.js';

/** Runs the phases of a descent. */
export interface DescentCrew extends Crew<DescentPhase> {
  /** A kernel of the calling thread, for what is short. */
  readonly kernel: DescentKernel;
}

/** @param count workers; with 0 the tasks run on this thread, which breathes between them */
export async function descentCrew(
  place: DescentMemory,
  count: number,
  seed: number,
  signal: AbortSignal | undefined,
): Promise<DescentCrew> {
  const { memory, control: wordsAt } = place;
  const module = await loadKernel('nn-descent');
  const startOf = (worker: number): DescentStart => ({ module, memory, wordsAt, place, worker, seed });
  const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
  const runPhase = bindDescent(exports, startOf(0));
  const crew =
    count > 0 ? await workerCrew<DescentPhase>('nn-descent', count, startOf, signal) : inlineCrew(runPhase, signal);
  return { ...crew, kernel: exports as unknown as DescentKernel };
}
