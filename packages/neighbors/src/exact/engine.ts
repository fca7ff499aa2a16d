import { InvalidArgumentError, type Metric, MissingDependencyError } from '@rarefy/core';
import { checkMetric } from './checks.js';
import { importNative, type NativeNeighbors } from './native.js';

/**
 * What computes exact neighbours; all give the same bytes. `wasm`: SIMD code in worker threads; `native`: the optional package
 * `@rarefy/neighbors-native`, which joins rows in memory, while searches and rows that are read in blocks are wasm's; `typescript`:
 * float64 loops over all pairs, on the calling thread. `auto`: native where it is installed, else wasm, and TypeScript for inputs so
 * small that it is done before the others have begun.
 */
export type ExactEngine = 'auto' | 'wasm' | 'native' | 'typescript';

/** How exact neighbours are computed; changes no number of the result. */
export interface ExactEngineOptions {
  /** Default `auto`. */
  readonly engine?: ExactEngine | undefined;
  /** Worker threads, 1 to 256; default as many as the machine runs at once, and none for small inputs. */
  readonly workers?: number | undefined;
  /** Most bytes of shared memory of the wasm engine, default 2 GiB; what does not fit is joined in parts. */
  readonly memoryBytes?: number | undefined;
  /** The module `@rarefy/neighbors-native`, or a function that gives it. */
  readonly native?: NativeNeighbors | (() => NativeNeighbors | Promise<NativeNeighbors>) | undefined;
}

const engines: readonly ExactEngine[] = ['auto', 'wasm', 'native', 'typescript'];
export const defaultMemoryBytes = 2 ** 31;

/** Products of numbers up to which the plain loop is done in some 10 ms. */
const plainPays = 2 ** 24;

/** @throws InvalidArgumentError */
export function checkEngineOptions(
  metric: Metric,
  { engine = 'auto', workers = 1, memoryBytes = 1 }: ExactEngineOptions,
): void {
  checkMetric(metric);
  if (!engines.includes(engine)) {
    throw new InvalidArgumentError(`engine must be one of ${engines.join(', ')}, got ${engine}`);
  }
  if (!(Number.isInteger(workers) && workers >= 1 && workers <= 256)) {
    throw new InvalidArgumentError(`workers must be an integer from 1 to 256, got ${workers}`);
  }
  if (!(memoryBytes > 0)) throw new InvalidArgumentError(`memoryBytes must be above 0, got ${memoryBytes}`);
}

export type ChosenEngine =
  | { readonly name: 'wasm' | 'typescript' }
  | { readonly name: 'native'; readonly module: NativeNeighbors };

/**
 * The engine for a task of so many products of numbers.
 * @param canBeNative whether the native engine does such tasks
 */
export async function chooseEngine(
  { engine = 'auto', native }: ExactEngineOptions,
  products: number,
  canBeNative: boolean,
): Promise<ChosenEngine> {
  if (engine === 'typescript' || (engine === 'auto' && products < plainPays)) return { name: 'typescript' };
  if (engine === 'wasm' || !canBeNative) return { name: 'wasm' };
  if (engine === 'native') return { name: 'native', module: await importNative(native) };
  try {
    const module = await importNative(native);
    // Its addon is looked for when it is called.
    await module.selfJoin(Float32Array.of(0, 1), 2, 1, { k: 1, metric: 'euclidean', threads: 1 });
    return { name: 'native', module };
  } catch (error) {
    if (MissingDependencyError.isInstance(error)) return { name: 'wasm' };
    throw error;
  }
}
