import { callOptionNames, checkOptions, type Exporter, InvalidArgumentError } from '@rarefy/core';
import { pointCount, viewPoints } from '../view/view-points.js';

const maxPoints = 1_000_000;

/**
 * Writes `embeddings_3d.json`: an array of points with `x`, `y`, `z`, `size`, `color` and `prompt`, in the order of the view, one
 * per line. `export` throws InvalidArgumentError if the view has more than 1,000,000 points or no source, density or prompt.
 * @param options none are known
 * @throws InvalidArgumentError if there are options.
 */
export function jsonExporter(options: Readonly<Record<string, never>> = {}): Exporter {
  checkOptions(options, [], 'jsonExporter');
  return {
    specificationVersion: 'v1',
    kind: 'exporter',
    fingerprint: 'json',
    capabilities: { mediaType: 'application/json', extension: '.json', maxPoints },
    async *export(view, options = {}) {
      checkOptions(options, callOptionNames, 'export of jsonExporter');
      options.signal?.throwIfAborted();
      if (pointCount(view) > maxPoints) {
        throw new InvalidArgumentError(
          `the view has ${view.ids.length} points, but a JSON file holds at most ${maxPoints}; export a sample`,
        );
      }
      const lines = viewPoints(view).map((point) => JSON.stringify(point));
      const text = lines.length === 0 ? '[]\n' : `[\n${lines.join(',\n')}\n]\n`;
      yield { path: 'embeddings_3d.json', bytes: new TextEncoder().encode(text) };
    },
  };
}
