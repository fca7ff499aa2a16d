import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { type Metric, MissingDependencyError } from '@rarefy/core';

/** Instruction sets of CPUs. `generic` is portable code, and the only one outside x86-64. */
export type InstructionSet = 'generic' | 'sse2' | 'avx2' | 'avx512' | 'vnni';

/** The exports of native/addon. */
export interface NativeAddon {
  instructionSets(): InstructionSet[];
  readonly Job: new () => NativeJob;
}

/** One join; not reusable. */
export interface NativeJob {
  /** Rejects with a message that is one word for the kind of error; after `not-finite` comes the row. */
  run(data: Float32Array, options: NativeJobOptions): Promise<NativeJoin>;
  abort(): void;
  /** Finished share of the work, from 0 to 1. */
  progress(): number;
}

export interface NativeJobOptions {
  readonly rows: number;
  readonly cols: number;
  readonly k: number;
  readonly metric: Metric;
  readonly threads: number;
  readonly instructionSet?: InstructionSet | undefined;
}

export interface NativeJoin {
  readonly ids: Int32Array;
  readonly distances: Float32Array;
  readonly fullScans: number;
  readonly distinctRows: number;
}

const packageName = '@rarefy/neighbors-native';
const file = fileURLToPath(new URL(`../native/neighbors.${process.platform}-${process.arch}.node`, import.meta.url));
const fix =
  'Build it in the folder of the package, with Rust 1.89 or later (https://rustup.rs): npm run build:native. Or do without it: ' +
  'the other engines return the same result.';

/** @throws MissingDependencyError if the addon is not built or does not load. */
export function nativeAddon(): NativeAddon {
  if (!existsSync(file))
    throw new MissingDependencyError(packageName, fix, `the addon of ${packageName} is not built.`);
  try {
    return createRequire(import.meta.url)(file) as NativeAddon;
  } catch (cause) {
    const message = `the addon of ${packageName} is built but does not load: ${(cause as Error).message}.`;
    throw new MissingDependencyError(packageName, fix, message, { cause });
  }
}

/**
 * The instruction sets that this CPU supports, slowest first. A join uses the last one by default.
 * @throws MissingDependencyError if the addon is not built or does not load.
 */
export function instructionSets(): readonly InstructionSet[] {
  return nativeAddon().instructionSets();
}
