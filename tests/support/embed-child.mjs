// node embed-child.mjs OUT LOG: embeds 20,000 rows with the built packages, and logs the number of items of each call.
import { appendFileSync } from 'node:fs';
import { hashEmbedder } from '@rarefy/embedders/hash';
import { embedToFile } from '@rarefy/embeddings';

const [out, log] = process.argv.slice(2);
const rows = {
  *[Symbol.iterator]() {
    for (let row = 0; row < 20_000; row++) yield { id: `row-${row}`, item: `${row} loaves` };
  },
};
const hash = hashEmbedder({ dimensions: 64 });
const embedder = {
  ...hash,
  async embedBatch(items, options) {
    const result = await hash.embedBatch(items, options);
    appendFileSync(log, `${items.length}\n`);
    return result;
  },
};
process.stdout.write('begun\n');
await embedToFile(embedder, rows, { out, batchSize: 512 });
