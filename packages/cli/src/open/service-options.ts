import type { HttpRewardOptions } from '@rarefy/grpo';
import { integer } from '../shell/define-option.js';
import { camelCase, defined } from '../shell/options.js';

const limits = {
  'max-concurrency': 'Requests at the same time',
  'max-attempts': 'Attempts per request, including the first',
  'attempt-timeout-ms': 'Time limit of one attempt, in ms',
  'deadline-ms': 'Time limit of a request with all its attempts and waits, in ms',
};
type Limit = keyof typeof limits;

/** Options for the limits of an HTTP service, with a prefix. Without a value, the API has its own. */
export function serviceOptions<Prefix extends string>(prefix: Prefix, defaults: Readonly<Record<Limit, number>>) {
  const entries = Object.entries(limits).map(([name, text]) => [
    `${prefix}-${name}`,
    integer(`${text}; default ${defaults[name as Limit].toLocaleString('en')}`, { min: 1 }),
  ]);
  type Option = { readonly type: 'integer'; readonly min: 1; readonly description: string };
  return Object.fromEntries(entries) as Readonly<Record<`${Prefix}-${Limit}`, Option>>;
}

/** The limits among the values of a command. */
export function serviceLimits(
  prefix: string,
  values: object,
): Pick<HttpRewardOptions, 'maxConcurrency' | 'maxAttempts' | 'attemptTimeoutMs' | 'deadlineMs'> {
  const named = values as Readonly<Record<string, number | undefined>>;
  return defined(
    Object.fromEntries(Object.keys(limits).map((name) => [camelCase(name), named[camelCase(`${prefix}-${name}`)]])),
  );
}
