import type { MetricLogger } from '@rarefy/core';
import { formCheck } from '../src/component-checks.js';
import type { LoggedStep, LoggerSubject, LoggerUnderTest } from '../src/subjects.js';
import { loggedStep, memoryLogger } from './memory-logger.js';
import { altered, type Mutant, turn } from './mutant.js';

const mutant = (
  name: string,
  caughtBy: string,
  change: (right: MetricLogger) => Partial<MetricLogger>,
): Mutant<LoggerSubject> => ({
  name,
  caughtBy,
  subject: {
    create(): LoggerUnderTest {
      const made = memoryLogger();
      return { ...made, logger: altered(made.logger, change(made.logger)) };
    },
  },
});

/** The right logger with names and values of all metrics changed. */
const metrics = (name: string, caughtBy: string, change: (name: string, value: number) => [string, number]) =>
  mutant(name, caughtBy, ({ log }) => ({
    log: (step, given) =>
      log(step, Object.fromEntries(Object.entries(given).map(([key, value]) => change(key, value)))),
  }));

export const loggerMutants: readonly Mutant<LoggerSubject>[] = [
  {
    name: 'is returned alone',
    caughtBy: formCheck,
    subject: { create: () => memoryLogger().logger as unknown as LoggerUnderTest },
  },
  mutant('writes every tenth step', 'writes every metric of every step, in order', ({ log }) => ({
    log: (step, metrics) => (step < 4 || step % 10 === 0 ? log(step, metrics) : undefined),
  })),
  mutant('writes only when it is closed', 'has written a step when log returns', ({ log }) => {
    let waiting: Parameters<MetricLogger['log']>[] = [];
    return {
      log: (step, metrics) => void waiting.push([step, { ...metrics }]),
      close() {
        for (const given of waiting) log(...given);
        waiting = [];
      },
    };
  }),
  metrics('writes NaN as zero', 'accepts NaN and infinities', (name, value) => [name, value || 0]),
  {
    name: 'is read back with NaN instead of null',
    caughtBy: 'accepts NaN and infinities',
    subject: {
      create() {
        const { logger, read } = memoryLogger();
        const withNaN = (metrics: LoggedStep['metrics']) =>
          Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, value ?? Number.NaN]));
        return {
          logger,
          read: async () => (await read()).map(({ step, metrics }) => ({ step, metrics: withNaN(metrics) })),
        };
      },
    },
  },
  mutant('skips steps without metrics', 'accepts steps without metrics and metrics of any size', ({ log }) => ({
    log: (step, metrics) => (Object.keys(metrics).length > 0 ? log(step, metrics) : undefined),
  })),
  metrics('writes names as ASCII', 'accepts names in any script', (name, value) => [
    name.replace(/[^ -~]/g, '?'),
    value,
  ]),
  mutant('writes steps as they become ready', 'keeps the order of steps that are not awaited', ({ log }) => ({
    async log(step, metrics) {
      if (step % 2 === 0) await turn();
      await log(step, metrics);
    },
  })),
  {
    name: 'keeps the object that it is given',
    caughtBy: 'copies the metrics and does not modify them',
    subject: {
      create() {
        const kept: Parameters<MetricLogger['log']>[] = [];
        return {
          logger: { log: (...given) => void kept.push(given), close() {} },
          read: () => kept.map((given) => loggedStep(...given)),
        };
      },
    },
  },
  mutant('closes its file twice', 'can be closed twice', () => {
    let closed = 0;
    return {
      close() {
        if (++closed === 2) throw new Error('EBADF: bad file descriptor');
      },
    };
  }),
  mutant('drops what is logged after close', 'writes or rejects what is logged after close', ({ log }) => {
    let closed = false;
    return {
      log: (step, metrics) => (closed ? undefined : log(step, metrics)),
      close() {
        closed = true;
      },
    };
  }),
];
