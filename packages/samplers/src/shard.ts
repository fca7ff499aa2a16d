import { type Draws, InvalidArgumentError, type Sampler } from '@rarefy/core';
import { checkCount } from './structures/check-count.js';

export interface ShardOptions {
  /** Of this process, in [0, worldSize). */
  readonly rank: number;
  /** Number of processes. */
  readonly worldSize: number;
}

/**
 * One process's share of a sampler's stream: draw j of rank r is draw j × worldSize + r, without talking to the other processes.
 * Every process gives an equal sampler. Together they see the sampler's stream, whatever their number and batch size.
 *
 * The state is the sampler's own, whose place is the end of the last whole round: when all ranks have drawn as much, it is the same
 * on each, and restored with another `worldSize`, or none, the stream goes on. A call draws the whole round, `worldSize` times the
 * count; at the end of a finite stream the last ranks may get one draw fewer. Each process must tell an adaptive sampler the
 * feedback of all ranks, and get every update before the same draw. Draws are not numbered: what is made from draw numbers, such as
 * completions, needs another seed on each rank.
 * @throws InvalidArgumentError for a bad rank or worldSize.
 */
export function shard(sampler: Sampler, { rank, worldSize }: ShardOptions): Sampler {
  if (!(Number.isSafeInteger(worldSize) && worldSize >= 1)) {
    throw new InvalidArgumentError(`worldSize must be an integer ≥ 1, got ${worldSize}`);
  }
  if (!(Number.isInteger(rank) && rank >= 0 && rank < worldSize)) {
    throw new InvalidArgumentError(`rank must be an integer in [0, ${worldSize}), got ${rank}`);
  }
  const { observe, probabilities, capabilities } = sampler;
  const share = <List extends Int32Array | Float64Array>(list: List) =>
    list.filter((_, draw) => draw % worldSize === rank) as List;
  return {
    specificationVersion: 'v1',
    kind: 'sampler',
    fingerprint: `shard:rank=${rank},worldSize=${worldSize},of=(${sampler.fingerprint})`,
    capabilities,
    draw(count): Draws {
      checkCount(count);
      const draws = sampler.draw(count * worldSize);
      return {
        positions: share(draws.positions),
        ...(draws.probabilities && { probabilities: share(draws.probabilities) }),
        ...(draws.version !== undefined && { version: draws.version }),
      };
    },
    ...(observe && { observe: observe.bind(sampler) }),
    // Without replacement, the chances of a rank's next draw depend on draws of the ranks before it.
    ...(probabilities && capabilities.replacement && { probabilities: probabilities.bind(sampler) }),
    state: () => sampler.state(),
    restore: (state) => sampler.restore(state),
  };
}
