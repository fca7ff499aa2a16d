import type { NeighborIndex } from '@rarefy/core';
import { rowsIndex } from '../exact/exact-index.js';
import { rowsReader } from '../exact/join/row-reader.js';
import { checkSettings, descentGraph, type NnDescentSettings, nnDescent } from './nn-descent.js';

export type NnDescentIndexOptions = NnDescentSettings;

/**
 * An index whose self-join is {@link nnDescent}: approximate, with its measured recall. `search` of other rows compares them with all,
 * exactly. Vectors are copied.
 * @throws InvalidArgumentError for options out of range.
 */
export function nnDescentIndex(settings: NnDescentIndexOptions = {}): NeighborIndex {
  checkSettings(1, settings);
  const { metric = 'euclidean', workers } = settings;
  return rowsIndex({
    metric,
    engine: { workers },
    fingerprint: `nn-descent-index:metric=${metric},${descentFingerprint(settings)}`,
    exact: false,
    join: (points, call) => descentGraph(points, rowsReader(points, 'vectors'), undefined, { ...settings, ...call }),
    joinSource: (rows, call) => nnDescent(rows, { ...settings, ...call }),
  });
}

/** The settings that change numbers. */
export function descentFingerprint(settings: NnDescentSettings): string {
  const { seed = 0, trees = 12, width = 'auto', candidates = 'auto', rounds = 30 } = settings;
  return `seed=${seed},trees=${trees},width=${width},candidates=${candidates},rounds=${rounds}`;
}
