import { described } from '@rarefy/core';
import type { Check } from '../check.js';
import { ensureFresh, formCheck, formReason } from '../component-checks.js';
import { ensure, ensureMethods } from '../ensure.js';
import { checkSubject } from '../subject-members.js';
import type { LoggedStep, LoggerSubject, LoggerUnderTest } from '../subjects.js';

type Metrics = Readonly<Record<string, number>>;

interface Step {
  readonly step: number;
  readonly metrics: Metrics;
}

const twentySteps: readonly Step[] = Array.from({ length: 20 }, (_, index) => ({
  step: index + 1,
  metrics: { reward: Math.sqrt(index), 'rewards/length/mean': -index / 3, 'clip_ratio/region_mean': 1e-7 * index },
}));

/** The checks of every metric logger. */
export function loggerChecks(subject: LoggerSubject): Check[] {
  checkSubject('metric-logger', subject);
  const { create, precision = 0, stored = (value: number) => value } = subject;
  /** Logs the steps to a fresh logger, closes it and reads them back. `use` runs before the logger is closed. */
  const logged = async (steps: readonly Step[], use?: (made: LoggerUnderTest) => unknown) => {
    const made = await create();
    for (const { step, metrics } of steps) await made.logger.log(step, metrics);
    await use?.(made);
    await made.logger.close();
    return made.read();
  };
  const ensureSteps = (actual: readonly LoggedStep[], expected: readonly Step[], what: string) => {
    const list = (steps: readonly { step: number }[]) => steps.map(({ step }) => step).join(', ');
    ensure(
      list(actual) === list(expected),
      `expected ${what} to read back as the steps [${list(expected)}], got [${list(actual)}]`,
    );
    for (const [index, { step, metrics }] of expected.entries()) {
      const read = actual[index]!.metrics;
      const [names, found] = [Object.keys(metrics).join(', '), Object.keys(read).join(', ')];
      ensure(found === names, `expected step ${step} of ${what} to have the metrics [${names}], got [${found}]`);
      for (const [name, given] of Object.entries(metrics)) {
        const value = stored(given);
        const seen = read[name]!;
        const finite = Number.isFinite(value);
        const same = finite ? seen !== null && Math.abs(seen - value) <= precision * Math.abs(value) : seen === null;
        const wanted = finite ? value : `null, which stands for ${value}`;
        ensure(same, `${name} in step ${step} of ${what}: expected ${wanted}, got ${seen}`);
      }
    }
  };

  return [
    {
      name: formCheck,
      why: formReason,
      stopsIfFailed: true,
      async run() {
        const made: unknown = await create();
        const isLogger = typeof Object(made).log === 'function';
        ensure(
          !isLogger,
          'create returned a logger; return { logger, read }, where read() returns the steps written so far',
        );
        ensureMethods(made, ['read'], 'the result of create');
        const { logger, read } = made as LoggerUnderTest;
        ensureMethods(logger, ['log', 'close'], '`logger`');
        ensureFresh(logger, (await create()).logger);
        await logger.log(1, { reward: 1 });
        await logger.close();
        const steps: unknown = await read();
        ensure(Array.isArray(steps), `expected read() to return an array of steps, got ${described(steps)}`);
        for (const step of steps) {
          ensureMethods(step, [], 'a step of read()');
          ensureMethods(step.metrics, [], 'metrics of a step of read()');
        }
      },
    },
    {
      name: 'writes every metric of every step, in order',
      why: 'Readers trust a curve even if points are missing or moved.',
      async run() {
        ensureSteps(await logged(twentySteps), twentySteps, 'a run of 20 steps');
      },
    },
    {
      name: 'has written a step when log returns',
      why: 'The last steps before a crash are those that explain it.',
      async run() {
        const steps = twentySteps.slice(0, 3);
        await logged(steps, async ({ read }) => ensureSteps(await read(), steps, 'steps before close'));
      },
    },
    {
      name: 'accepts NaN and infinities',
      why: 'A loss that diverges must appear in the log and not break it.',
      async run() {
        const metrics = { loss: Number.NaN, kl: Infinity, entropy: -Infinity, reward: 0.5 };
        const steps = [{ step: 1, metrics }, twentySteps[1]!];
        ensureSteps(await logged(steps), steps, 'steps with NaN and infinities');
      },
    },
    {
      name: 'accepts steps without metrics and metrics of any size',
      why: 'Training loops log what they have, from token counts to learning rates.',
      async run() {
        const metrics = { num_tokens: 2 ** 53, learning_rate: 1e-300, zero: 0, largest: 1.7e308 };
        const steps = [
          { step: 0, metrics: {} },
          { step: 2 ** 40, metrics },
        ];
        ensureSteps(await logged(steps), steps, 'unusual steps');
      },
    },
    {
      name: 'accepts names in any script',
      why: 'Reward functions have the names that people give them.',
      async run() {
        const steps = [{ step: 1, metrics: { 'rewards/größe/mean': 1, 'rewards/長さ/mean': 2, 'a.b-c_d': 3 } }];
        ensureSteps(await logged(steps), steps, 'names beyond ASCII');
      },
    },
    {
      name: 'keeps the order of steps that are not awaited',
      why: 'Training loops do not wait for a logger between two steps.',
      async run() {
        const { logger, read } = await create();
        await Promise.all(twentySteps.map(({ step, metrics }) => logger.log(step, metrics)));
        await logger.close();
        ensureSteps(await read(), twentySteps, 'steps logged without waiting');
      },
    },
    {
      name: 'copies the metrics and does not modify them',
      why: 'Training loops reuse one object for the metrics of every step.',
      async run() {
        const { logger, read } = await create();
        await logger.log(1, Object.freeze({ reward: 1, kl: Number.NaN }));
        const reused = { reward: 1 };
        await logger.log(2, reused);
        reused.reward = 2;
        await logger.close();
        const expected: Step[] = [
          { step: 1, metrics: { reward: 1, kl: Number.NaN } },
          { step: 2, metrics: { reward: 1 } },
        ];
        ensureSteps(await read(), expected, 'steps whose object was reused after log');
      },
    },
    {
      name: 'can be closed twice',
      why: 'Cleanup code runs in a finally block and again at exit.',
      async run() {
        const steps = await logged(twentySteps, async ({ logger }) => logger.close());
        ensureSteps(steps, twentySteps, 'steps after closing twice');
      },
    },
    {
      name: 'writes or rejects what is logged after close',
      why: 'A step that is dropped silently looks like a step that never ran.',
      async run() {
        const { logger, read } = await create();
        await logger.close();
        try {
          await logger.log(1, { reward: 1 });
        } catch {
          return; // rejecting is as good as writing
        }
        ensureSteps(await read(), [{ step: 1, metrics: { reward: 1 } }], 'a step logged after close');
      },
    },
  ];
}
