import type { CallOptions, RowSource } from '@rarefy/core';
import type { WeightingValues } from '../training/weighting-options.js';
import type { EngineName, RowsAs } from '../weighing/estimator-options.js';

/** What a method of sampling takes from the command line. */
export interface SubsetOptions extends Omit<WeightingValues, 'k'> {
  readonly budget: number;
  readonly seed: number;
  readonly k: number;
  readonly eps: number;
  readonly neighbors: EngineName;
  readonly rowsAs: RowsAs;
  readonly clusters: number | undefined;
}

/** A subset, and what the report tells of it. */
export interface Subset {
  /** In draw order. */
  readonly positions: Int32Array;
  /** One value a row of the file each. */
  readonly columns: Readonly<Record<string, Float64Array | Int32Array>>;
  /** Fields of the report. */
  readonly details: Readonly<Record<string, unknown>>;
  /** A sentence for the terminal. */
  readonly note?: string | undefined;
}

export type SubsetMethod = (rows: RowSource, options: SubsetOptions, call: CallOptions) => Promise<Subset>;
