import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LockedError, StateMismatchError, TrainingError, type WorkEvent } from '@rarefy/core';
import { dapoLoss, lengthReward, readDraws } from '@rarefy/grpo';
import { activate } from '@rarefy/lm';
import '@tensorflow/tfjs';
import { build } from 'esbuild';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { saveTinyModel, tinyExperiment } from '../../../../tests/support/tiny-experiment.js';
import { armSets } from '../arms/arm-sets.js';
import { readPlan, recordLook } from '../plan/plan-files.js';
import { childProcesses } from './child-processes.js';
import { experimentPaths, readCosts, runPaths } from './experiment-files.js';
import { readExperiment } from './read-experiment.js';
import { type MissingRun, runExperiment, runsAtOnce } from './run-experiment.js';
import { trainRun } from './train-run.js';

let home: string;
let model: string;
let folder: string;
let reference: string; // the tiny experiment, trained without interruption
const tiny = (changes = {}) => tinyExperiment(model, changes);
const code = 'tiny';
/** Below the root of the workspace, so that it finds tfjs. */
const child = fileURLToPath(new URL('../../../../node_modules/.cache/rarefy/train-run-child.mjs', import.meta.url));

beforeAll(async () => {
  await activate('cpu');
  home = await mkdtemp(join(tmpdir(), 'rarefy-experiment-'));
  model = join(home, 'model');
  reference = join(home, 'reference');
  await saveTinyModel(model);
  await runExperiment(tiny(), { folder: reference, code });
});
beforeEach(async () => void (folder = await mkdtemp(join(home, 'out-'))));
afterEach(() => rm(folder, { recursive: true }));
afterAll(() => rm(home, { recursive: true }));

/** What a run did, without times. */
async function resultsOf(run: string) {
  const files = await readdir(runPaths.answers(run));
  const metrics = (await readFile(runPaths.metrics(run), 'utf8')).replace(/"step_time":[^,}]*/g, '');
  const answers = await Promise.all(files.sort().map((file) => readFile(join(runPaths.answers(run), file), 'utf8')));
  return { files, answers, metrics, draws: await readDraws(run) };
}

async function expectSame(arm: string, seed: number): Promise<void> {
  const [one, other] = [folder, reference].map((at) => experimentPaths.run(at, arm, seed));
  expect(await resultsOf(one!)).toEqual(await resultsOf(other!));
}

