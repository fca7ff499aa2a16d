import { checkInteger, InvalidArgumentError, type Metric, MissingDependencyError } from '@rarefy/core';
import { mostWorkers } from '@rarefy/neighbors-wasm';
import { checkMetric } from '../distance/canonical-distance.js';
import { importNative, type NativeNeighbors } from './native.js';

/**
 * The engine that computes exact neighbors; all engines return the same bytes.
 * - `wasm`: SIMD code in worker threads.
 * - `native`: the optional package `@rarefy/neighbors-native`, for self-joins of rows in memory; searches, and joins of rows that
 *   are read in blocks, use wasm.
 * - `typescript`: float64 loops over all pairs, on the calling thread.
 * - `auto`: native if it is installed, otherwise wasm; typescript for inputs that are too small for the others to pay off.
 */
export type ExactEngine = 'auto' | 'wasm' | 'native' | 'typescript';

/** How exact neighbors are computed; no option changes the result. */
export interface ExactEngineOptions {
  /** Default `auto`. */
  readonly engine?: ExactEngine | undefined;
  /** Worker threads, 1 to 256; default: as many as the machine runs at the same time, and none for small inputs. */
  readonly workers?: number | undefined;
  /** Limit of the wasm engine's shared memory, default 2 GiB; rows that do not fit are joined in parts. */
  readonly memoryBytes?: number | undefined;
  /** The module `@rarefy/neighbors-native`, or a function that returns it. */
  readonly native?: NativeNeighbors | (() => NativeNeighbors | Promise<NativeNeighbors>) | undefined;
}

export const engineOptionNames = ['engine', 'workers', 'memoryBytes', 'native'] satisfies (keyof ExactEngineOptions)[];

const engines: readonly ExactEngine[] = ['auto', 'wasm', 'native', 'typescript'];
export const defaultMemoryBytes = 2 ** 31;
/** Default limit of the shared memory for rows that are read in blocks, since their owner chose not to hold them in memory. */
export const blockwiseMemoryBytes = 2 ** 28;

/** Multiplications that the plain loop does in about 10 ms. */
const smallProducts = 2 ** 24;

/** @throws InvalidArgumentError if an option is out of range. */
export function checkEngineOptions(
  metric: Metric,
  { engine = 'auto', workers = 1, memoryBytes = 1 }: ExactEngineOptions,
): void {
  checkMetric(metric);
  if (!engines.includes(engine)) {
    throw new InvalidArgumentError(`engine must be one of ${engines.join(', ')}, got ${engine}`);
  }
  checkInteger('workers', workers, 1, mostWorkers);
  if (!(memoryBytes > 0)) throw new InvalidArgumentError(`memoryBytes must be > 0, got ${memoryBytes}`);
}

export type ChosenEngine =
  | { readonly name: 'wasm' | 'typescript' }
  | { readonly name: 'native'; readonly module: NativeNeighbors };

/**
 * Chooses the engine for a task.
 * @param products multiplications of the task
 * @param canBeNative whether the native engine supports the task
 */
export async function chooseEngine(
  { engine = 'auto', native }: ExactEngineOptions,
  products: number,
  canBeNative: boolean,
): Promise<ChosenEngine> {
  if (engine === 'typescript' || (engine === 'auto' && products < smallProducts)) return { name: 'typescript' };
  if (engine === 'wasm' || !canBeNative) return { name: 'wasm' };
  if (engine === 'native') return { name: 'native', module: await importNative(native) };
  try {
    const module = await importNative(native);
    // The package loads its addon on the first call, so only a call shows whether it works.
    await module.selfJoin(Float32Array.of(0, 1), 2, 1, { k: 1, metric: 'euclidean', threads: 1 });
    return { name: 'native', module };
  } catch (error) {
    if (MissingDependencyError.isInstance(error)) return { name: 'wasm' };
    throw error;
  }
}
