import { digest, encodeBase64, InvalidArgumentError, StateMismatchError, shown } from '@rarefy/core';
import { checkedWeight, checkTotal } from '../structures/checks.js';
import { type SumTree, sumTree } from '../structures/sum-tree.js';
import { decodeDoubles, decodeIntegers, isRecord, lazily, readIndex } from './sampler-state.js';

const kinds = ['update', 'add', 'remove'] as const;

/** A change of the weights, in force from draw `next` on. Its arrays must not change afterwards. */
export interface WeightChange {
  readonly kind: (typeof kinds)[number];
  readonly next: number;
  readonly version: number;
  /** Empty for `add`, whose positions follow the last one. */
  readonly positions: Int32Array;
  /** Empty for `remove`; without -0, because JSON has no -0. */
  readonly weights: Float64Array;
}

/** Weights that change, with the history that a state needs to reproduce them. */
export interface WeightLog {
  readonly tree: SumTree;
  /** Version of the last change; 0 before the first one. */
  readonly version: number;
  /** Digest of the initial weights and all changes. */
  history(): string;
  /** Applies a change and records it; a change that throws has no effect. */
  apply(change: WeightChange): void;
  /** JSON of at most about three times the bytes of the weights. */
  toState(): { readonly snapshot?: WeightSnapshot; readonly updates: readonly EncodedChange[] };
}

/** Weights that replace the changes that led to them. */
interface WeightSnapshot {
  readonly version: number;
  /** Base64 of float64 numbers; -1 for a removed position. */
  readonly weights: string;
}

/** A change as JSON, its arrays in base64. */
type EncodedChange = Readonly<Record<keyof WeightChange, string | number>>;

/**
 * A log without changes.
 * @param initialDigest digest of the initial weights
 * @throws InvalidWeightsError naming the first invalid weight, or if all are zero.
 */
export function weightLog(initial: Float64Array, initialDigest: () => string): WeightLog {
  return logFrom(initial, initialDigest);
}

/**
 * Reads what `toState` returned. The caller compares `history`, which detects other initial weights.
 * @throws StateMismatchError if the state is damaged.
 */
export function restoreWeightLog(
  initial: Float64Array,
  initialDigest: () => string,
  state: Readonly<Record<string, unknown>>,
): WeightLog {
  try {
    const snapshot = state.snapshot === undefined ? undefined : readSnapshot(state.snapshot);
    const restored = snapshot
      ? logFrom(decodeDoubles(snapshot.weights), initialDigest, snapshot)
      : weightLog(initial, initialDigest);
    for (const change of readChanges(state.updates)) restored.apply(change);
    return restored;
  } catch (cause) {
    if (StateMismatchError.isInstance(cause)) throw cause;
    throw new StateMismatchError(`an update in the state cannot be applied: ${(cause as Error).message}`, { cause });
  }
}