describe('a whole experiment', () => {
  test('leaves all that the analysis needs, and nothing to continue from', async () => {
    const { plan, record, heldOut, departures } = await readExperiment(reference);
    expect(departures).toEqual([]);
    expect(plan).toMatchObject({
      name: 'tiny',
      primary: 'distinct-good',
      seeds: [1, 2],
      settings: { training: { steps: 3 } },
    });
    expect(heldOut).toEqual(tiny().heldOut);
    expect(record.runs.map(({ config }) => `${config.arm.name}/${config.seed}`)).toEqual([
      ...['uniform/1', 'uniform/2', 'ess-0.5/1', 'ess-0.5/2'],
    ]);
    for (const run of record.runs) {
      expect(run.evaluations.map(({ step }) => step)).toEqual([1, 2, 3]);
      expect(run.metrics).toHaveLength(3);
      expect(run.drawCounts.reduce((sum, count) => sum + count, 0)).toBe(6);
      expect(run.costs).toMatchObject({
        steps: 3,
        trainedTokens: run.metrics.reduce((sum, line) => sum + 4 * line['completions/mean_length']!, 0),
      });
      const at = experimentPaths.run(reference, run.config.arm.name, run.config.seed);
      expect((await readdir(at)).sort()).toEqual([
        'answers',
        'done.json',
        'draws.bin',
        'metrics.jsonl',
        'run.json',
        'spent.json',
      ]);
    }
    expect(
      record.start.answers.every(({ logProbability, startLogProbability }) => logProbability === startLogProbability),
    ).toBe(true);
    expect(record.densities['letters-near']).toHaveLength(6);
    expect(record.heldOutDensity).toHaveLength(2);
    expect([...record.commonness.topic!]).toEqual([3, 3, 3, 2, 2, 1]);
    const trained = record.runs[0]!.evaluations[2]!.answers;
    expect(trained.some(({ logProbability, startLogProbability }) => logProbability !== startLogProbability)).toBe(
      true,
    );
    expect(trained[1]).toMatchObject({ id: 'h0', index: 1, good: trained[1]!.text.length % 2 === 0 });
  });

  test('is not run twice', async () => {
    const events: WorkEvent[] = [];
    const before = await stat(runPaths.done(experimentPaths.run(reference, 'uniform', 1)));
    await runExperiment(tiny(), { folder: reference, code, onEvent: (event) => events.push(event) });
    expect((await stat(runPaths.done(experimentPaths.run(reference, 'uniform', 1)))).mtimeMs).toBe(before.mtimeMs);
    expect(events).toEqual([
      { type: 'work-start', task: 'compare', total: 12 },
      expect.objectContaining({ type: 'work-end', task: 'compare' }),
    ]);
  });

  test('equal arms have other streams, and equal seeds the same', async () => {
    await runExperiment(tiny({ arms: armSets.aa, seeds: [5] }), { folder });
    const { record, departures } = await readExperiment(folder);
    expect(departures).toEqual([]);
    expect(record.runs.map(({ config }) => config.streamSeed)).toEqual([5, 1_000_008]);
    expect(record.runs[0]!.evaluations).not.toEqual(record.runs[1]!.evaluations);
  });

  test('arms change loss, treatment, reward model and draws', async () => {
    const asked: unknown[] = [];
    const arms = [
      { name: 'uniform', sampler: { kind: 'uniform' } },
      { name: 'entropy', sampler: { kind: 'uniform' }, entropyCoef: 0.5 },
      { name: 'treated', sampler: { kind: 'uniform' }, treatment: { kind: 'inverse-probability', low: -9 } },
      { name: 'spread', sampler: { kind: 'uniform' }, treatment: { kind: 'completion-density', low: -9 } },
      { name: 'reweighted', sampler: { kind: 'uniform' }, reweightLoss: { targetEss: 0.5 } },
      { name: 'other-reward', sampler: { kind: 'uniform' }, rewardModel: 'density' },
    ];
    const experiment = tiny({
      ...{
        arms,
        seeds: [1],
        outcome: (_: string, text: string) => text.slice(0, 1),
        answerEmbedder: tiny().embedders.letters,
      },
      rewards: (_: unknown, choice: { rewardModel?: string }) => {
        asked.push(choice);
        return [{ name: 'length', reward: lengthReward({ target: choice.rewardModel ? 1 : 3 }) }];
      },
      training: { ...tiny().training, groupSize: 6, loss: dapoLoss({ beta: 0.1 }) },
      evaluation: { answers: 2 },
    });
    await runExperiment(experiment, { folder, keepModels: true });
    const { record } = await readExperiment(folder);
    const learned = record.runs.map(
      ({ evaluations }) => evaluations[0]!.answers[0]!.startLogProbability + evaluations[0]!.answers[0]!.logProbability,
    );
    expect(new Set(learned).size).toBe(arms.length);
    expect(asked.filter((choice) => (choice as { rewardModel?: string }).rewardModel === 'density')).toHaveLength(1);
    expect(await readdir(join(experimentPaths.run(folder, 'uniform', 1), 'checkpoints'))).toEqual(['step-000003']);
  });
});

