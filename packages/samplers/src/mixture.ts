import {
  checkComponent,
  checkInteger,
  checkItemArray,
  checkOptions,
  counterRandom,
  digest,
  type Feedback,
  InvalidArgumentError,
  type IterableSampler,
  iterableSampler,
  type Sampler,
  type SamplerState,
  StateMismatchError,
} from '@rarefy/core';
import { checkDigest, lazily, payloadOf, readIndex } from './state/sampler-state.js';
import { checkTotal } from './structures/checks.js';
import { sumTree } from './structures/sum-tree.js';

/** One part of a mixture. */
export interface MixturePart {
  /** Belongs to the mixture; do not draw from it elsewhere. */
  readonly sampler: Sampler;
  /** Share of the draws, relative to the other parts; finite and ≥ 0. */
  readonly weight: number;
}

export interface MixtureSamplerOptions {
  /** Any safe integer. The part that makes draw n depends only on the seed and n. */
  readonly seed: number;
}

/**
 * Draws from several samplers over the same data set: each draw comes from one sampler, chosen at random in proportion to its
 * weight. The mixture is finished when a finished part is chosen; draws that other parts have made beyond that point are lost.
 *
 * The probability of a draw sums over all parts, if all parts report probabilities. That takes O(n) per draw if the probabilities
 * of a part change with every draw (adaptive, or without replacement), and otherwise O(n) per weight version. The weight version
 * is the sum of the parts' versions. All parts get all feedback.
 * @throws InvalidArgumentError if there are no parts, a sampler occurs twice, the seed is not a safe integer, or an option is
 * unknown;
 * InvalidWeightsError if a weight is invalid, or all are zero.
 */
export function mixtureSampler(parts: readonly MixturePart[], options: MixtureSamplerOptions): IterableSampler {
  checkItemArray(parts, 'mixtureSampler');
  for (const part of parts) {
    checkOptions(part, ['sampler', 'weight'] satisfies (keyof MixturePart)[], 'a mixture part');
    checkComponent('sampler', part?.sampler, 'a mixture part');
  }
  const { seed } = checkOptions(options, ['seed'] satisfies (keyof MixtureSamplerOptions)[], 'mixtureSampler');
  const samplers = parts.map(({ sampler }) => sampler);
  if (samplers.length === 0) throw new InvalidArgumentError('a mixture needs at least one part');
  if (new Set(samplers).size < samplers.length) {
    throw new InvalidArgumentError('a sampler is in the mixture twice; build a second one, or add up the weights');
  }
  const random = counterRandom(seed);
  const choice = sumTree(parts.map(({ weight }) => weight));
  checkTotal(choice.total, choice.size);
  const shares = parts.map((_, part) => choice.weight(part) / choice.total);
  const names = parts.map(({ sampler, weight }) => `${weight} (${sampler.fingerprint})`);
  const fingerprint = `mixture-sampler:seed=${seed},parts=${names.join(' + ')}`;
  const hasProbabilities = samplers.every(({ probabilities }) => probabilities !== undefined);
  /** Whether probabilities change only with the weight versions, not with every draw. */
  const isSteady = samplers.every(({ capabilities }) => capabilities.replacement && !capabilities.adaptive);
  let next = 0;
  let isFinished = false;
  let steady: { readonly versions: string; readonly probabilities: Float64Array } | undefined;

  const mixedProbabilities = () =>
    mix(
      samplers.map((sampler) => sampler.probabilities!()),
      shares,
    );
  const steadyProbabilities = () => {
    const versions = samplers.map(({ weightsVersion }) => weightsVersion).join();
    if (steady?.versions !== versions) steady = { versions, probabilities: mixedProbabilities() };
    return steady.probabilities;
  };
  const weightsVersion = () => {
    const versions = samplers.flatMap((sampler) => sampler.weightsVersion ?? []);
    return versions.length === 0 ? undefined : versions.reduce((sum, version) => sum + version);
  };

  /** The next `count` draws, in the order in which parts are chosen; fewer if a finished part is chosen. */
  const drawPositions = (count: number): Int32Array => {
    const chosen = new Int32Array(count);
    const uniforms = new Float64Array(count);
    random.fill(next, uniforms);
    choice.findAll(uniforms, chosen);
    const counts = new Int32Array(samplers.length);
    for (const part of chosen) counts[part]!++;
    const drawn = samplers.map((sampler, part) => sampler.draw(counts[part]!).positions);
    const used = counts.fill(0);
    const positions = new Int32Array(count);
    let filled = 0;
    for (const part of chosen) {
      const position = drawn[part]![used[part]!++];
      if (position === undefined) {
        isFinished = true;
        break;
      }
      positions[filled++] = position;
    }
    next += filled;
    return positions.slice(0, filled);
  };
  /** The same with the probability of each draw: one by one if the probabilities change with every draw. */
  const drawWithProbabilities = (count: number) => {
    const positions = new Int32Array(count);
    const probabilities = new Float64Array(count);
    let filled = 0;
    while (filled < count && !isFinished) {
      const current = isSteady ? steadyProbabilities() : mixedProbabilities();
      const block = drawPositions(isSteady ? count : 1);
      positions.set(block, filled);
      for (const position of block) probabilities[filled++] = current[position]!;
    }
    return { positions: positions.slice(0, filled), probabilities: probabilities.slice(0, filled) };
  };

  return iterableSampler({
    specificationVersion: 'v1',
    kind: 'sampler',
    fingerprint,
    capabilities: {
      replacement: samplers.length > 1 || samplers[0]!.capabilities.replacement,
      finite: samplers.some(({ capabilities }) => capabilities.finite),
      adaptive: samplers.some(({ capabilities }) => capabilities.adaptive),
    },
    get weightsVersion() {
      return weightsVersion();
    },
    draw(count) {
      checkInteger('count', count, 0);
      const first = next;
      const version = weightsVersion();
      const draws = hasProbabilities
        ? drawWithProbabilities(count)
        : { positions: drawPositions(isFinished ? 0 : count) };
      return { ...draws, first, ...(version !== undefined && { version }) };
    },
    ...(samplers.some(({ observe }) => observe !== undefined) && {
      observe(feedback: Feedback) {
        for (const sampler of samplers) sampler.observe?.(feedback);
      },
    }),
    ...(hasProbabilities && { probabilities: mixedProbabilities }),
    state: () =>
      mixtureState(
        fingerprint,
        { seed, next, isFinished },
        samplers.map((sampler) => sampler.state()),
      ),
    restore(state) {
      const { index, finished, states } = readMixtureState(state, fingerprint, seed, samplers.length);
      restoreAll(samplers, states);
      next = index;
      isFinished = finished;
      steady = undefined;
    },
  });
}

