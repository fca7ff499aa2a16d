import type { LoggedStep, LoggerUnderTest } from '../src/subjects.js';

/** Keeps every step in a list. */
export function memoryLogger(): LoggerUnderTest {
  const steps: LoggedStep[] = [];
  return {
    logger: {
      log: (step, metrics) => void steps.push(loggedStep(step, metrics)),
      close() {},
    },
    read: () => steps,
  };
}

/** A step as a file would hold it: null for NaN and infinities. */
export function loggedStep(step: number, metrics: Readonly<Record<string, number>>): LoggedStep {
  const values = Object.entries(metrics).map(([name, value]) => [name, Number.isFinite(value) ? value : null]);
  return { step, metrics: Object.fromEntries(values) };
}
