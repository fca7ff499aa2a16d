import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stalePackages } from '../scripts/build-stamp.mjs';
import { rarefy, startRarefy } from './support/rarefy.js';

const examples = (name: string) => fileURLToPath(new URL(`../examples/${name}`, import.meta.url));
const cwd = mkdtempSync(join(tmpdir(), 'rarefy-compare-'));
afterAll(() => rmSync(cwd, { recursive: true }));
const read = (name: string) => readFileSync(join(cwd, name), 'utf8');
const run = (line: string) => rarefy(line.split(' '), { cwd });

const flags = `compare --pairs pairs.jsonl --model ${examples('models/tiny')} --backend wasm --reward length --reward-words 3 --embedder hash --check-embedder letters.ts --held-out 6 --arms uniform,ess-0.5 --seeds 2 --max-steps 2 --batch-size 3 --group-size 2 --max-completion-length 4 --answers 2`;

/** The report without times, costs and its own command. */
function report(out: string) {
  const { created, commands, arms, plan, ...rest } = JSON.parse(read(`${out}/report.json`));
  const { created: _, command: __, ...planned } = plan;
  return { ...rest, plan: planned, arms: arms.map(({ cpuSeconds: _, ...arm }: Record<string, unknown>) => arm) };
}
const finished = (out: string) =>
  ['uniform', 'ess-0.5'].flatMap((arm) =>
    [1, 2]
      .filter((seed) => existsSync(join(cwd, out, 'runs', arm, String(seed), 'done.json')))
      .map((seed) => `${arm}/${seed}`),
  );

beforeAll(() => {
  expect(stalePackages(), 'packages changed since they were built: run npm test, or npm run build first').toEqual([]);
  const pairs = readFileSync(examples('data/pairs.jsonl'), 'utf8').split('\n').slice(0, 120);
  writeFileSync(join(cwd, 'pairs.jsonl'), `${pairs.join('\n')}\n`);
  // Letters of each prompt: cheap, and not the words that the sampler sees.
  writeFileSync(
    join(cwd, 'letters.ts'),
    `import { embedderFrom } from '@rarefy/core';
    const row = (text: string) => Float32Array.from({ length: 26 }, (_, letter) => text.split(String.fromCharCode(97 + letter)).length);
    export default () => embedderFrom({ name: 'letters', dimensions: 26, embed: (texts: readonly string[]) => texts.map(row) });`,
  );
});

describe('an experiment of options', { timeout: 300_000 }, () => {
  test('is planned, trained, analyzed and reported by one command', async () => {
    const { code, stdout, stderr } = await run(`${flags} --out whole --processes 2`);
    expect([code, stderr]).toEqual([0, expect.stringContaining('compare: 8 in ')]);
    const lines = stdout.split('\n');
    expect(lines[0]).toBe('2 seeds per arm prove nothing: this is a trial.');
    expect(lines[1]).toBe('pairs: 2 arms × 2 seeds, 2 steps of 3 prompts × 2 answers');
    expect(lines[4]).toBe('Held out    2 crowded, 2 middle, 2 rare prompts, 2 answers each');
    expect(lines[5]).toBe('Plan        whole/plan.json, draws verified by topic, source, letters');
    expect(stdout).toMatch(/\ndistinct-good\narm +stratum +uniform +arm +difference/);
    expect(stdout).toMatch(/\n2 runs per arm|Two seeds prove nothing/);
    const files = ['report.html', 'report.json', 'effects.csv', 'runs.csv', 'curves.csv'];
    expect(lines.filter((line) => line.startsWith('whole/'))).toEqual(files.map((name) => join('whole', name)));
    expect(finished('whole')).toHaveLength(4);
    expect(read('whole/report.html')).toMatch(/^<!doctype html>/i);
    const { plan, runs, measures } = report('whole');
    expect(plan.heldOut).toHaveLength(6);
    expect(runs.map(({ arm, seed }: { arm: string; seed: number }) => `${arm}/${seed}`)).toEqual(finished('whole'));
    expect(measures.map(({ name }: { name: string }) => name)).toContain('vendi-across');
    expect(JSON.parse(read('whole/plan.json')).command).toBe(`rarefy ${flags} --out whole --processes 2`);
  });

  test('is not trained again, and --report gives the same report from the files alone', async () => {
    const before = report('whole');
    const trained = read('whole/runs/uniform/1/done.json');
    rmSync(join(cwd, 'whole/report.json'));
    const { code, stdout } = await run('compare --report --out whole');
    expect([code, stdout]).toEqual([0, expect.stringContaining('whole/report.html')]);
    expect(report('whole')).toEqual(before);
    expect(await run(`${flags} --out whole`)).toMatchObject({ code: 0 });
    expect(report('whole')).toEqual(before);
    expect(read('whole/runs/uniform/1/done.json')).toBe(trained);
  });

  test('that is killed in the middle continues to the same report', async () => {
    const { child, result } = startRarefy(`${flags} --out killed --processes 1`.split(' '), { cwd });
    while (finished('killed').length === 0 && child.exitCode === null) await sleep(50);
    child.kill('SIGKILL');
    expect((await result).code).toBeNull();
    expect(finished('killed').length).toBeLessThan(4);
    const isFree = () =>
      readdirSync(join(cwd, 'killed/runs'), { recursive: true }).every((name) => !String(name).endsWith('run.lock'));
    for (let wait = 0; !isFree() && wait < 200; wait++) await sleep(100); // the run that was going on saves its state
    expect(await run(`${flags} --out killed --processes 2`)).toMatchObject({ code: 0 });
    const { departures, ...rest } = report('killed');
    expect(departures).toEqual([]);
    expect(rest).toEqual((({ departures: _, ...same }) => same)(report('whole')));
  });

  test('trains one run with --only, and a report before the others are finished is a departure', async () => {
    const { code, stdout } = await run(`${flags} --out only --only ess-0.5/2`);
    expect([code, stdout]).toEqual([0, 'ess-0.5/2 is complete in only\n']);
    expect(finished('only')).toEqual(['ess-0.5/2']);
    expect(JSON.parse(read('only/plan.json')).arms).toHaveLength(2);
    expect(await run(`${flags} --out only`)).toMatchObject({ code: 0 });
    expect(report('only').runs).toEqual(report('whole').runs);
  });

  test('--power prints what more runs could find', async () => {
    const { code, stdout } = await run('compare --power --out whole');
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^Smallest difference found with a power of 0\.8, by runs per arm:\n\nmeasure +mean +deviation of a run +3 runs +4 runs/,
    );
  });
});

