import { CorruptFileError } from '@rarefy/core';
import { afterEach, expect, test } from 'vitest';
import { guardedWorker } from './guarded-worker.js';

type Request =
  | { readonly work: 'sum'; readonly numbers: Float64Array }
  | { readonly work: 'fail' | 'hang' | 'fill' | 'exit' };

/** Runs in the worker. */
async function serve(_: typeof import('node:os'), offset: number) {
  return (request: Request) => {
    if (request.work === 'sum') return { answer: request.numbers.reduce((sum, value) => sum + value, offset) };
    if (request.work === 'fail') throw new Error('not that one');
    if (request.work === 'exit') process.exit(3);
    const kept: string[][] = [];
    for (;;) if (request.work === 'fill') kept.push(Array.from({ length: 1000 }, String));
  };
}

const start = (timeMs = 30_000, library = 'node:os') =>
  guardedWorker<typeof import('node:os'), number, Request, number>(serve, {
    library,
    data: 100,
    timeMs,
    heapMegabytes: 32,
    toError: (reason) => new CorruptFileError(`x: ${reason}`),
  });
let worker: ReturnType<typeof start>;
afterEach(() => worker[Symbol.asyncDispose]());

test('answers requests, moves buffers, and goes on after a failure', async () => {
  worker = start();
  const numbers = Float64Array.of(1, 2);
  expect(await worker.ask({ work: 'sum', numbers }, {}, [numbers.buffer])).toBe(103);
  expect(numbers.length).toBe(0);
  await expect(worker.ask({ work: 'fail' })).rejects.toThrow('x: not that one');
  expect(await worker.ask({ work: 'sum', numbers: Float64Array.of(5) })).toBe(105);
});

test.each([
  ['a request that takes too long', { work: 'hang' }, 100, 'x: reading it took more than 0.1 s'],
  ['a request that needs too much memory', { work: 'fill' }, 30_000, 'memory limit'],
  ['a worker that exits', { work: 'exit' }, 30_000, 'x: its worker has ended'],
] as const)('%s ends the worker and not this process', async (_, request, timeMs, message) => {
  worker = start(timeMs);
  await expect(worker.ask(request)).rejects.toThrow(message);
  await expect(worker.ask({ work: 'fail' })).rejects.toThrow('x: its worker has ended');
});

test('an abort, before and during a request, rejects with its reason', async () => {
  worker = start();
  const reason = new Error('enough');
  const controller = new AbortController();
  const hanging = worker.ask({ work: 'hang' }, { signal: controller.signal });
  setTimeout(() => controller.abort(reason), 50);
  await expect(hanging).rejects.toBe(reason);
  await expect(start().ask({ work: 'fail' }, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
});

test('a library that is absent is an error of the request', async () => {
  worker = start(1_000, 'file:///absent.js');
  await expect(worker.ask({ work: 'fail' })).rejects.toThrow('absent.js');
});
