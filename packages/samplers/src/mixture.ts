import {
  counterRandom,
  digest,
  type Feedback,
  InvalidArgumentError,
  type Sampler,
  type SamplerState,
  StateMismatchError,
} from '@rarefy/core';
import { drawUniforms } from './draw-uniforms.js';
import { once } from './once.js';
import { checkDigest, payloadOf, readIndex } from './sampler-state.js';
import { checkCount } from './structures/check-count.js';
import { sumTree } from './structures/sum-tree.js';

/** One part of a mixture. */
export interface MixturePart {
  /** Belongs to the mixture from then on: draw from it nowhere else. */
  readonly sampler: Sampler;
  /** Share of the draws, relative to the other parts; finite and ≥ 0. */
  readonly weight: number;
}

export interface MixtureSamplerOptions {
  /** Any safe integer. Which part makes draw n depends on the seed and n alone. */
  readonly seed: number;
}

/**
 * Draws from several samplers over the same data set, each time from one chosen at random in proportion to its weight. It is
 * finished when a part that is to draw is; what parts drew ahead of that is lost.
 *
 * The chance of a draw sums over all parts that could have made it, where all tell their probabilities. That costs O(n) a draw for
 * parts whose probabilities change with every draw (adaptive, without replacement), and O(n) a weight version for others.
 * Versions of draws are the sum of the parts'. Feedback goes to all parts.
 * @throws InvalidArgumentError for no parts, one sampler given twice, or a bad seed; InvalidWeightsError for bad weights.
 */
export function mixtureSampler(parts: readonly MixturePart[], { seed }: MixtureSamplerOptions): Sampler {
  const samplers = parts.map(({ sampler }) => sampler);
  if (samplers.length === 0) throw new InvalidArgumentError('a mixture needs at least one part');
  if (new Set(samplers).size < samplers.length) {
    throw new InvalidArgumentError('a sampler is in the mixture twice; build two, or add up the weights');
  }
  const random = counterRandom(seed);
  const choice = sumTree(parts.map(({ weight }) => weight));
  choice.find(0); // refuses weights that are all zero
  const shares = parts.map((_, part) => choice.weight(part) / choice.total);
  const of = parts.map(({ sampler, weight }) => `${weight} (${sampler.fingerprint})`).join(' + ');
  const fingerprint = `mixture-sampler:seed=${seed},parts=${of}`;
  const tellsChances = samplers.every(({ probabilities }) => probabilities !== undefined);
  const isSteady = samplers.every(({ capabilities }) => capabilities.replacement && !capabilities.adaptive);
  let next = 0;
  let isFinished = false;
  let chances: { readonly versions: string; readonly values: Float64Array } | undefined;

  const mixChances = () => {
    const values = samplers.map((sampler) => sampler.probabilities!());
    const mixed = new Float64Array(Math.max(...values.map(({ length }) => length)));
    values.forEach((list, part) => {
      for (let position = 0; position < list.length; position++) {
        mixed[position] = mixed[position]! + shares[part]! * list[position]!;
      }
    });
    return mixed;
  };
  /** Chances of the next draws, which draws of nothing tell the versions of; steady ones change with the versions alone. */
  const currentChances = (versions: string) => {
    if (!isSteady || chances?.versions !== versions) chances = { versions, values: mixChances() };
    return chances.values;
  };

  /** Draws in the order in which parts were chosen; fewer when a part is finished. */
  const drawBlock = (positions: Int32Array): number => {
    const { positions: chosen } = drawUniforms(choice, random, next, positions.length);
    const counts = new Array<number>(samplers.length).fill(0);
    for (const part of chosen) counts[part]!++;
    const drawn = samplers.map((sampler, part) => sampler.draw(counts[part]!).positions);
    const taken = counts.fill(0);
    for (const [draw, part] of chosen.entries()) {
      const position = drawn[part]![taken[part]!++];
      if (position === undefined) {
        isFinished = true;
        return draw;
      }
      positions[draw] = position;
    }
    return positions.length;
  };

  const stateDigest = (states: unknown, index: number, finished: boolean) => {
    const text = JSON.stringify(states);
    const characters = new Uint16Array(text.length);
    for (let at = 0; at < text.length; at++) characters[at] = text.charCodeAt(at);
    return digest(characters, digest([seed, index, Number(finished)]));
  };

  return {
    specificationVersion: 'v1',
    kind: 'sampler',
    fingerprint,
    capabilities: {
      replacement: samplers.length > 1 || samplers[0]!.capabilities.replacement,
      finite: samplers.some(({ capabilities }) => capabilities.finite),
      adaptive: samplers.some(({ capabilities }) => capabilities.adaptive),
    },
    draw(count) {
      checkCount(count);
      const first = next;
      const versions = samplers.map((sampler) => sampler.draw(0).version);
      const positions = new Int32Array(count);
      const probabilities = new Float64Array(count);
      let drawn = 0;
      while (drawn < count && !isFinished) {
        const values = tellsChances ? currentChances(versions.join()) : undefined;
        const block = positions.subarray(drawn, values && !isSteady ? drawn + 1 : count);
        const filled = drawBlock(block);
        if (values) for (let draw = 0; draw < filled; draw++) probabilities[drawn + draw] = values[block[draw]!]!;
        drawn += filled;
        next += filled;
      }
      return {
        positions: positions.slice(0, drawn),
        ...(tellsChances && { probabilities: probabilities.slice(0, drawn) }),
        first,
        ...(versions.some((version) => version !== undefined) && {
          version: versions.reduce<number>((sum, version) => sum + (version ?? 0), 0),
        }),
      };
    },
    ...(samplers.some(({ observe }) => observe !== undefined) && {
      observe(feedback: Feedback) {
        for (const sampler of samplers) sampler.observe?.(feedback);
      },
    }),
    ...(tellsChances && { probabilities: mixChances }),
    state() {
      const states = samplers.map((sampler) => sampler.state());
      const place = { seed, next, isFinished };
      // Parts may hold all their weights in their states, and of many states none is written.
      const digestOfAll = once(() => stateDigest(states, place.next, place.isFinished));
      return {
        version: 1,
        fingerprint,
        payload: {
          ...place,
          get digest() {
            return digestOfAll();
          },
          samplers: states,
        },
      };
    },
    restore(state) {
      const payload = payloadOf(state, fingerprint);
      const index = readIndex(payload.next, 'next');
      const { samplers: states, isFinished: finished } = payload;
      if (payload.seed !== seed || typeof finished !== 'boolean' || !Array.isArray(states)) {
        throw new StateMismatchError('the state of the mixture contradicts its fingerprint; it is damaged');
      }
      if (states.length !== samplers.length) {
        throw new StateMismatchError(`state has ${states.length} samplers and the mixture ${samplers.length}`);
      }
      checkDigest(payload.digest, stateDigest(states, index, finished));
      const before = samplers.map((sampler) => sampler.state());
      let restored = 0;
      try {
        for (const sampler of samplers) sampler.restore(states[restored++] as SamplerState);
      } catch (error) {
        while (--restored > 0) samplers[restored - 1]!.restore(before[restored - 1]!);
        throw error;
      }
      next = index;
      isFinished = finished;
      chances = undefined;
    },
  };
}
