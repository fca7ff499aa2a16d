import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stalePackages } from '../scripts/build-stamp.mjs';
import { rarefy } from './support/rarefy.js';

const examples = (name: string) => fileURLToPath(new URL(`../examples/${name}`, import.meta.url));
const cwd = mkdtempSync(join(tmpdir(), 'rarefy-training-'));
afterAll(() => rmSync(cwd, { recursive: true }));
const read = (name: string) => readFileSync(join(cwd, name), 'utf8');
const write = (name: string, text: string) => writeFileSync(join(cwd, name), text);
const run = (line: string) => rarefy(line.split(' '), { cwd });

const short = `--pairs pairs.jsonl --model ${examples('models/tiny')} --backend wasm --max-steps 2 --seed 3`;
const grpo = (out: string, more = '') =>
  run(
    `train grpo ${short} --reward length --batch-size 3 --group-size 2 --max-completion-length 4 --out ${out}${more && ` ${more}`}`,
  );
const rm = (out: string, more = '') => run(`train rm ${short} --batch-size 2 --out ${out}${more && ` ${more}`}`);
const weighing = '--estimator knn-similarity --k 4 --neighbors exact --target-ess 0.4 --mix-uniform 0.1';

/** The metrics of a run, without times. */
const metrics = (out: string) => read(`${out}/metrics.jsonl`).replaceAll(/,"step_time":[^,}]+/g, '');

beforeAll(() => {
  expect(stalePackages(), 'packages changed since they were built: run npm test, or npm run build first').toEqual([]);
  const pairs = readFileSync(examples('data/pairs.jsonl'), 'utf8').split('\n').slice(0, 40);
  write('pairs.jsonl', `${pairs.join('\n')}\n`);
});

