import { embedderOptions } from '../models/embedder-options.js';
import { command } from '../shell/command.js';
import { table } from '../terminal/table.js';
import { weightingOf, weightingOptions } from '../training/weighting-options.js';

export const density = command({
  description: 'Measure how crowded each prompt is and turn that into sampling weights',
  example: 'rarefy density --prompts prompts.jsonl --target-ess 0.5 --out weights.jsonl',
  options: {
    prompts: { type: 'text', valueHint: 'file', description: 'JSON Lines of prompts to embed; or give --embeddings' },
    embeddings: { type: 'text', valueHint: 'file', description: 'Embeddings file; or give --prompts' },
    out: {
      type: 'text',
      valueHint: 'file',
      required: true,
      description: 'JSON Lines of {id, density, weight, probability} to write',
    },
    ...weightingOptions,
    ...embedderOptions,
  },
  async run({ out, k, ...values }, options) {
    const { densityReport, knnDistance } = await import('@rarefy/density');
    const { promptDensity } = await import('../models/prompt-density.js');
    const { writeWeights } = await import('../training/density-weights.js');
    const weighting = await weightingOf(values);
    const { ids, density: densities } = await promptDensity(values, knnDistance({ k }), options);
    const weights = weighting(densities);
    const report = densityReport(densities, weights);
    const rows = ids.map((id) => ({ id }));
    await writeWeights(out, rows, densities, weights, options);
    for (const message of report.warnings) {
      options.onEvent({ type: 'work-warning', task: 'weigh', code: 'weights', message });
    }
    const percent = (value: number) => `${(100 * value).toFixed(1)} %`;
    console.log(
      table([
        ['prompts', 'ESS/N', 'max/min', 'draws of rarest 1 %', 'of rarest 10 %'],
        [
          String(report.rows),
          report.essOverN.toFixed(3),
          report.maxOverMin.toPrecision(3),
          percent(report.rarest1Share),
          percent(report.rarest10Share),
        ],
      ]),
    );
  },
});
