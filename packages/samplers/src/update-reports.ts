import type { CallOptions, WorkEvent } from '@rarefy/core';

/** Where weight updates that are not applied are reported. By default, `console.warn` prints them. */
export interface UpdateReports {
  /** Called for every update that is refused, and if a followed source fails. Default `console.warn`. */
  readonly onError?: ((error: unknown) => void) | undefined;
  /** Gets a `work-warning` with code `stale-update` for every update that comes too late. Default: `console.warn` prints it. */
  readonly onEvent?: CallOptions['onEvent'];
}

export const updateReportNames = ['onError', 'onEvent'] satisfies (keyof UpdateReports)[];

/** Fills in the defaults. */
export function reportsOf(task: string, { onError = warnOfError, onEvent = warnOfEvent }: UpdateReports) {
  return {
    refused: onError,
    /** @param source name of the source in the message, such as ` of density`; empty if there is one */
    late: (version: number, inForce: number, source = '') => {
      const message = `update ${version}${source} came after update ${inForce} and was skipped`;
      onEvent({ type: 'work-warning', task, code: 'stale-update', message });
    },
  };
}

function warnOfError(error: unknown): void {
  console.warn('a weight update was refused or its source failed:', error);
}

function warnOfEvent(event: WorkEvent): void {
  if (event.type === 'work-warning') console.warn(`${event.task}: ${event.message}`);
}
