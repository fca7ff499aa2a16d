import type { MetricLogger } from '@rarefy/core';

/**
 * Writes one short line per step: `step 12 | reward 0.5312 | kl 0.001`, with four significant digits.
 * @param write takes a line without line feed; default: console.log
 */
export function consoleLogger(write: (line: string) => void = (line) => console.log(line)): MetricLogger {
  return {
    name: 'console',
    log(step, metrics) {
      const columns = Object.entries(metrics).map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`);
      write([`step ${step}`, ...columns].join(' | '));
    },
    close() {},
  };
}

/**
 * Passes every call to each logger, in order. If one fails, the others are still called, and then the first failure is thrown.
 * Without loggers it does nothing.
 */
export function combineLoggers(loggers: readonly MetricLogger[]): MetricLogger {
  const each = async (call: (logger: MetricLogger) => void | Promise<void>) => {
    const failures: unknown[] = [];
    for (const logger of loggers) {
      try {
        await call(logger);
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  };
  return {
    log: (step, metrics) => each((logger) => logger.log(step, metrics)),
    close: () => each((logger) => logger.close()),
  };
}
