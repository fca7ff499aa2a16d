// Copies the sample pairs and the tiny model into the `rarefy` package before it is packed, so that its demo runs anywhere.
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const target = join(root, 'packages', 'cli', 'examples');
rmSync(target, { recursive: true, force: true });
for (const name of ['data/pairs.jsonl', 'models/tiny'])
  cpSync(join(root, 'examples', name), join(target, name), { recursive: true });