/** @param start weights; with a snapshot, -1 for a removed position */
function logFrom(start: Float64Array, initialDigest: () => string, startSnapshot?: WeightSnapshot): WeightLog {
  const removed = new Set<number>();
  if (startSnapshot) for (const [position, weight] of start.entries()) if (weight === -1) removed.add(position);
  const tree = sumTree(removed.size > 0 ? start.map((weight) => (weight === -1 ? 0 : weight)) : start);
  checkTotal(tree.total, tree.size);
  const snapshotDigest = (weights: Float64Array, since: number) => digest(weights, digest([since], initialDigest()));
  let version = startSnapshot?.version ?? 0;
  let snapshot = startSnapshot && (() => startSnapshot); // encoded only when a state is requested
  let changes: WeightChange[] = [];
  let logged = 0; // total length of the changes, in numbers
  let encoded: EncodedChange[] = []; // the first of the changes, as far as states have needed them
  let digested = 0; // number of changes that `history` includes
  let before = startSnapshot ? () => snapshotDigest(start, startSnapshot.version) : initialDigest;
  let history: string | undefined;

  const set = (positions: Int32Array, weights: Float64Array) => {
    if (weights[weights.length - 1]! > 0) return tree.updateAll(positions, weights); // this weight stays, so not all are zero
    const before = new Float64Array(positions.length);
    for (let index = 0; index < positions.length; index++) before[index] = tree.weight(positions[index]!);
    tree.updateAll(positions, weights);
    try {
      checkTotal(tree.total, tree.size);
    } catch (error) {
      tree.updateAll(positions, before);
      throw error;
    }
  };
  const takeSnapshot = () => {
    const weights = new Float64Array(tree.size);
    for (let position = 0; position < tree.size; position++) weights[position] = tree.weight(position);
    for (const position of removed) weights[position] = -1;
    const since = version;
    snapshot = lazily(() => Object.freeze({ version: since, weights: encodeBase64(weights) }));
    before = () => snapshotDigest(weights, since);
    history = undefined;
    changes = [];
    encoded = [];
    digested = 0;
    logged = 0;
  };

  return {
    tree,
    get version() {
      return version;
    },
    history() {
      history ??= before();
      for (; digested < changes.length; digested++) history = digestChange(changes[digested]!, history);
      return history;
    },
    apply(change) {
      const { kind, positions, weights } = change;
      if (!(Number.isSafeInteger(change.version) && change.version > version)) {
        throw new InvalidArgumentError(
          `an update has version ${shown(change.version)}; it must be an integer above ${version}, the version in force`,
        );
      }
      if (kind === 'add') tree.append(weights);
      else {
        if (kind === 'update' && positions.length !== weights.length) {
          throw new InvalidArgumentError(
            `an update has ${positions.length} positions and ${weights.length} weights; give one weight per position`,
          );
        }
        set(positions, kind === 'remove' ? new Float64Array(positions.length) : weightsInForce(change, removed));
        if (kind === 'remove') for (const position of positions) removed.add(position);
      }
      version = change.version;
      changes.push(change);
      logged += 4 + positions.length + weights.length;
      if (logged > Math.max(256, tree.size)) takeSnapshot(); // the log is now as long as the weights
    },
    toState() {
      for (const change of changes.slice(encoded.length)) encoded.push(encode(change));
      return { ...(snapshot && { snapshot: snapshot() }), updates: encoded.slice() };
    },
  };
}

/** Removed positions keep weight 0. */
function weightsInForce({ positions, weights }: WeightChange, removed: ReadonlySet<number>): Float64Array {
  if (removed.size === 0) return weights;
  return weights.map((weight, index) =>
    removed.has(positions[index]!) ? 0 * checkedWeight(weight, positions[index]!) : weight,
  );
}

function digestChange({ kind, next, version, positions, weights }: WeightChange, history: string): string {
  return digest(weights, digest(positions, digest([kinds.indexOf(kind), next, version], history)));
}

function encode({ kind, next, version, positions, weights }: WeightChange): EncodedChange {
  const lists = { positions: encodeBase64(positions), weights: encodeBase64(weights) };
  return Object.freeze({ kind, next, version, ...lists });
}

function readSnapshot(value: unknown): WeightSnapshot {
  if (!isRecord(value))
    throw new StateMismatchError('the snapshot in the state is not an object; the state is damaged');
  const { version, weights } = value;
  if (typeof weights !== 'string') {
    throw new StateMismatchError('the snapshot in the state has no weights; the state is damaged');
  }
  return Object.freeze({ version: readIndex(version, 'version of the snapshot'), weights });
}

function readChanges(value: unknown): WeightChange[] {
  if (!Array.isArray(value)) throw new StateMismatchError('state has no list of updates; it is damaged');
  return value.map((change: unknown) => {
    if (!isRecord(change))
      throw new StateMismatchError('an update in the state is not an object; the state is damaged');
    const kind = kinds.find((name) => name === change.kind);
    if (!kind) throw new StateMismatchError(`an update in the state has kind ${change.kind}; the state is damaged`);
    return {
      kind,
      next: readIndex(change.next, 'next of an update'),
      version: readIndex(change.version, 'version of an update'),
      positions: decodeIntegers(change.positions),
      weights: decodeDoubles(change.weights),
    };
  });
}