describe('weights go from one command to the next', { timeout: 300_000 }, () => {
  test('train grpo draws the same with --weights, with --embeddings and when it measures itself', async () => {
    expect(await grpo('measured', `--embedder hash ${weighing}`)).toMatchObject({ code: 0 });
    const density = await run(`density --pairs pairs.jsonl --embedder hash ${weighing} --out w.jsonl`);
    expect(density).toMatchObject({ code: 0 });
    const weighed = await grpo('weighed', '--weights w.jsonl');
    expect(weighed).toMatchObject({ code: 0 });
    expect(weighed.stdout).toMatch(/^policy in weighed; the 10 % rarest prompts got \d+\.\d % of the draws\n$/);
    await run('prompts --pairs pairs.jsonl --out prompts.jsonl');
    await run('embed --data prompts.jsonl --embedder hash --out e.safetensors');
    expect(await grpo('embedded', `--embeddings e.safetensors ${weighing}`)).toMatchObject({ code: 0 });

    expect(metrics('measured').split('\n')).toHaveLength(3);
    expect(metrics('measured')).toMatch(/"sampling\/density_mean":0\.\d/);
    expect(metrics('weighed')).toBe(metrics('measured'));
    expect(metrics('embedded')).toBe(metrics('measured'));
    for (const out of ['measured', 'weighed', 'embedded']) expect(read(`${out}/weights.jsonl`)).toBe(read('w.jsonl'));
    expect(readFileSync(join(cwd, 'weighed/model.safetensors'))).toEqual(
      readFileSync(join(cwd, 'measured/model.safetensors')),
    );
  });

  test('--density-aware is the logits of the model and the 10 nearest prompts', async () => {
    const model = examples('models/tiny');
    const plain = await grpo('aware', '--density-aware');
    expect(plain).toMatchObject({ code: 0, stderr: expect.stringContaining('warning: weigh: ESS/N is 0.9') });
    await run(`density --pairs pairs.jsonl --embedder logits --ckpt ${model} --backend wasm --out logits.jsonl`);
    expect(read('aware/weights.jsonl')).toBe(read('logits.jsonl'));
    expect(await grpo('by-file', '--weights logits.jsonl')).toMatchObject({ code: 0 });
    expect(metrics('by-file')).toBe(metrics('aware'));
  });

  test('a uniform run measures nothing and warns of nothing', async () => {
    const { code, stdout, stderr } = await grpo('uniform');
    expect([code, stdout]).toEqual([0, 'policy in uniform\n']);
    expect(stderr).not.toMatch(/warning|weigh|embed/);
    expect(existsSync(join(cwd, 'uniform/weights.jsonl'))).toBe(false);
    expect(metrics('uniform')).toContain('"sampling/density_mean":null');
    expect(metrics('uniform')).not.toBe(metrics('weighed'));
  });

  test('train rm draws pairs by the weights of their prompts, from a file as when it measures itself', async () => {
    expect(await rm('rm-measured', `--embedder hash ${weighing}`)).toMatchObject({ code: 0 });
    expect(await rm('rm-weighed', '--weights w.jsonl')).toMatchObject({ code: 0 });
    expect(await rm('rm-uniform')).toMatchObject({ code: 0 });
    expect(metrics('rm-weighed')).toBe(metrics('rm-measured'));
    expect(metrics('rm-uniform')).not.toBe(metrics('rm-measured'));
    expect(existsSync(join(cwd, 'rm-uniform/weights.jsonl'))).toBe(false);

    const lines = read('w.jsonl')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { id: string });
    const only = lines.map(({ id }, position) => ({ id, density: 1, weight: position === 7 ? 1 : 0 }));
    write('only.jsonl', only.map((line) => `${JSON.stringify(line)}\n`).join(''));
    expect(await rm('rm-only', '--weights only.jsonl')).toMatchObject({ code: 0 });
    const [first, second] = metrics('rm-only')
      .split('\n')
      .map((line) => JSON.parse(line || '{}'));
    expect(second.num_tokens).toBe(2 * first.num_tokens); // the same pair again and again
  });

  test('train rm holds out pairs, evaluates on them, and saves a classification model', async () => {
    const { code, stdout } = await rm(
      'rm-evaluated',
      '--eval-share 0.25 --eval-steps 1 --patience 2 --micro-batch-size 2',
    );
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(
        /^reward model in rm-evaluated, trained on 30 pairs\n\d+\.\d % of 10 held-out pairs ranked right after step [12] of 2; 95 % interval \d+\.\d to \d+\.\d %\n$/,
      ),
    ]);
    expect(metrics('rm-evaluated').match(/"eval_accuracy"/g)).toHaveLength(2);
    expect(JSON.parse(read('rm-evaluated/config.json'))).toMatchObject({
      ...{ architectures: ['LlamaForSequenceClassification'], num_labels: 1 },
    });
    const first = read('pairs.jsonl').split('\n').slice(0, 5);
    write('held-out.jsonl', `${first.join('\n')}\n`);
    const apart = await rm('rm-apart', '--eval-pairs held-out.jsonl');
    expect(apart).toMatchObject({ code: 0, stdout: expect.stringContaining('of 5 held-out pairs ranked right') });
  });

  test('a weights file of other prompts, and a resume with other weights, are refused', async () => {
    const lines = read('w.jsonl').split('\n');
    write('cut.jsonl', `${lines.slice(2).join('\n')}{"id":"stranger","density":1,"weight":1}\n`);
    const first = JSON.parse(lines[0]!).id;
    expect(await grpo('refused', '--weights cut.jsonl')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`missing ids: 2, the first is "${first}"; extra ids: 1, the first is "stranger"`),
    });
    expect(existsSync(join(cwd, 'refused'))).toBe(false);
    expect(await grpo('weighed', '--weights logits.jsonl --resume')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('weighed is a run with other settings: weights was '),
    });
    expect(await grpo('measured', `--embedder hash ${weighing} --cap 5 --resume`)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('measured is a run with other settings: weighing.cap was none and is now 5'),
    });
    expect(await grpo('measured', `--embedder hash ${weighing} --resume`)).toMatchObject({ code: 0 });
    expect(await grpo('measured', '--resume')).toMatchObject({ code: 1 });
  });
});

