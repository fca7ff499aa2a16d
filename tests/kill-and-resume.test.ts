import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { rarefy, startRarefy } from './support/rarefy.js';

const examples = (name: string) => fileURLToPath(new URL(`../examples/${name}`, import.meta.url));
const run = (out: string, ...more: string[]) => [
  ...['train', 'grpo', '--pairs', 'pairs.jsonl', '--model', examples('models/tiny'), '--out', out],
  ...[
    '--density-aware',
    '--target-ess',
    '0.5',
    '--reward',
    'length',
    '--learning-rate',
    '1e-3',
    '--seed',
    '5',
    '--backend',
    'wasm',
  ],
  ...[
    '--max-steps',
    '12',
    '--save-steps',
    '5',
    '--batch-size',
    '4',
    '--group-size',
    '4',
    '--max-completion-length',
    '8',
  ],
  ...['--beta', '0.05', '--sync-ref-model', '--ref-model-sync-steps', '3'],
  ...['--log-completions', '--eval-pairs', 'held-out.jsonl', '--eval-steps', '4', '--report-to', 'tensorboard'],
  ...more,
];

let cwd: string;
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'rarefy-kill-'));
  const pairs = (await readFile(examples('data/pairs.jsonl'), 'utf8')).split('\n').slice(0, 300);
  await writeFile(join(cwd, 'pairs.jsonl'), `${pairs.slice(4).join('\n')}\n`);
  await writeFile(join(cwd, 'held-out.jsonl'), `${pairs.slice(0, 4).join('\n')}\n`);
});
afterAll(() => rm(cwd, { recursive: true }));

/** The lines of metrics.jsonl without times. */
async function metrics(out: string): Promise<unknown[]> {
  const text = await readFile(join(cwd, out, 'metrics.jsonl'), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => {
      const { step_time, ...values } = JSON.parse(line);
      expect(step_time).toBeGreaterThan(0);
      return values;
    });
}
const weights = async (out: string) =>
  createHash('sha256')
    .update(await readFile(join(cwd, out, 'model.safetensors')))
    .digest('hex');

/** What the run keeps of its steps besides metrics. */
const records = async (out: string) => ({
  draws: (await readFile(join(cwd, out, 'draws.bin'))).toString('hex'),
  completions: await readFile(join(cwd, out, 'completions.jsonl'), 'utf8'),
});

/** Waits until the run has logged a step or has ended. */
async function logged(out: string, step: number, result: Promise<unknown>): Promise<void> {
  let ended = false;
  void result.then(() => (ended = true));
  while (!ended) {
    const text = await readFile(join(cwd, out, 'metrics.jsonl'), 'utf8').catch(() => '');
    if (text.includes(`{"step":${step},`)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('a train grpo run killed at step 7 and resumed equals an uninterrupted one', { timeout: 1_800_000 }, async () => {
  const whole = await rarefy(run('whole'), { cwd });
  expect(whole).toMatchObject({ code: 0 });

  const { child, result } = startRarefy(run('killed'), { cwd });
  await logged('killed', 7, result);
  child.kill('SIGKILL');
  expect((await result).code).toBeNull();

  const refused = await rarefy(run('killed'), { cwd });
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('--resume') });

  const resumed = await rarefy(run('killed', '--resume'), { cwd });
  expect(resumed).toMatchObject({ code: 0 });
  expect(resumed.stderr).toMatch(/continuing after step (5|10)\n/);
  expect(await metrics('whole')).toHaveLength(12);
  expect(await metrics('killed')).toEqual(await metrics('whole'));
  expect(await weights('killed')).toBe(await weights('whole'));
  expect(await records('killed')).toEqual(await records('whole'));
  expect((await records('whole')).completions.split('\n')).toHaveLength(12 + 1);
  const evaluated = (await metrics('whole')).map((values) => 'eval_reward' in (values as object));
  expect(evaluated).toEqual(Array.from({ length: 12 }, (_, index) => index % 4 === 3));
  expect(await readdir(join(cwd, 'killed', 'tensorboard'))).toHaveLength(2); // one file per start
});

test('Ctrl-C saves the state and exits with 130; the resumed run ends with the same result', {
  timeout: 1_800_000,
}, async () => {
  const { child, result } = startRarefy(run('interrupted'), { cwd });
  await logged('interrupted', 3, result);
  child.kill('SIGINT');
  expect((await result).code).toBe(130);
  expect(await rarefy(run('interrupted', '--resume'), { cwd })).toMatchObject({ code: 0 });
  expect(await metrics('interrupted')).toEqual(await metrics('whole'));
  expect(await weights('interrupted')).toBe(await weights('whole'));
  expect(await records('interrupted')).toEqual(await records('whole'));
});

test('refuses a damaged checkpoint, and a resume with other settings or pairs, in one sentence', async () => {
  const [newest] = (await readdir(join(cwd, 'whole', 'checkpoints'))).sort().reverse();
  for (const [option, value, message] of [
    ['--seed', '6', 'other settings'],
    ['--epsilon', '0.3', 'loss.epsilon was 0.2 and is now 0.3'],
    ['--warmup-steps', '3', 'schedule was'],
    ['--top-k', '9', 'topK was 0 and is now 9'],
  ] as const) {
    const changed = await rarefy([...run('whole', '--resume'), option, value], { cwd });
    expect(changed, option).toMatchObject({ code: 1, stderr: expect.stringContaining(message) });
  }

  const path = join(cwd, 'whole', 'checkpoints', newest!, 'optimizer.safetensors');
  const bytes = await readFile(path);
  bytes[bytes.length >> 1]! ^= 1;
  await writeFile(path, bytes);
  const damaged = await rarefy(run('whole', '--resume'), { cwd });
  expect(damaged.code).toBe(1);
  expect(damaged.stderr).toContain('optimizer.safetensors is damaged');
  expect(damaged.stderr).not.toMatch(/^\s+at /m);

  await writeFile(path, bytes.subarray(0, 40));
  expect(await rarefy(run('whole', '--resume'), { cwd })).toMatchObject({ code: 1 });
  await writeFile(join(cwd, 'cut.safetensors'), bytes.subarray(0, 40));
  const cut = await rarefy(['sample', '--embeddings', 'cut.safetensors', '--budget', '1', '--out', 'x'], { cwd });
  expect(cut).toMatchObject({ code: 1, stderr: expect.stringContaining('cut.safetensors') });
});
