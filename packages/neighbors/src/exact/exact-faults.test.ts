import { Worker } from 'node:worker_threads';
import { type Matrix, RarefyError, type RowSource, type WorkEvent } from '@rarefy/core';
import { afterEach, expect, test, vi } from 'vitest';
import { difference, matrixOf, normal, uniforms } from '../../../../tests/support/exact-rows.js';
import { exactNeighbors } from './exact.js';

/** Every thread that this process starts. */
const workers: Worker[] = [];
process.on('worker', (worker) => workers.push(worker));

afterEach(() => {
  vi.restoreAllMocks();
  // No thread may be left, whatever happened.
  expect(workers.map(({ threadId }) => threadId)).toEqual(workers.map(() => -1));
  workers.length = 0;
});

const uniform = uniforms(1);
/** A second of work for two workers; the tests end it early. */
const large = matrixOf(6000, 384, () => normal(uniform));
const small: Matrix = { ...large, rows: 400, data: large.data.slice(0, 400 * 384) };
const options = { k: 5, engine: 'wasm', workers: 2 } as const;

/** Starts a join, and calls `act` at its first progress event. */
async function during(
  act: () => void,
  signal?: AbortSignal,
): Promise<{ joining: Promise<unknown>; events: WorkEvent[] }> {
  const events: WorkEvent[] = [];
  let isDone = false;
  const joining = exactNeighbors(large, {
    ...options,
    signal,
    onEvent(event) {
      events.push(event);
      if (event.type !== 'work-progress' || isDone) return;
      isDone = true;
      act();
    },
  });
  return { joining, events };
}

test('an abort ends the workers during their work, with the signal’s reason', async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  const { joining, events } = await during(() => controller.abort(reason), controller.signal);
  await expect(joining).rejects.toBe(reason);
  expect(workers).toHaveLength(2);
  expect(events.some(({ type }) => type === 'work-end')).toBe(false);
  const { rows } = await exactNeighbors(small, options);
  expect(rows).toBe(400);
});

test('no worker starts after an abort before the work, or at its first event', async () => {
  const reason = new Error('no');
  await expect(exactNeighbors(large, { ...options, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  const controller = new AbortController();
  const onEvent = () => controller.abort(reason);
  await expect(exactNeighbors(large, { ...options, signal: controller.signal, onEvent })).rejects.toBe(reason);
  expect(workers).toHaveLength(0);
});

test('an error thrown by onEvent rejects the join and ends the workers', async () => {
  const error = new Error('the terminal is gone');
  const { joining } = await during(() => {
    throw error;
  });
  await expect(joining).rejects.toBe(error);
  expect(workers).toHaveLength(2);
});

test('an error thrown by onEvent in a timer rejects the join too', async () => {
  const error = new Error('the terminal is gone');
  const wait = vi.spyOn(globalThis, 'setInterval').mockImplementation(((look: () => void) => {
    queueMicrotask(look);
  }) as typeof setInterval);
  let looks = 0;
  const onEvent = ({ type }: WorkEvent) => {
    if (type === 'work-progress' && ++looks === 2) throw error;
  };
  await expect(exactNeighbors(large, { ...options, onEvent })).rejects.toBe(error);
  wait.mockRestore();
});

test('an abort while a source reads ends the wait of the workers', async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  const source: RowSource = {
    rows: 400,
    cols: 384,
    async read(_start, _end, call) {
      controller.abort(reason);
      call!.signal!.throwIfAborted();
      return small;
    },
  };
  await expect(exactNeighbors(source, { ...options, signal: controller.signal })).rejects.toBe(reason);
  expect(workers).toHaveLength(2);
});

test('an error thrown by a source rejects the join and ends the workers', async () => {
  const error = new Error('the disk is gone');
  const source: RowSource = { rows: 400, cols: 384, read: () => Promise.reject(error) };
  await expect(exactNeighbors(source, options)).rejects.toBe(error);
  expect(workers).toHaveLength(2);
});

test('if a worker dies, the join rejects with a typed error, and the others are ended', async () => {
  const { joining } = await during(() => void workers[0]!.terminate());
  await expect(joining).rejects.toBeInstanceOf(RarefyError);
  await expect(joining).rejects.toThrow('a worker thread failed while searching for neighbors');
});

test('a worker that does not start is reported, and the others are ended', async () => {
  let messages = 0;
  const start = vi.spyOn(Worker.prototype, 'postMessage').mockImplementation(() => {
    if (++messages === 2) throw new Error('EAGAIN');
  });
  await expect(exactNeighbors(small, { ...options, workers: 3 })).rejects.toThrow('worker 2 of 3 did not start');
  start.mockRestore();
  expect(workers).toHaveLength(2);
});

test('memory that cannot be allocated is reported with its size and a remedy', async () => {
  vi.spyOn(WebAssembly, 'Memory').mockImplementation(function memory() {
    throw new RangeError('WebAssembly.Memory(): could not allocate memory');
  });
  const joining = exactNeighbors(large, options);
  await expect(joining).rejects.toBeInstanceOf(RarefyError);
  await expect(joining).rejects.toThrow(/^\d+ MiB of shared memory .* set memoryBytes lower$/);
});

test('timers run while workers join, and events report the progress in rows', async () => {
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  const { joining, events } = await during(() => {});
  await joining;
  clearInterval(timer);
  expect(ticks).toBeGreaterThan(5);
  expect(events[0]).toEqual({ type: 'work-start', task: 'self-join', total: 6000 });
  expect(events.at(-1)).toMatchObject({ type: 'work-end', task: 'self-join', done: 6000 });
  const done = events.flatMap((event) => (event.type === 'work-progress' ? [event.done] : []));
  expect(done).toEqual(done.toSorted((a, b) => a - b));
  expect(done.at(-1)).toBe(6000);
});

test('joins at the same time do not disturb each other', async () => {
  const expected = await exactNeighbors(small, { k: 5, engine: 'typescript' });
  const found = await Promise.all([1, 2, 3].map(() => exactNeighbors(small, options)));
  for (const neighbors of found) expect(difference(neighbors, expected)).toBe('');
  expect(workers).toHaveLength(6);
});