describe('a run', () => {
  test('that is aborted continues to the same answers and draws', async () => {
    for (const at of [1, 4, 6]) {
      const stop = new AbortController();
      let calls = 0;
      const experiment = tiny();
      const rewards = async () => [
        {
          name: 'length',
          reward: (completions: Parameters<ReturnType<typeof lengthReward>>[0]) => {
            calls++;
            if (calls === at) stop.abort(new Error(`stopped at ${at}`));
            return lengthReward({ target: 3 })(completions);
          },
        },
      ];
      const options = { folder, arm: 'ess-0.5', seed: 2, code, saveSteps: 1 };
      await expect(trainRun({ ...experiment, rewards }, { ...options, signal: stop.signal })).rejects.toThrow(
        `stopped at ${at}`,
      );
      const costs = await trainRun(experiment, options);
      const spent = JSON.parse(await readFile(runPaths.spent(experimentPaths.run(folder, 'ess-0.5', 2)), 'utf8'));
      expect(costs.cpuSeconds).toBeGreaterThanOrEqual(spent.cpuSeconds);
      await expectSame('ess-0.5', 2);
      await rm(folder, { recursive: true });
      await mkdir(folder);
    }
  });

  test('with other settings does not continue, and unknown runs are refused', async () => {
    const stop = AbortSignal.abort(new Error('at once'));
    await expect(trainRun(tiny(), { folder, arm: 'uniform', seed: 1, signal: stop })).rejects.toThrow('at once');
    await trainRun(tiny(), { folder, arm: 'uniform', seed: 1 });
    const run = experimentPaths.run(folder, 'uniform', 1);
    await rm(runPaths.done(run));
    const other = tiny({ training: { ...tiny().training, learningRate: 0.02 } });
    await expect(trainRun(other, { folder, arm: 'uniform', seed: 1 })).rejects.toThrow(
      'settings.training.learningRate',
    );
    await expect(trainRun(tiny(), { folder, arm: 'unifrom', seed: 1 })).rejects.toThrow('no run unifrom/1');
    await expect(trainRun(tiny(), { folder, arm: 'uniform', seed: 3 })).rejects.toThrow('no run uniform/3');
    const prompts = tiny().prompts.slice(1);
    const fewer = tiny({ prompts, rarities: { topic: { labels: prompts.map(({ topic }) => topic!) } } });
    await expect(trainRun(fewer, { folder, arm: 'uniform', seed: 2 })).rejects.toThrow('digests.prompts');
  });
});

describe('processes', () => {
  beforeAll(async () => {
    await build({
      entryPoints: [fileURLToPath(new URL('../../../../tests/support/train-run-child.ts', import.meta.url))],
      ...{
        outfile: child,
        bundle: true,
        platform: 'node',
        target: 'node20',
        format: 'esm',
        conditions: ['@rarefy/source'],
        logLevel: 'error',
      },
      external: ['@tensorflow/*', 'esbuild', 'assemblyscript*'],
      banner: { js: "import { createRequire as from } from 'node:module'; const require = from(import.meta.url);" },
    });
  });
  const started: ChildProcess[] = [];
  const start = (hangAt: string) => {
    const args = [child, model, folder, hangAt, '--only', 'uniform/1'];
    const process = spawn(globalThis.process.execPath, args, { stdio: ['ignore', 'inherit', 'pipe'] });
    started.push(process);
    return process;
  };
  const hanging = async (process: ChildProcess) => {
    for await (const text of process.stderr!) if (String(text).includes('hanging')) return;
    throw new Error('the process ended before it hung');
  };
  afterEach(() => {
    for (const process of started.splice(0)) process.kill('SIGKILL');
  });

  test('that are killed lose nothing: the run continues to the same answers and draws', async () => {
    // Reward calls: step 1, evaluation 1, step 2, evaluation 2, step 3, evaluation 3.
    for (const at of ['3', '2']) {
      const process = start(at);
      await hanging(process);
      process.kill('SIGKILL');
      await once(process, 'close');
    }
    await trainRun(tiny(), { folder, arm: 'uniform', seed: 1, code, saveSteps: 1 });
    await expectSame('uniform', 1);
    expect((await readdir(experimentPaths.run(folder, 'uniform', 1))).includes('run.lock')).toBe(false);
  });

  test('never train one run at the same time', async () => {
    const process = start('2');
    await hanging(process);
    const again = () => trainRun(tiny(), { folder, arm: 'uniform', seed: 1, code });
    await expect(again()).rejects.toThrow(LockedError);
    process.kill('SIGTERM'); // it saves and gives the lock back
    await once(process, 'close');
    await again();
    await expectSame('uniform', 1);
  });

  test('train the runs that are missing, and leave the same as one process', async () => {
    await cp(experimentPaths.run(reference, 'uniform', 1), experimentPaths.run(folder, 'uniform', 1), {
      recursive: true,
    });
    const startRun = childProcesses({ command: process.execPath, args: [child, model, folder, '0'] });
    await runExperiment(tiny(), { folder, code, startRun, processes: 2 });
    for (const arm of ['uniform', 'ess-0.5']) for (const seed of [1, 2]) await expectSame(arm, seed);
  });

  test('that fail are named with the end of their error output', async () => {
    const startRun = childProcesses({ command: process.execPath, args: [child, model, folder, 'fail'] });
    const experiment = tiny({ seeds: [1], arms: tiny().arms.slice(0, 1) });
    const failing = runExperiment(experiment, { folder, code, startRun, onEvent: () => {} });
    await expect(failing).rejects.toThrow(/1 of 1 runs failed:\nuniform\/1: .*exit code 1: (.|\n)*no reward today/);
    const missing = childProcesses({ command: join(folder, 'nothing'), args: [] });
    await expect(missing({ arm: 'a', seed: 1, folder }, { signal: new AbortController().signal })).rejects.toThrow(
      'cannot start',
    );
  });
});

