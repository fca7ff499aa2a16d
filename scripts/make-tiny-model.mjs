// Trains examples/models/tiny from scratch on the sample pairs: `npm run build && node scripts/make-tiny-model.mjs`.
// The backend determines the last digits; the committed weights come from `--backend node`.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const target = join(root, 'examples', 'models', 'tiny');
const run = mkdtempSync(join(tmpdir(), 'rarefy-tiny-'));
const command = ['train', 'base', '--pairs', join(root, 'examples', 'data', 'pairs.jsonl'), '--out', run];
const options = '--seed 1 --max-steps 1000 --learning-rate 2e-3 --save-steps 1000 --backend node'.split(' ');
const { status } = spawnSync(
  process.execPath,
  [join(root, 'packages', 'cli', 'bin', 'rarefy.js'), ...command, ...options, ...process.argv.slice(2)],
  { stdio: 'inherit' },
);
if (status === 0) {
  mkdirSync(target, { recursive: true });
  for (const name of ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json']) {
    copyFileSync(join(run, name), join(target, name));
  }
  console.log(`model in ${target}`);
}
rmSync(run, { recursive: true });
process.exitCode = status ?? 1;
