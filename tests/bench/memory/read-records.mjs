// Reads the pairs of a file and prints by how much the peak memory of this process grew. Run by tests/malformed-lines.test.ts.
import { readPairs } from '@rarefy/data';
import { peakBytes } from './peak-bytes.mjs';

const { path, warmUp, maxLineBytes } = JSON.parse(process.argv[2]);
const read = async (source, stats) => {
  for await (const { prompt } of readPairs(source, { onBadLine: 'skip', maxLineBytes, stats })) void prompt;
  return stats;
};
await read(warmUp, { records: 0, skipped: {} });
const before = peakBytes();
const stats = await read(path, { records: 0, skipped: {} });
console.log(JSON.stringify({ stats, grownBytes: peakBytes() - before }));
