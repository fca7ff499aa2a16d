// Trains a model of examples/models from scratch: `npm run build && node scripts/make-model.mjs tiny|small`. The backend determines
// the last digits; the committed weights come from `--backend node`, the default here.
//   tiny:  learns the texts of the sample pairs.
//   small: learns more pairs of the same wording, whose topics are more alike in frequency, and then to answer as the chosen ones
//          do. No prompt of the sample pairs is among them.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const sample = join(root, 'examples', 'data', 'pairs.jsonl');
const scratch = mkdtempSync(join(tmpdir(), 'rarefy-model-'));
const [name, ...given] = process.argv.slice(2);
const models = { tiny, small };
if (!Object.hasOwn(models, name)) {
  console.error(`give the name of a model: ${Object.keys(models).join(' or ')}; got ${name}`);
  process.exit(1);
}
try {
  const trained = models[name]();
  const target = join(root, 'examples', 'models', name);
  mkdirSync(target, { recursive: true });
  for (const file of ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json']) {
    copyFileSync(join(trained, file), join(target, file));
  }
  console.log(`model in ${target}`);
} finally {
  rmSync(scratch, { recursive: true });
}

function tiny() {
  return train('base', '--seed 1 --max-steps 1000 --learning-rate 2e-3', ['--pairs', sample]);
}

function small() {
  const pairs = join(scratch, 'pairs.jsonl');
  const options = ['--seed', '2', '--count', '16000', '--exponent', '0.4', '--without', sample, '--out', pairs];
  run(join(root, 'scripts', 'make-pairs.mjs'), options);
  const size = '--hidden-size 192 --intermediate-size 512 --heads 6 --layers 4';
  const base = train('base', `--seed 1 --max-steps 2500 --learning-rate 2e-3 ${size}`, ['--pairs', pairs]);
  return train('sft', '--seed 1 --max-steps 3200 --learning-rate 1e-3 --batch-size 32', [
    '--pairs',
    pairs,
    '--model',
    base,
  ]);
}

/** Runs `rarefy train` and returns the folder of the model. */
function train(stage, options, added) {
  const out = join(scratch, stage);
  const command = ['train', stage, ...options.split(' '), '--backend', 'node', ...added, '--out', out, ...given];
  run(join(root, 'packages', 'cli', 'bin', 'rarefy.js'), command);
  return out;
}

function run(script, options) {
  const { status } = spawnSync(process.execPath, [script, ...options], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
