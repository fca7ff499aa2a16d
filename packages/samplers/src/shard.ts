import {
  checkComponent,
  checkInteger,
  checkOptions,
  type Draws,
  type IterableSampler,
  iterableSampler,
  type Sampler,
} from '@rarefy/core';

export interface ShardOptions {
  /** Rank of this process, in [0, worldSize). */
  readonly rank: number;
  /** Number of processes. */
  readonly worldSize: number;
}

/**
 * The share of one process in a sampler's stream, without communication: draw j of rank r is draw j × worldSize + r. Every
 * process passes an equal sampler. Together the processes draw the sampler's stream, whatever their number and batch size.
 *
 * The state is the sampler's own, after the last complete round. If all ranks have drawn the same number, all states are equal,
 * and a state can be restored with another `worldSize`, or without `shard`. Each call draws whole rounds, `worldSize` times the
 * count; at the end of a finite stream the last ranks may get one draw fewer. Every process must give an adaptive sampler the
 * feedback of all ranks, and apply every weight update before the same draw. Draws have no `first`, so anything derived from draw
 * numbers, such as completions, needs a different seed on each rank.
 * @throws InvalidArgumentError if `sampler` is not a sampler, `rank` or `worldSize` is out of range, or an option is unknown.
 */
export function shard(sampler: Sampler, options: ShardOptions): IterableSampler {
  const { rank, worldSize } = checkOptions(options, ['rank', 'worldSize'] satisfies (keyof ShardOptions)[], 'shard');
  checkComponent('sampler', sampler, 'shard');
  checkInteger('worldSize', worldSize, 1);
  checkInteger('rank', rank, 0, worldSize - 1);
  const { observe, probabilities, capabilities } = sampler;
  const share = <List extends Int32Array | Float64Array>(list: List) =>
    list.filter((_, draw) => draw % worldSize === rank) as List;
  return iterableSampler({
    specificationVersion: 'v1',
    kind: 'sampler',
    fingerprint: `shard:rank=${rank},worldSize=${worldSize},of=(${sampler.fingerprint})`,
    capabilities,
    get weightsVersion() {
      return sampler.weightsVersion;
    },
    draw(count): Draws {
      checkInteger('count', count, 0);
      const draws = sampler.draw(count * worldSize);
      return {
        positions: share(draws.positions),
        ...(draws.probabilities && { probabilities: share(draws.probabilities) }),
        ...(draws.version !== undefined && { version: draws.version }),
      };
    },
    ...(observe && { observe: observe.bind(sampler) }),
    // Without replacement, the probabilities of a rank's next draw depend on the draws of the ranks before it.
    ...(probabilities && capabilities.replacement && { probabilities: probabilities.bind(sampler) }),
    state: () => sampler.state(),
    restore: (state) => sampler.restore(state),
  });
}
