import type { CallOptions, Component } from './component.js';
import type { Matrix } from './matrix.js';
import type { Neighbors } from './neighbor-index.js';

export interface ProjectorCapabilities {
  /** Whether the same points and options always give the same bytes. */
  readonly deterministic: boolean;
}

export interface ProjectOptions extends CallOptions {
  readonly dimensions: 2 | 3;
  /** Neighbor graph of the same points, if the caller has one; otherwise the projector computes it. */
  readonly neighbors?: Neighbors;
}

/** Lays out points in two or three dimensions. */
export interface Projector extends Component<'projector', ProjectorCapabilities> {
  /** Yields a usable layout (rows x dimensions) after each round; the last one is final. Leave the loop to stop early. */
  project(points: Matrix, options: ProjectOptions): AsyncIterable<Matrix>;
}