describe('scheduling', () => {
  /** A run that leaves what a finished one leaves, after `during`. */
  const finish = async (run: MissingRun, peakBytes = 100) => {
    const from = experimentPaths.run(reference, run.arm === 'uniform' ? 'uniform' : 'ess-0.5', 1);
    await cp(from, run.folder, { recursive: true });
    const costs = JSON.parse(await readFile(runPaths.done(run.folder), 'utf8'));
    await writeFile(runPaths.done(run.folder), JSON.stringify({ ...costs, peakBytes }));
  };
  const seeds = [1, 2, 3, 4];

  test('goes seed by seed, the first run alone, and then as many as fit into the memory', async () => {
    const order: string[] = [];
    const together: number[] = [];
    let going = 0;
    const startRun = async (run: MissingRun) => {
      together.push(++going);
      order.push(`${run.arm}/${run.seed}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
      await finish(run);
      going--;
    };
    await runExperiment(tiny({ seeds }), { folder, startRun, processes: 8, memoryBytes: 350 });
    expect(order).toEqual(seeds.flatMap((seed) => [`uniform/${seed}`, `ess-0.5/${seed}`]));
    expect(together.slice(0, 2)).toEqual([1, 1]);
    expect(Math.max(...together)).toBe(3);
  });

  test('never exceeds the memory with more than one run, nor the number of processes', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 64 }),
        fc.double({ min: 1, max: 1e12, noNaN: true }),
        fc.double({ min: 1, max: 1e12, noNaN: true }),
        (processes, memoryBytes, runBytes) => {
          const count = runsAtOnce({ processes, memoryBytes, runBytes });
          expect(count).toBeGreaterThanOrEqual(1);
          expect(count).toBeLessThanOrEqual(processes);
          if (count > 1) expect(count * runBytes).toBeLessThanOrEqual(memoryBytes * (1 + 1e-12));
          if (count < processes) expect((count + 1) * runBytes).toBeGreaterThan(memoryBytes);
        },
      ),
    );
    expect(runsAtOnce({ processes: 4 })).toBe(4);
    expect(runsAtOnce({ processes: 4, memoryBytes: 1e9 })).toBe(1);
  });

  test('a failed run does not stop the others', async () => {
    const startRun = async (run: MissingRun) => {
      if (run.seed === 2) throw new Error(`broken ${run.arm}`);
      if (run.seed !== 3 || run.arm !== 'uniform') await finish(run);
    };
    const warnings: string[] = [];
    const onEvent = (event: WorkEvent) => void (event.type === 'work-warning' && warnings.push(event.message));
    const failing = runExperiment(tiny({ seeds }), { folder, startRun, onEvent });
    await expect(failing).rejects.toThrow(TrainingError);
    await expect(failing).rejects.toThrow(
      /3 of 8 runs failed:\nuniform\/2: broken uniform\ness-0.5\/2: broken ess-0.5\nuniform\/3: it ended without/,
    );
    expect(warnings).toHaveLength(3);
    expect(await readCosts(experimentPaths.run(folder, 'ess-0.5', 4))).toBeDefined();
  });

  test('an abort stops all runs and leaves the rest for the next call', async () => {
    const stop = new AbortController();
    const runs: string[] = [];
    const startRun = async (run: MissingRun, { signal }: { signal: AbortSignal }) => {
      runs.push(`${run.arm}/${run.seed}`);
      if (runs.length === 3) stop.abort(new Error('enough'));
      signal.throwIfAborted();
      await finish(run);
    };
    await expect(runExperiment(tiny({ seeds }), { folder, startRun, signal: stop.signal })).rejects.toThrow('enough');
    expect(runs).toHaveLength(3);
    await runExperiment(tiny({ seeds }), { folder, startRun: async (run) => finish(run) });
    expect((await readExperiment(folder)).record.runs).toHaveLength(8);
  });
});

describe('departures', () => {
  const copied = () => cp(reference, folder, { recursive: true });
  const edit = async (path: string, change: (content: Record<string, object>) => object) =>
    writeFile(path, JSON.stringify(change(JSON.parse(await readFile(path, 'utf8')))));
  const kinds = async () => (await readExperiment(folder)).departures.map(({ kind }) => kind);
  const run = (arm = 'uniform', seed = 1) => experimentPaths.run(folder, arm, seed);

  test('another plan is refused, and accepted with a reason, which is kept', async () => {
    await copied();
    const other = tiny({ seeds: [1, 2, 3], alpha: 0.01 });
    await expect(runExperiment(other, { folder, code })).rejects.toThrow(StateMismatchError);
    await expect(runExperiment(other, { folder, code })).rejects.toThrow('it differs in seeds, stopping, alpha');
    const before = await readPlan(folder);
    for (const _ of [1, 2]) await runExperiment(other, { folder, code, acceptChanges: 'more seeds' });
    expect(await readPlan(folder)).toEqual(before);
    const { departures } = await readExperiment(folder);
    expect(departures.map(({ kind }) => kind)).toEqual(['plan-changed', 'runs-added']);
    expect(departures[0]!.text).toMatch(/after 4 finished runs, in seeds, stopping, alpha: more seeds/);
    expect(departures[1]!.text).toContain('uniform/3, ess-0.5/3');
    const prompt = { id: 'h2', prompt: 'more', stratum: 'head' };
    const others = tiny({ heldOut: [...tiny().heldOut, prompt] });
    await expect(runExperiment(others, { folder, code, acceptChanges: 'why not' })).rejects.toThrow(
      'cannot be compared',
    );
  });

  test('a report before the end is a look; one after it is not', async () => {
    await copied();
    await recordLook(folder, 4, 4);
    expect(await kinds()).toEqual([]);
    for (const _ of [1, 2]) await recordLook(folder, 3, 4);
    expect(await kinds()).toEqual(['looked-early']);
  });

  test('missing runs, other settings, other pairs, less training and early runs are found', async () => {
    await copied();
    await rm(runPaths.done(run()));
    expect(await kinds()).toEqual(['runs-missing']);
    await copied();

    const original = await readFile(runPaths.config(run()), 'utf8');
    const changes: [change: (config: Record<string, object>) => object, kinds: string[]][] = [
      [(config) => ({ ...config, settings: { ...config.settings, evaluation: { answers: 9 } } }), ['run-differs']],
      [(config) => ({ ...config, digests: { ...config.digests, code: 'other' } }), ['run-differs']],
      [(config) => ({ ...config, digests: { ...config.digests, model: 'other' } }), ['run-differs', 'wrong-pairing']],
      [(config) => ({ ...config, streamSeed: 7 }), ['wrong-pairing']],
      [(config) => ({ ...config, started: '2020-01-01T00:00:00.000Z' }), ['run-before-plan']],
    ];
    for (const [change, expected] of changes) {
      await edit(runPaths.config(run()), change);
      expect(await kinds()).toEqual(expected);
      await writeFile(runPaths.config(run()), original);
    }
    await edit(runPaths.config(run()), (config) => ({
      ...config,
      digests: { ...config.digests, heldOut: 'other' },
    }));
    await expect(readExperiment(folder)).rejects.toThrow('other held-out prompts');
    await writeFile(runPaths.config(run()), original);

    const costs = JSON.parse(await readFile(runPaths.done(run()), 'utf8'));
    for (const [tokens, steps, expected] of [
      [0.81, 3, []],
      [0.79, 3, ['fewer-tokens']],
      [1, 2, ['fewer-tokens']],
    ] as const) {
      for (const seed of [1, 2]) {
        await writeFile(runPaths.done(run('uniform', seed)), JSON.stringify({ ...costs, trainedTokens: 100 }));
        const less = { ...costs, trainedTokens: 100 * tokens, steps };
        await writeFile(runPaths.done(run('ess-0.5', seed)), JSON.stringify(less));
      }
      expect(await kinds()).toEqual(expected);
    }
    expect(dirname(run())).toContain(folder);
  });
});