describe('components of other people', { timeout: 300_000 }, () => {
  const sampler = (extra = '') => `
    export default (size: number, seed: number) => {
      const fingerprint = \`every-third:size=\${size},seed=\${seed}\`;
      let next = seed;
      return {
        specificationVersion: 'v1', kind: 'sampler', fingerprint,
        capabilities: { replacement: true, finite: false, adaptive: false },
        draw: (count: number) => ({ positions: Int32Array.from({ length: count }, () => (next += 3) % size) }),
        state: () => ({ version: 1, fingerprint, payload: next }),
        restore({ payload }: { payload: number }) { next = payload; },
      };
    };${extra}`;
  const reward = (wanted: string) => `
    export const score = (completions: { text: string }[]) =>
      completions.map(({ text }) => text.split('${wanted}').length - 1);`;
  const own = '--sampler ./sampler.ts --reward vowels=./reward.ts:0.5';

  test('a sampler and a reward from files train a policy, and a resumed run must have the same', async () => {
    write('sampler.ts', sampler());
    write('reward.ts', reward('e'));
    const { code, stderr } = await grpo('own', own);
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('warning')]);
    const [line] = metrics('own').split('\n');
    const { reward: total, 'rewards/vowels/mean': vowels, 'rewards/length/mean': words } = JSON.parse(line!);
    expect(total).toBeCloseTo(0.5 * vowels + words, 6);

    expect(await grpo('own', `${own} --resume`)).toMatchObject({ code: 0 });
    write('reward.ts', reward('a'));
    expect(await grpo('own', `${own} --resume`)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('own is a run with other settings: rewards was '),
    });
    write('reward.ts', reward('e'));
    write('sampler.ts', `${sampler()} // other code`.replace('next += 3', 'next += 2'));
    expect(await grpo('own', `${own} --resume`)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('own is a run with other settings: sampler was '),
    });
  });

  test('a resumed run must have the same embedder file', async () => {
    const embedder = (prefix: string) => `
      import { hashEmbedder } from '@rarefy/embedders/hash';
      export const embedder = () => {
        const inner = hashEmbedder();
        const embedBatch: typeof inner.embedBatch = (texts, options) =>
          inner.embedBatch(texts.map((text) => '${prefix}' + text), options);
        return { ...inner, embedBatch };
      };`;
    write('embedder.ts', embedder(''));
    expect(await grpo('own-rows', '--embedder ./embedder.ts')).toMatchObject({ code: 0 });
    expect(await grpo('own-rows', '--embedder ./embedder.ts --resume')).toMatchObject({ code: 0 });
    write('embedder.ts', embedder('other '));
    expect(await grpo('own-rows', '--embedder ./embedder.ts --resume')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('own-rows is a run with other settings: embedder was '),
    });
  });

  test('the sampler gets the weights if it exports fromWeights', async () => {
    write('sampler.ts', sampler());
    const refused = await grpo('weightless', '--sampler ./sampler.ts --weights w.jsonl');
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('./sampler.ts exports no fromWeights(weights, seed)'),
    });
    const fromWeights = `
      import { weightedSampler } from '@rarefy/samplers';
      export const fromWeights = (weights: Float64Array, seed: number) => weightedSampler(weights, { seed });`;
    write('sampler.ts', sampler(fromWeights));
    expect(await grpo('from-weights', '--sampler ./sampler.ts --weights w.jsonl')).toMatchObject({ code: 0 });
    expect(metrics('from-weights')).toBe(metrics('weighed'));
  });
});

describe('recorded answers', { timeout: 300_000 }, () => {
  const offline = (out: string, more = '') =>
    run(
      `train grpo ${short} --offline --batch-size 2 --max-prompt-length 128 --max-completion-length 64 --out ${out}${more && ` ${more}`}`,
    );

  test('train grpo --offline learns from them, with the weights of all prompts, and resumes', async () => {
    const again = read('pairs.jsonl').trimEnd().split('\n').slice(0, 2);
    const [first, second] = again.map((line) => JSON.parse(line));
    const equal = { ...second, id: 'equal', prompt: 'Is there more than one answer?', rejected: second.chosen };
    const third = { ...first, id: 'third', chosen: 'A third answer.' };
    write('offline.jsonl', `${[equal, third].map((pair) => JSON.stringify(pair)).join('\n')}\n${read('pairs.jsonl')}`);
    const more = `--pairs offline.jsonl --embedder hash ${weighing} --log-completions`;
    const { code, stdout, stderr } = await offline('offline', more);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^policy in offline; the 10 % rarest prompts got /)]);
    expect(stderr).toContain('1 of 41 prompts have fewer than 2 different answers; they are left out');
    const steps = metrics('offline')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(steps).toHaveLength(2);
    for (const step of steps) {
      expect(step).toMatchObject({ 'clip_ratio/region_mean': 0, 'rewards/recorded/mean': 0.5 });
      expect(Number.isFinite(step['sampling/density_mean'])).toBe(true);
    }
    const answers = new Set(
      read('offline.jsonl')
        .trimEnd()
        .split('\n')
        .flatMap((line) => [JSON.parse(line).chosen, JSON.parse(line).rejected]),
    );
    const logged = read('offline/completions.jsonl')
      .trimEnd()
      .split('\n')
      .flatMap((line) => JSON.parse(line).completions);
    expect(logged).toHaveLength(8);
    for (const { text } of logged) expect(answers).toContain(text);
    expect(read('offline/weights.jsonl').trimEnd().split('\n')).toHaveLength(41);

    expect(await offline('offline', `${more} --max-steps 3 --resume`)).toMatchObject({ code: 0 });
    expect(await offline('offline-whole', `${more} --max-steps 3`)).toMatchObject({ code: 0 });
    expect(metrics('offline')).toBe(metrics('offline-whole'));
    expect(read('offline/completions.jsonl')).toBe(read('offline-whole/completions.jsonl'));
    const other = await offline('offline', `${more} --group-size 3 --max-steps 4 --resume`);
    expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining('loader.groupSize was 2 and is now 3') });
  });

  test.each([
    ['--offline --top-k 3', '--offline and --top-k exclude each other: recorded answers are not generated'],
    ['--offline --rollout-url http://localhost:1', '--offline and --rollout-url exclude each other'],
    [
      '--offline --eval-pairs pairs.jsonl',
      '--eval-pairs scores generated answers, and --reward recorded only recorded',
    ],
    ['--reward recorded', '--reward recorded scores the answers of --pairs, so it needs --offline'],
    ['--reward length --sync-ref-model', '--sync-ref-model applies to dapo only with --beta above 0'],
    [
      '--reward length --beta 0.1 --ref-model-sync-steps 3',
      '--ref-model-sync-steps applies to dapo only with --sync-ref',
    ],
  ])('%s is refused', async (more, message) => {
    const { code, stderr } = await run(`train grpo ${short} --out contradiction ${more}`);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
    expect(existsSync(join(cwd, 'contradiction'))).toBe(false);
  });
});

