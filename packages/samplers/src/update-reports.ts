import { type CallOptions, described, InvalidArgumentError, warn } from '@rarefy/core';

/** Where weight updates that are not applied are reported. By default, `console.warn` prints them. */
export interface UpdateReports {
  /** Called for every update that is refused, and if a followed source fails. Default `console.warn`. */
  readonly onError?: ((error: unknown) => void) | undefined;
  /** Gets a `work-warning` with code `stale-update` for every update that comes too late. Default: `console.warn` prints it. */
  readonly onEvent?: CallOptions['onEvent'];
}

export const updateReportNames = ['onError', 'onEvent'] satisfies (keyof UpdateReports)[];

/** Fills in the defaults. */
export function reportsOf(task: string, { onError = warnOfError, onEvent }: UpdateReports) {
  return {
    refused: onError,
    /** @param source name of the source in the message, such as ` of density`; empty if there is one */
    late: (version: number, inForce: number, source = '') => {
      const remedy = source ? '' : '; versions must grow: after a resume, continue from sampler.weightsVersion';
      const message = `update ${version}${source} came after update ${inForce} and was skipped${remedy}`;
      warn(onEvent, { task, code: 'stale-update', message });
    },
  };
}

function warnOfError(error: unknown): void {
  console.warn('a weight update was refused or its source failed:', error);
}

/** @throws InvalidArgumentError if rxjs cannot subscribe to `source`. The message starts with `where`. */
export function checkSource(source: unknown, where: string): void {
  const given = Object(source) as { readonly [name: PropertyKey]: unknown };
  const methods = ['subscribe', 'then', 'getReader', '@@observable', Symbol.asyncIterator, Symbol.iterator];
  const observable = (Symbol as { readonly observable?: symbol }).observable ?? '@@observable';
  if (typeof source !== 'string' && [...methods, observable].some((name) => typeof given[name] === 'function')) return;
  throw new InvalidArgumentError(
    `${where} needs an observable, promise, iterable or async iterable, got ${described(source)}`,
  );
}

/** @throws InvalidArgumentError if the weights of `sampler` cannot change. The message starts with `where`. */
export function checkUpdatable(sampler: unknown, where: string): void {
  const { update, weightsVersion, kind } = Object(sampler) as Readonly<Record<string, unknown>>;
  if (typeof update === 'function' && typeof weightsVersion === 'number') return;
  const what = kind === 'sampler' ? 'one whose weights cannot change' : described(sampler);
  const hint = what === 'a promise' ? '; did you forget await?' : '; weightedSampler and densityAwareSampler make one';
  throw new InvalidArgumentError(`${where} needs a sampler whose weights can change, got ${what}${hint}`);
}
