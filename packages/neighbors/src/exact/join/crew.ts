import { type Crew, inlineCrew, workerCrew } from '../../kernels/crew.js';
import { loadKernel } from '../../kernels/load-kernel.js';
import { type JoinMemory, scratchBytes } from './join-memory.js';
import { bindJoin, type JoinStart, type Phase } from './phases.js';

export type JoinCrew = Crew<Phase>;

/** Runs the phases of a join. @param count workers; with 0 the tasks run on this thread */
export async function joinCrew(place: JoinMemory, count: number, signal: AbortSignal | undefined): Promise<JoinCrew> {
  const { memory, parametersAt, controlAt: wordsAt, scratchAt } = place;
  const module = await loadKernel('join');
  const startOf = (worker: number): JoinStart => {
    return { module, memory, wordsAt, parametersAt, scratchAt: scratchAt + scratchBytes * worker };
  };
  if (count > 0) return workerCrew('join', count, startOf, signal);
  const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
  return inlineCrew(bindJoin(exports, startOf(0)), signal);
}
