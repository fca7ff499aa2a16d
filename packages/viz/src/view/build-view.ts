import {
  type CallOptions,
  callOptionNames,
  checkItems,
  checkMatrix,
  checkOptions,
  checkShape,
  described,
  type EmbeddingView,
  InvalidArgumentError,
  type Matrix,
  type Projector,
  ShapeError,
} from '@rarefy/core';
import { knnDistance } from '@rarefy/density';
import { umap } from '../projectors/umap.js';

/** A prompt to show. A `PromptRecord` or a row with `src` fits. */
export interface ViewPrompt {
  readonly id: string;
  readonly prompt: string;
  /** Sources of the prompt; several sources are shown as one source of their own, `a + b`. */
  readonly sources?: readonly string[];
  /** Source of the prompt if `sources` is missing or empty; default `unknown`. */
  readonly src?: string;
}

export interface BuildViewOptions extends CallOptions {
  /** Default `umap({ seed })`. */
  readonly projector?: Projector;
  /** Seed of the default projector; default 0. */
  readonly seed?: number;
}

/**
 * Lays out prompts in 3D for the exporters: the projector's last layout with each axis scaled to [-1, 1], and the columns `source`
 * (largest source first), `density` in [0, 1] (see {@link viewDensity}) and `prompt`. As deterministic as the projector.
 * @param embeddings one row per prompt
 * @throws InvalidArgumentError if an option is unknown, or if `prompts`, `embeddings` or `projector` is of the wrong type;
 * ShapeError if the number of prompts and rows differ; NotFiniteError if `embeddings` contains NaN or infinity; the signal's reason
 * on abort.
 */
export async function buildView(
  prompts: readonly ViewPrompt[],
  embeddings: Matrix,
  options: BuildViewOptions = {},
): Promise<EmbeddingView> {
  checkOptions(options, ['projector', 'seed', ...callOptionNames], 'buildView');
  const { seed = 0, projector = umap({ seed }), signal, onEvent } = options;
  if (typeof projector?.project !== 'function') {
    const what = described(projector);
    const hint = what === 'a function' ? '; call the function that makes one, such as pca()' : '';
    throw new InvalidArgumentError(`buildView needs a projector, got ${what}${hint}`);
  }
  checkItems(prompts, promptProblem, 'an object with the texts id and prompt');
  checkShape(embeddings, 'embeddings');
  if (prompts.length !== embeddings.rows) {
    throw new ShapeError(
      `there are ${prompts.length} prompts but ${embeddings.rows} embeddings; give one embedding per prompt`,
    );
  }
  const density = await viewDensity(embeddings, { signal, onEvent });
  let layout: Matrix | undefined;
  for await (const round of projector.project(embeddings, { signal, onEvent, dimensions: 3 })) layout = round;
  return {
    ids: prompts.map(({ id }) => id),
    layout: scaleAxes(checkedLayout(layout, prompts.length)),
    columns: {
      source: sourceColumn(prompts),
      density: { type: 'number', values: density },
      prompt: { type: 'text', values: prompts.map(({ prompt }) => prompt) },
    },
  };
}

/** What is wrong with a prompt, for `checkItems`. */
function promptProblem(given: unknown): string | undefined {
  if (typeof given !== 'object' || given === null) return `is ${described(given)}`;
  const { id, prompt, sources, src } = given as Readonly<Record<keyof ViewPrompt, unknown>>;
  for (const [name, value] of Object.entries({ id, prompt, src: src ?? '' })) {
    if (typeof value !== 'string') return `has ${described(value)} as ${name}`;
  }
  return sources === undefined || Array.isArray(sources)
    ? undefined
    : `has ${described(sources)} as sources, not an array`;
}

/**
 * Scales each column to [-1, 1] by its own minimum and maximum; a constant column becomes 0. Does not change its argument.
 * @throws ShapeError if `layout` is not a valid matrix; NotFiniteError if it contains NaN or infinity.
 */
export function scaleAxes(layout: Matrix): Matrix {
  checkMatrix(layout, 'points of the layout');
  const { data, rows, cols } = layout;
  const scaled = new Float32Array(data.length);
  for (let axis = 0; axis < cols; axis++) {
    let smallest = Number.POSITIVE_INFINITY;
    let largest = Number.NEGATIVE_INFINITY;
    for (let index = axis; index < data.length; index += cols) {
      smallest = Math.min(smallest, data[index]!);
      largest = Math.max(largest, data[index]!);
    }
    if (smallest === largest) continue;
    for (let index = axis; index < data.length; index += cols) {
      scaled[index] = (2 * (data[index]! - smallest)) / (largest - smallest) - 1;
    }
  }
  return { data: scaled, rows, cols };
}

/** Other rows that the density of a row is computed from. */
const neighbors = 9;

/**
 * Density of each row: 1 / (mean Euclidean distance to its 9 nearest other rows + 1e-6), scaled linearly to [0, 1]; all 0 if all
 * densities are equal. Fewer than 10 rows use all other rows.
 *
 * Exact repeats have a density of up to 1e6 before scaling, so other rows get values near 0 if there are any repeats.
 * @throws ShapeError if `embeddings` is not a valid matrix; NotFiniteError if it contains NaN or infinity; the signal's reason on
 * abort.
 */
export async function viewDensity(embeddings: Matrix, options: CallOptions = {}): Promise<Float32Array> {
  checkOptions(options, callOptionNames, 'viewDensity');
  checkMatrix(embeddings, 'embeddings');
  const k = Math.min(neighbors, embeddings.rows - 1);
  if (k < 1) return new Float32Array(embeddings.rows);
  const density = await knnDistance({ k }).fit(embeddings, options);
  let smallest = Number.POSITIVE_INFINITY;
  let largest = Number.NEGATIVE_INFINITY;
  for (const value of density) {
    smallest = Math.min(smallest, value);
    largest = Math.max(largest, value);
  }
  const range = largest - smallest;
  return Float32Array.from(density, (value) => (range > 0 ? (value - smallest) / range : 0));
}

function checkedLayout(layout: Matrix | undefined, rows: number): Matrix {
  if (layout?.rows !== rows || layout.cols !== 3) {
    const shape = layout ? `${layout.rows} x ${layout.cols}` : 'nothing';
    throw new ShapeError(`the projector returned ${shape}; expected ${rows} x 3`);
  }
  return layout;
}

/** The source of each prompt, as a code into the labels; the largest source comes first, ties in order of the label. */
function sourceColumn(prompts: readonly ViewPrompt[]) {
  const names = prompts.map(({ sources, src = 'unknown' }) =>
    sources?.length ? [...sources].sort().join(' + ') : src,
  );
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  const labels = [...counts.keys()].sort((a, b) => counts.get(b)! - counts.get(a)! || (a < b ? -1 : 1));
  const codes = new Map(labels.map((label, code) => [label, code]));
  return { type: 'category', codes: Uint32Array.from(names, (name) => codes.get(name)!), labels } as const;
}
