import { runApart } from './memory/run-apart.mjs';
import { sampleFile } from './memory/sample-file.mjs';

/** Peak memory of two jobs whose data does not fit in memory: distances of 100,000 mean logits, and a subset of a million rows. */
export async function bench() {
  const size = { prompts: 100_000, vocabulary: 50_304, hidden: 768, k: 10 };
  const logits = await runApart('vocabulary-space.mjs', { ...size, exactUpTo: size.prompts });
  const space = 'vocabulary-space density, 100,000 x 50,304, exact neighbors';
  const sample = await sampleFile({ rows: 1_000_000 });
  const subset = 'rarefy sample, 10,000 of 1,000,000 x 384';
  return [
    {
      name: `${space}, peak memory`,
      value: logits.peakBytes / 1e6,
      unit: 'MB',
      against: 'all mean logits in float32',
      ratio: logits.peakBytes / logits.allBytes,
    },
    { name: `${space}, work`, value: logits.cpuSeconds, unit: 'cpu s' },
    { name: `${space}, largest relative error of sampled distances`, value: logits.largestDeviation, unit: '' },
    {
      name: `${subset}, peak memory`,
      value: sample.peakBytes / 1e6,
      unit: 'MB',
      against: 'the rows in float32',
      ratio: sample.peakBytes / sample.fileBytes,
    },
    { name: `${subset}, work`, value: sample.cpuSeconds, unit: 'cpu s' },
  ];
}
