import type { CallOptions, Component } from './component.js';
import type { Matrix } from './matrix.js';
import type { Neighbors } from './neighbor-index.js';

/** One value per point. */
export type Column =
  | { readonly type: 'number'; readonly values: Float32Array }
  | { readonly type: 'category'; readonly codes: Uint32Array; readonly labels: readonly string[] }
  | { readonly type: 'text'; readonly values: readonly string[] };

/** A layout of the prompt space and everything that an exporter may show with it. */
export interface EmbeddingView {
  readonly ids: readonly string[];
  /** points x 2 or points x 3, each axis in [-1, 1]. */
  readonly layout: Matrix;
  readonly columns: Readonly<Record<string, Column>>;
  readonly neighbors?: Neighbors;
}

export interface ExporterCapabilities {
  readonly mediaType: string;
  /** With its dot: `.json`. */
  readonly extension: string;
  /** More points than this are an error; the exporter never drops points silently. */
  readonly maxPoints: number;
}

/** Writes a view as files. */
export interface Exporter extends Component<'exporter', ExporterCapabilities> {
  /** Yields one file for a page, several for a folder format. Paths are relative and stay inside their folder. */
  export(
    view: EmbeddingView,
    options?: CallOptions,
  ): AsyncIterable<{ readonly path: string; readonly bytes: Uint8Array }>;
}
