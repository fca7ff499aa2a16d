import { checkOptions, described, InvalidArgumentError } from '@rarefy/core';

export type ComponentKind =
  | 'embedder'
  | 'neighbor-index'
  | 'density-estimator'
  | 'sampler'
  | 'projector'
  | 'exporter'
  | 'loader'
  | 'metric-logger'
  | 'forward-model';

/** What the subject of a suite holds, for programs that build one from what a file exports. */
export interface SubjectMembers {
  /** Arguments of `create`; what it returns. */
  readonly create: string;
  /** The other members, all optional, by name: what each is for. */
  readonly optional: Readonly<Record<string, string>>;
}

const ofComponents = {
  variants: 'functions that make the component with one option changed',
  fingerprint: 'fingerprint of an equal component in an earlier process',
};

/** What the suite of every kind needs. */
export const subjectMembers: Readonly<Record<ComponentKind, SubjectMembers>> = {
  embedder: {
    create: '() => Embedder',
    optional: {
      ...ofComponents,
      texts: 'texts that the embedder is made for, at least three',
      countTensors: '() => tensors in memory',
    },
  },
  'neighbor-index': { create: '() => NeighborIndex, empty', optional: ofComponents },
  'density-estimator': {
    create: '() => DensityEstimator, for 100 rows',
    optional: {
      ...ofComponents,
      scalePower: 'power p such that points times s give densities times s ** p',
      adapts: 'true if a fit derives parameters from the points',
    },
  },
  sampler: {
    create: '() => Sampler',
    optional: {
      ...ofComponents,
      size: 'number of positions',
      fromWeights: '(weights, seed) => Sampler that follows these weights',
    },
  },
  projector: { create: '() => Projector, for 90 rows', optional: ofComponents },
  exporter: {
    create: '() => Exporter',
    optional: { ...ofComponents, read: '(files by path) => the view that they hold' },
  },
  loader: {
    create: '(prompts, { sampler, batchSize, groupSize, prefetch?, signal? }) => Loader',
    optional: { rows: '(batch) => rows of a training step', countTensors: '() => tensors in memory' },
  },
  'metric-logger': {
    create: '() => { logger, read }; read() returns the steps written so far',
    optional: {
      precision: 'largest relative error of a value that is read back',
      stored: 'the number that the logger stores for a value, such as Math.fround',
    },
  },
  'forward-model': {
    create: '() => { forward, head, tensor, parameters?, gradientNorms? }',
    optional: { tolerance: 'largest relative difference between equal outputs' },
  },
};

/** What a check needs of its subject, for the reason of a skip. */
export function needed(kind: ComponentKind, member: string): string {
  return `\`${member}\` in the subject: ${subjectMembers[kind].optional[member]}`;
}

/**
 * @throws InvalidArgumentError if the subject has no function `create`, or a member that its suite does not know or of another
 * type.
 */
export function checkSubject(kind: ComponentKind, subject: { readonly create: unknown }): void {
  const { create, optional } = subjectMembers[kind];
  checkOptions(subject, ['create', ...Object.keys(optional)], `the subject of ${kind} checks`);
  if (typeof subject?.create !== 'function') {
    const what = described(subject?.create);
    throw new InvalidArgumentError(`the subject of ${kind} checks needs a function create, ${create}; got ${what}`);
  }
  const { variants, texts } = subject as { readonly variants?: unknown; readonly texts?: unknown };
  checkMembers(variants, 'variants', 'function');
  checkMembers(texts, 'texts', 'string');
}

/** @throws InvalidArgumentError if `list` is neither undefined nor an array of values of this type. */
function checkMembers(list: unknown, name: string, type: 'function' | 'string'): void {
  if (list === undefined || (Array.isArray(list) && list.every((member) => typeof member === type))) return;
  const wrong = Array.isArray(list) ? list.find((member) => typeof member !== type) : list;
  const got = Array.isArray(list) ? `one with ${described(wrong)}` : described(list);
  throw new InvalidArgumentError(`\`${name}\` must be an array of ${type}s, got ${got}`);
}
