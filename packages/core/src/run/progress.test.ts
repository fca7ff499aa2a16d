import { expect, test, vi } from 'vitest';
import type { WorkEvent } from '../spec/component.js';
import { startProgress, warn, withProgress } from './progress.js';

test('events carry the task, the total if known, and the number of finished items', () => {
  const events: WorkEvent[] = [];
  const progress = startProgress('embed', 3, (event) => events.push(event));
  progress.report(2);
  progress.end();
  expect(events.slice(0, 2)).toEqual([
    { type: 'work-start', task: 'embed', total: 3 },
    { type: 'work-progress', task: 'embed', done: 2, total: 3 },
  ]);
  expect(events[2]).toMatchObject({ type: 'work-end', task: 'embed', done: 3 });
  const unknown = startProgress('read', undefined, (event) => events.push(event));
  unknown.report(7);
  unknown.end();
  expect(events.slice(3)).toMatchObject([{ type: 'work-start' }, { done: 7 }, { type: 'work-end', done: 7 }]);
  expect(events[3]).not.toHaveProperty('total');
});

test('work that fails emits no end, and an abort stops a loop at the end of its time slice', async () => {
  const events: WorkEvent[] = [];
  const onEvent = (event: WorkEvent) => void events.push(event);
  const failing = withProgress('fail', 1, { onEvent }, async () => {
    throw new Error('broken');
  });
  await expect(failing).rejects.toThrow('broken');
  expect(events.map(({ type }) => type)).toEqual(['work-start']);
  const controller = new AbortController();
  const endless = withProgress('loop', undefined, { signal: controller.signal }, async (tick) => {
    for (let done = 0; ; done++) {
      if (done === 10) controller.abort(new Error('stop now'));
      await tick(done);
    }
  });
  await expect(endless).rejects.toThrow('stop now');
  await expect(withProgress('late', 1, { signal: controller.signal }, async () => 1)).rejects.toThrow('stop now');
});

test('a warning goes to the caller who handles events, and otherwise to the console', () => {
  const printed = vi.spyOn(console, 'warn').mockImplementation(() => {});
  try {
    const events: WorkEvent[] = [];
    const warning = { task: 'weigh', code: 'weights', message: 'nearly uniform' };
    warn((event) => events.push(event), warning);
    expect(events).toEqual([{ type: 'work-warning', ...warning }]);
    expect(printed).not.toHaveBeenCalled();
    warn(undefined, warning);
    expect(printed.mock.calls).toEqual([['weigh: nearly uniform']]);
  } finally {
    printed.mockRestore();
  }
});