describe('an experiment of a file', { timeout: 300_000 }, () => {
  beforeAll(() => {
    writeFileSync(
      join(cwd, 'experiment.ts'),
      `import { readPairs, uniquePrompts } from '@rarefy/data';
      import { hashEmbedder } from '@rarefy/embedders';
      import { armSets, defineExperiment, type Experiment } from '@rarefy/experiment';
      import { lengthReward } from '@rarefy/grpo';
      import letters from './letters';
      const records = await uniquePrompts(readPairs('pairs.jsonl'));
      export default (): Experiment => defineExperiment({
        name: 'my-experiment', hypothesis: 'A test.', model: ${JSON.stringify(examples('models/tiny'))},
        arms: armSets.claim, seeds: [1, 2, 3], strata: ['all-of-them'],
        prompts: records.slice(6), heldOut: records.slice(0, 6).map(({ id, prompt }) => ({ id, prompt, stratum: 'all-of-them' })),
        rewards: () => [lengthReward({ target: 3 })],
        embedders: { words: async () => hashEmbedder() },
        rarities: { letters: { embedder: async () => letters() } },
        training: { steps: 50, batchSize: 3, groupSize: 2, learningRate: 1e-4, maxCompletionLength: 4 },
        evaluation: { answers: 2 },
      });`,
    );
  });
  const file =
    'compare experiment.ts --backend wasm --seeds 1,3 --max-steps 1 --arms uniform,shuffled-0.2 --out module';

  test('is trained with the options that override it', async () => {
    const { code, stdout, stderr } = await run(file);
    expect([code, stderr]).toEqual([0, expect.stringContaining('compare: 4 in ')]);
    expect(stdout).toContain('my-experiment: 2 arms × 2 seeds, 1 steps of 3 prompts × 2 answers\n');
    expect(report('module').plan).toMatchObject({ seeds: [1, 3], settings: { training: { steps: 1 } } });
  });

  test('is refused with another plan, unless the change is accepted with a reason that the report shows', async () => {
    const changed = file.replace('--max-steps 1', '--max-steps 2');
    expect(await run(changed)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /module\/plan\.json is another plan: it differs in settings\.training\.(schedule|steps)/,
      ),
    });
    const accepted = await rarefy(
      [...changed.replace('--seeds 1,3', '--seeds 1,3,4').split(' '), '--accept-changes', 'too short'],
      { cwd },
    );
    expect(accepted).toMatchObject({ code: 0 });
    const texts = report('module').departures.map(({ text }: { text: string }) => text);
    expect(texts).toContainEqual(expect.stringMatching(/^The plan changed .*: too short\.$/));
  });

  test.each([
    ['compare', 2, 'give the file of an experiment, or --pairs.'],
    [
      flags.replace('--reward length --reward-words 3', ''),
      1,
      'there is no model in out/rm; train it with: rarefy train rm',
    ],
    [`${flags} --arms unifrom`, 2, '--arms has no set and no arm "unifrom". Did you mean uniform?'],
    [`${flags} --seeds 0`, 2, '--seeds must be a number of seeds such as 8, or a list such as 1,2,5; got 0.'],
    [`${flags} --only ess-0.5/7`, 2, '--only must be an arm and a seed, such as uniform/1; got ess-0.5/7.'],
    [`${flags} --memory 8`, 2, '--memory must be a size such as 8GB or 500MB; got 8.'],
    [`${flags} --check-embedder hash`, 2, '--check-embedder hash drives the draws already; choose another one.'],
    [`${flags} --held-out 30`, 2, 'hold out at most'],
    [`${file} --answers 4`, 2, '--answers describes an experiment without a file; experiment.ts decides it.'],
    ['compare letters.ts --backend wasm', 2, 'defineExperiment'],
    ['compare --power --out nowhere', 1, 'nowhere/report.json is no report of a pilot'],
    ['compare --report --out nowhere', 1, 'nowhere holds no experiment'],
  ])('%s is refused', async (line, code, message) => {
    const result = await run(line.replaceAll(/ +/g, ' '));
    expect(result.stderr).toContain(message);
    expect(result.code).toBe(code);
  });
});
