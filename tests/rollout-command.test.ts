import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { activate, loadLanguageModel } from '@rarefy/lm';
import '@tensorflow/tfjs';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { stalePackages } from '../scripts/build-stamp.mjs';
import { type Fault, startCompletionServer } from './support/completion-server.js';
import { startRarefy } from './support/rarefy.js';

const tiny = fileURLToPath(new URL('../examples/models/tiny', import.meta.url));
const cwd = mkdtempSync(join(tmpdir(), 'rarefy-rollouts-'));
const key = 'sk-very-secret';
let stop: (() => Promise<void>)[] = [];

beforeAll(async () => {
  expect(stalePackages(), 'packages changed since they were built: run npm test, or npm run build first').toEqual([]);
  await activate('cpu');
  const path = fileURLToPath(new URL('../examples/data/pairs.jsonl', import.meta.url));
  writeFileSync(join(cwd, 'pairs.jsonl'), `${readFileSync(path, 'utf8').split('\n').slice(0, 12).join('\n')}\n`);
});
afterEach(async () => {
  await Promise.all(stop.map((one) => one()));
  stop = [];
});
afterAll(() => rmSync(cwd, { recursive: true }));

async function serve(fault?: Fault) {
  const { model } = await loadLanguageModel(tiny);
  const server = await startCompletionServer(model, fault && { fault });
  stop.push(server.stop);
  return server;
}

function start(server: { url: string }, out: string, more = '') {
  const line = `train grpo --pairs pairs.jsonl --model ${tiny} --backend wasm --seed 3 --max-steps 3 --save-steps 1 --reward length --batch-size 2 --group-size 2 --max-completion-length 3 --learning-rate 0.001 --rollout-url ${server.url} --rollout-model words --rollout-reload vllm --rollout-every 2 --out ${out}${more}`;
  return startRarefy(line.split(' '), { cwd, env: { RAREFY_API_KEY: key } });
}

/** The metrics of each step, without what differs between a resumed run and an uninterrupted one. */
const metrics = (out: string) =>
  readFileSync(join(cwd, out, 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, number | null>)
    .map(({ step_time, 'rollout/weights_difference': _, ...values }) => values);
const weights = (out: string) => readFileSync(join(cwd, out, 'model.safetensors'));

test('train grpo completes with a faulty server, and equals a run that was killed and resumed', {
  timeout: 600_000,
}, async () => {
  let count = 0;
  const faulty: Fault = async ({ headers }, response) => {
    const kind = count++ % 4;
    if (kind === 1) await sleep(500); // slow, and then the answer
    if (kind === 0) response.destroy();
    else if (kind === 2) response.writeHead(429, { 'retry-after': '0' }).end(`busy, ${headers.authorization}`);
    else return false;
    return true;
  };
  const whole = await start(await serve(faulty), 'whole').result;
  expect(count).toBeGreaterThanOrEqual(8); // each fault at least twice
  expect(whole.code, whole.stderr).toBe(0);
  expect(whole.stderr).toContain('answered 429 (busy, Bearer [key])');
  expect(whole.stdout + whole.stderr + readFileSync(join(cwd, 'whole/run.json'), 'utf8')).not.toContain('secret');
  const steps = metrics('whole');
  expect(steps.map((values) => values['rollout/staleness'])).toEqual([0, 1, 0]);
  for (const step of [0, 2]) expect(steps[step]!['sampling/importance_sampling_ratio/mean']).toBeCloseTo(1, 3);
  expect(steps[0]!['sampling/sampling_logp_difference/max']).toBeLessThan(1e-3);
  expect(steps[1]!['sampling/sampling_logp_difference/mean']).toBeGreaterThan(1e-3);

  const killing = await serve((asked) => {
    // The server is asked for the completions of step 2.
    if (asked.path === '/v1/completions' && killing.requests.length > 5) child.kill('SIGKILL');
    return false;
  });
  const { child, result } = start(killing, 'cut');
  expect((await result).code).toBeNull();
  const { code, stderr } = await start(await serve(), 'cut', ' --resume').result;
  expect(code, stderr).toBe(0);
  expect(stderr).toContain('continuing after step 1');
  expect(metrics('cut')).toEqual(steps);
  expect(weights('cut')).toEqual(weights('whole'));
});

test('train grpo says what a server leaves out, and which options belong together', { timeout: 300_000 }, async () => {
  const server = await serve(async (asked, response, answer) => {
    if (asked.path !== '/v1/completions') return false;
    response.writeHead(200).end(JSON.stringify(await answer()).replaceAll('"token_logprobs"', '"other"'));
    return true;
  });
  const { code, stderr } = await start(server, 'silent').result;
  expect(code).toBe(1);
  expect(stderr).toMatch(/has no log-probabilities of the tokens .*--max-logprobs/);
  const wrong = startRarefy('train grpo --pairs pairs.jsonl --rollout-model m'.split(' '), { cwd });
  expect((await wrong.result).stderr).toContain(
    '--rollout-model applies only to completions of a server; give --rollout-url',
  );
});
