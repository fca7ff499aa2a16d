import { expect, test, vi } from 'vitest';
import { progress } from './progress.js';
import { table, wrapped } from './text.js';

test('columns are aligned, and numbers are aligned to the right', () => {
  expect(
    table([
      ['name', 'share', 'note'],
      ['a', '5.0 %', ''],
      ['longer', '12.5 %', 'x'],
    ]),
  ).toBe(['name     share  note', 'a        5.0 %', 'longer  12.5 %  x'].join('\n'));
});

test('text is wrapped at spaces', () => {
  expect(wrapped('one two three four', 9)).toEqual(['one two', 'three', 'four']);
  expect(wrapped('unbreakable', 3)).toEqual(['unbreakable']);
});

test('without a terminal, a task writes a line every 10 s and at its end, and warnings at once', () => {
  const written: string[] = [];
  const now = vi.spyOn(performance, 'now').mockReturnValue(0);
  const report = progress({
    isTTY: false,
    write: (text: string) => written.push(text),
  } as unknown as NodeJS.WriteStream);
  report({ type: 'work-start', task: 'embed', total: 100 });
  for (let second = 1; second <= 24; second++) {
    now.mockReturnValue(second * 1000);
    report({ type: 'work-progress', task: 'embed', done: second, total: 100 });
  }
  report({ type: 'work-warning', task: 'embed', code: 'cut', message: '2 texts were cut' });
  report({ type: 'work-end', task: 'embed', done: 100, elapsedMs: 25_000 });
  now.mockRestore();
  expect(written).toEqual([
    'embed: 10 of 100, 1.0/s, 90 s left\n',
    'embed: 20 of 100, 1.0/s, 80 s left\n',
    'warning: embed: 2 texts were cut\n',
    'embed: 100 in 25.0 s\n',
  ]);
});

test('on a terminal, nothing is lost when work stops, and no timer is left', () => {
  vi.useFakeTimers();
  let written = '';
  const stream = { isTTY: true, columns: 80, write: (text: string) => (written += text) };
  const report = progress(stream as unknown as NodeJS.WriteStream);
  report({ type: 'work-start', task: 'embed', total: 8 });
  report({ type: 'work-progress', task: 'embed', done: 2, total: 8 });
  vi.advanceTimersByTime(1000);
  expect(written).toContain('2/8');
  report({ type: 'work-warning', task: 'embed', code: 'cut', message: 'a late warning' });
  report.stop();
  expect(written).toContain('a late warning');
  expect(vi.getTimerCount()).toBe(0);
  report({ type: 'work-end', task: 'embed', done: 8, elapsedMs: 1500 });
  expect(written).toContain('8 in 1.5 s');
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

test('the text of a server or a file cannot steer the terminal', () => {
  let written = '';
  const stream = { isTTY: false, write: (text: string) => (written += text) };
  const message = 'answered 503 (\u001b[2J\u001b]0;owned\u0007\r\nrarefy: all is well)';
  progress(stream as unknown as NodeJS.WriteStream)({ type: 'work-message', task: 'embed', message });
  expect(written).toBe('embed: answered 503 ( [2J ]0;owned rarefy: all is well)\n');
});