/** Sum over parts of share × probability, per position. */
function mix(parts: readonly Float64Array[], shares: readonly number[]): Float64Array {
  const mixed = new Float64Array(Math.max(...parts.map(({ length }) => length)));
  for (const [part, probabilities] of parts.entries()) {
    const share = shares[part]!;
    for (let position = 0; position < probabilities.length; position++) {
      mixed[position] = mixed[position]! + share * probabilities[position]!;
    }
  }
  return mixed;
}

interface MixtureProgress {
  readonly seed: number;
  /** Index of the next draw. */
  readonly next: number;
  readonly isFinished: boolean;
}

function mixtureState(fingerprint: string, progress: MixtureProgress, samplers: readonly SamplerState[]): SamplerState {
  // The states of the parts may hold all their weights, and most states are never written; so the digest is computed when it is
  // read.
  const digestOfAll = lazily(() => mixtureDigest(samplers, progress));
  return {
    version: 1,
    fingerprint,
    payload: {
      ...progress,
      get digest() {
        return digestOfAll();
      },
      samplers,
    },
  };
}

function readMixtureState(state: SamplerState, fingerprint: string, seed: number, parts: number) {
  const payload = payloadOf(state, fingerprint);
  const index = readIndex(payload.next, 'next');
  const { samplers: states, isFinished: finished } = payload;
  if (payload.seed !== seed || typeof finished !== 'boolean' || !Array.isArray(states)) {
    throw new StateMismatchError('the state of the mixture contradicts its fingerprint; it is damaged');
  }
  if (states.length !== parts) {
    throw new StateMismatchError(`state has ${states.length} samplers and the mixture has ${parts}`);
  }
  checkDigest(payload.digest, mixtureDigest(states, { seed, next: index, isFinished: finished }));
  return { index, finished, states: states as readonly SamplerState[] };
}

/** Digest of the parts' states as JSON, and of the rest of the state. */
function mixtureDigest(states: readonly unknown[], { seed, next, isFinished }: MixtureProgress): string {
  const text = JSON.stringify(states);
  const characters = new Uint16Array(text.length);
  for (let index = 0; index < text.length; index++) characters[index] = text.charCodeAt(index);
  return digest(characters, digest([seed, next, Number(isFinished)]));
}

/** Restores all samplers, or none if one of them refuses its state. */
function restoreAll(samplers: readonly Sampler[], states: readonly SamplerState[]): void {
  const before = samplers.map((sampler) => sampler.state());
  for (const [part, sampler] of samplers.entries()) {
    try {
      sampler.restore(states[part]!);
    } catch (error) {
      for (let restored = 0; restored < part; restored++) samplers[restored]!.restore(before[restored]!);
      throw error;
    }
  }
}
