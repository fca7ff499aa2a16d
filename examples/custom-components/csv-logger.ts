import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { InvalidArgumentError, type MetricLogger } from '@rarefy/core';

const header = 'step,metric,value';

/**
 * Writes one line `step,metric,value` per metric; a step without metrics has one line with empty fields.
 * @param done number of steps to keep of an earlier file, if the run resumes; 0 starts anew
 */
export function csvLogger(path: string, done = 0): MetricLogger {
  const earlier = done > 0 && existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(1, -1) : [];
  const kept = earlier.filter((line) => Number.parseInt(line, 10) <= done);
  writeFileSync(path, [header, ...kept, ''].join('\n'));
  let last = Promise.resolve(); // lines keep their order though nobody may wait for them
  let isClosed = false;
  return {
    name: `csv ${path}`,
    log(step, metrics) {
      if (isClosed) throw new InvalidArgumentError(`${path} is closed; log before close`);
      const lines = Object.entries(metrics).map(
        ([name, value]) => `${step},"${name.replaceAll('"', '""')}",${value}\n`,
      );
      const text = lines.length > 0 ? lines.join('') : `${step},,\n`;
      last = last.then(() => appendFile(path, text));
      return last;
    },
    close() {
      isClosed = true;
      return last;
    },
  };
}
