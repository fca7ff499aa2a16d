import { digest, InvalidArgumentError, StateMismatchError } from '@rarefy/core';
import { decodeDoubles, decodeIntegers, encodeNumbers } from './base64.js';
import { once } from './once.js';
import { isRecord, readIndex } from './sampler-state.js';
import { checkTotal } from './structures/check-drawable.js';
import { checkedWeight } from './structures/check-weight.js';
import { type SumTree, sumTree } from './structures/sum-tree.js';

const kinds = ['update', 'add', 'remove'] as const;

/** A change of the weights, in force from draw `next` on. Nobody else may change its lists. */
export interface WeightChange {
  readonly kind: (typeof kinds)[number];
  readonly next: number;
  readonly version: number;
  /** None for `add`, whose positions follow the last one. */
  readonly positions: Int32Array;
  /** None for `remove`; without -0, which JSON does not know. */
  readonly weights: Float64Array;
}

/** Weights that change, with all that a state needs to come to the same weights again. */
export interface WeightLog {
  readonly tree: SumTree;
  /** Version of the last change; 0 before the first. */
  readonly version: number;
  /** Digest of the initial weights and all changes. */
  history(): string;
  /** Applies a change whole or not at all, and records it. */
  apply(change: WeightChange): void;
  /** Small JSON: never more than about three times the bytes of the weights. */
  toState(): { readonly snapshot?: WeightSnapshot; readonly updates: readonly EncodedChange[] };
}

/** Weights in place of the changes that led to them. */
interface WeightSnapshot {
  readonly version: number;
  /** Base64 of doubles, a removed position as -1. */
  readonly weights: string;
}

/** A change in JSON, its lists in base64. */
type EncodedChange = Readonly<Record<keyof WeightChange, string | number>>;

/**
 * The log of a sampler that has changed nothing yet.
 * @param initialDigest of the initial weights
 * @throws InvalidWeightsError for weights nothing can be drawn from.
 */
export function weightLog(initial: Float64Array, initialDigest: () => string): WeightLog {
  return logFrom(initial, initialDigest);
}

/** The log that `toState` told of; whoever restores compares `history`. @throws StateMismatchError for what cannot be. */
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

/** @param start weights; in a snapshot -1 for a removed position */
function logFrom(start: Float64Array, initialDigest: () => string, startSnapshot?: WeightSnapshot): WeightLog {
  const removed = new Set<number>();
  if (startSnapshot) for (const [position, weight] of start.entries()) if (weight === -1) removed.add(position);
  const tree = sumTree(removed.size > 0 ? start.map((weight) => (weight === -1 ? 0 : weight)) : start);
  checkTotal(tree.total, tree.size);
  const snapshotDigest = (weights: Float64Array, at: number) => digest(weights, digest([at], initialDigest()));
  let version = startSnapshot?.version ?? 0;
  let snapshot = startSnapshot && (() => startSnapshot); // encoded when a state is asked for, as many never are
  let changes: WeightChange[] = [];
  let logged = 0; // numbers in the changes
  let encoded: EncodedChange[] = []; // of as many changes as a state was asked for
  let digested = 0; // changes that are in the history
  let before = startSnapshot ? () => snapshotDigest(start, startSnapshot.version) : initialDigest;
  let history: string | undefined;

  const set = (positions: Int32Array, weights: Float64Array) => {
    if (weights[weights.length - 1]! > 0) return tree.updateAll(positions, weights); // the last one stays, so not all are zero
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
    const at = version;
    snapshot = once(() => Object.freeze({ version: at, weights: encodeNumbers(weights) }));
    before = () => snapshotDigest(weights, at);
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
          `an update has version ${change.version} and must have an integer above ${version}, the version in force`,
        );
      }
      if (kind === 'add') tree.append(weights);
      else {
        if (kind === 'update' && positions.length !== weights.length) {
          throw new InvalidArgumentError(
            `an update has ${positions.length} positions and ${weights.length} weights; give one each`,
          );
        }
        set(positions, kind === 'remove' ? new Float64Array(positions.length) : weightsInForce(change, removed));
        if (kind === 'remove') for (const position of positions) removed.add(position);
      }
      version = change.version;
      changes.push(change);
      logged += 4 + positions.length + weights.length;
      if (logged > Math.max(256, tree.size)) takeSnapshot(); // the log has become as long as the weights themselves
    },
    toState() {
      for (const change of changes.slice(encoded.length)) encoded.push(encode(change));
      return { ...(snapshot && { snapshot: snapshot() }), updates: encoded.slice() };
    },
  };
}

/** What was removed stays so, whatever a late update says of it. */
function weightsInForce({ positions, weights }: WeightChange, removed: ReadonlySet<number>): Float64Array {
  if (removed.size === 0) return weights;
  return weights.map((weight, at) =>
    removed.has(positions[at]!) ? 0 * checkedWeight(weight, positions[at]!) : weight,
  );
}

function digestChange({ kind, next, version, positions, weights }: WeightChange, history: string): string {
  return digest(weights, digest(positions, digest([kinds.indexOf(kind), next, version], history)));
}

function encode({ kind, next, version, positions, weights }: WeightChange): EncodedChange {
  const lists = { positions: encodeNumbers(positions), weights: encodeNumbers(weights) };
  return Object.freeze({ kind, next, version, ...lists });
}

function readSnapshot(value: unknown): WeightSnapshot {
  if (!isRecord(value)) throw new StateMismatchError('the snapshot in the state is no object; it is damaged');
  const { version, weights } = value;
  if (typeof weights !== 'string') {
    throw new StateMismatchError('the snapshot in the state has no weights; it is damaged');
  }
  return Object.freeze({ version: readIndex(version, 'version of the snapshot'), weights });
}

function readChanges(value: unknown): WeightChange[] {
  if (!Array.isArray(value)) throw new StateMismatchError('state has no list of updates; it is damaged');
  return value.map((change: unknown) => {
    if (!isRecord(change)) throw new StateMismatchError('an update in the state is no object; it is damaged');
    const kind = kinds.find((name) => name === change.kind);
    if (!kind) throw new StateMismatchError(`an update in the state is of kind ${change.kind}; it is damaged`);
    return {
      kind,
      next: readIndex(change.next, 'next of an update'),
      version: readIndex(change.version, 'version of an update'),
      positions: decodeIntegers(change.positions),
      weights: decodeDoubles(change.weights),
    };
  });
}