test.each([
  ['grpo', '--weights w.jsonl --embedder hash', '--weights and --embedder exclude each other: the file already has'],
  ['grpo', '--weights w.jsonl --cap 3', '--weights and --cap exclude each other'],
  ['grpo', '--weights w.jsonl --density-aware', '--weights and --density-aware exclude each other'],
  ['rm', '--weights w.jsonl --embeddings e.npy', '--weights and --embeddings exclude each other'],
  ['rm', '--embeddings e.npy --ckpt base', '--embeddings and --ckpt exclude each other: the file already has the rows'],
  ['grpo', '--reward length', 'two rewards have the name length'],
  ['rm', '--patience 2', '--patience needs --eval-share or --eval-pairs'],
  ['rm', '--eval-share 0.2 --eval-pairs pairs.jsonl', '--eval-share and --eval-pairs exclude each other'],
  ['grpo', '--reward absent.ts', 'cannot read absent.ts: it does not exist'],
  ['grpo', '--embedder hash --race-rows 9', '--race-rows applies only to race; the estimator is knn-distance'],
  ['rm', '--density-aware --rows-as int8', '--rows-as applies only to hnsw; the neighbor search is auto'],
  ['grpo', '--embedder hash --pooling max', '--pooling applies only to causal-lm and onnx; the embedder is hash'],
])('rarefy train %s %s is refused', async (stage, more, message) => {
  const { code, stderr } = await (stage === 'grpo' ? grpo : rm)('contradiction', more);
  expect(stderr).toContain(`rarefy: `);
  expect(stderr).toContain(message);
  expect(code).toBe(message.startsWith('cannot') ? 1 : 2);
  expect(existsSync(join(cwd, 'contradiction'))).toBe(false);
});

describe('adapters', { timeout: 300_000 }, () => {
  const more = '--lora-rank 2 --recompute --save-steps 1';

  test('train sft, rm and grpo train an adapter on the model, and on one with an adapter', async () => {
    const sft = (out: string, rest: string) => run(`train sft ${short} --batch-size 2 --out ${out} ${rest}`);
    expect(await sft('adapter', more)).toMatchObject({ code: 0 });
    expect(existsSync(join(cwd, 'adapter/model.safetensors'))).toBe(false);
    expect(JSON.parse(read('adapter/adapter_config.json'))).toMatchObject({
      ...{ r: 2, lora_alpha: 4, base_model_name_or_path: examples('models/tiny') },
    });
    rmSync(join(cwd, 'adapter/checkpoints/step-000002'), { recursive: true });
    const final = readFileSync(join(cwd, 'adapter/adapter_model.safetensors'));
    expect(await sft('adapter', `${more} --resume`)).toMatchObject({ code: 0 });
    expect(readFileSync(join(cwd, 'adapter/adapter_model.safetensors'))).toEqual(final);
    const other = await sft('adapter', `${more} --resume --lora-alpha 3`);
    expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining('lora.alpha was 4 and is now 3') });

    const model = examples('models/tiny');
    expect(await rm('adapter-rm', '--lora-rank 1 --lora-targets q_proj --lora-targets v_proj')).toMatchObject({
      code: 0,
    });
    expect(JSON.parse(read('adapter-rm/adapter_config.json'))).toMatchObject({
      ...{ target_modules: ['q_proj', 'v_proj'], task_type: 'SEQ_CLS' },
    });
    const policy = await run(
      `train grpo ${short.replace(model, 'adapter')} --reward model --reward-model adapter-rm --batch-size 2 --group-size 2 --max-completion-length 4 --beta 0.1 ${more} --out adapter-grpo`,
    );
    expect(policy).toMatchObject({ code: 0 });
    expect(metrics('adapter-grpo')).toContain('"kl":0');
    expect(JSON.parse(read('adapter-grpo/adapter_config.json')).base_model_name_or_path).toBe(join(cwd, 'adapter'));
  });

  test('options of an adapter need its rank', async () => {
    const { code, stderr } = await run(`train sft ${short} --lora-alpha 3 --out no-rank`);
    expect([code, stderr]).toEqual([2, expect.stringContaining('--lora-alpha applies only with --lora-rank')]);
  });
});
