import { type RateMeter, rateMeter, type WorkEvent } from '@rarefy/core';
import { MultiBar, type SingleBar } from 'cli-progress';
import { printable } from './text.js';

/** Shows the events of long work on stderr. */
export interface ProgressReport {
  (event: WorkEvent): void;
  /** Ends every bar, so that other text can be written. A later event starts new bars. */
  stop(): void;
}

const lineEveryMs = 10_000;

/**
 * On a terminal, one bar per task. Elsewhere one line when a task ends, and at most one every 10 s before that. Warnings are always
 * shown.
 */
export function progress(stream: NodeJS.WriteStream = process.stderr): ProgressReport {
  return stream.isTTY ? bars(stream) : lines(stream);
}

function lines(stream: NodeJS.WriteStream): ProgressReport {
  const lastLine = new Map<string, number>();
  const meters = new Map<string, RateMeter>();
  const report = (event: WorkEvent) => {
    const now = performance.now();
    if (event.type === 'work-start') {
      lastLine.set(event.task, now);
      meters.set(event.task, rateMeter(now));
    }
    const rate = event.type === 'work-progress' ? meters.get(event.task)?.(event, now) : undefined;
    if (event.type === 'work-progress' && now - (lastLine.get(event.task) ?? now) >= lineEveryMs) {
      lastLine.set(event.task, now);
      const of = event.total === undefined ? '' : ` of ${event.total}`;
      stream.write(`${event.task}: ${event.done}${of}${rate === undefined ? '' : `, ${rate}`}\n`);
    }
    if (event.type === 'work-message') lastLine.set(event.task, now);
    if (event.type === 'work-warning' || event.type === 'work-message') stream.write(noticeLine(event));
    if (event.type === 'work-end') stream.write(`${event.task}: ${event.done} in ${seconds(event.elapsedMs)}\n`);
  };
  return Object.assign(report, { stop: () => {} });
}

function bars(stream: NodeJS.WriteStream): ProgressReport {
  let multiBar: MultiBar | undefined;
  const running = new Map<string, { readonly bar: SingleBar; readonly meter: RateMeter }>();
  const stop = () => {
    multiBar?.update(); // writes pending warnings
    multiBar?.stop();
    multiBar = undefined;
    running.clear();
  };
  const report = (event: WorkEvent) => {
    const { task } = event;
    if (event.type === 'work-warning' || event.type === 'work-message') {
      if (multiBar) multiBar.log(noticeLine(event));
      else stream.write(noticeLine(event));
      return;
    }
    multiBar ??= new MultiBar({
      stream,
      format: '{task} {bar} {count}',
      hideCursor: true,
      gracefulExit: false, // runCommandLine handles Ctrl-C
    });
    const { bar, meter } = running.get(task) ?? {
      bar: multiBar.create(1, 0, { task, count: '' }),
      meter: rateMeter(performance.now()),
    };
    running.set(task, { bar, meter });
    if (event.type === 'work-end') {
      bar.setTotal(Math.max(1, event.done));
      bar.update(Math.max(1, event.done), { count: `${event.done} in ${seconds(event.elapsedMs)}` });
      running.delete(task);
      if (running.size === 0) stop();
    } else if (event.type === 'work-progress') {
      const { done, total } = event;
      const rate = meter(event, performance.now());
      bar.setTotal(total ?? Number.MAX_SAFE_INTEGER); // an empty bar if the total is unknown
      bar.update(done, {
        count: `${done}${total === undefined ? '' : `/${total}`}${rate === undefined ? '' : `, ${rate}`}`,
      });
    }
  };
  return Object.assign(report, { stop });
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

function noticeLine({ type, task, message }: Extract<WorkEvent, { message: string }>): string {
  return `${type === 'work-warning' ? 'warning: ' : ''}${task}: ${printable(message)}\n`;
}
