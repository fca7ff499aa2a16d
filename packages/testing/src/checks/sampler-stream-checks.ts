import type { Sampler } from '@rarefy/core';
import type { ComponentCheck } from '../component-checks.js';
import { ensure, ensureEqual } from '../ensure.js';
import type { SamplerSubject } from './sampler-checks.js';

const walk = 40;

/** One stream of positions, however it is cut. */
export function samplerStreamChecks({ size }: SamplerSubject): ComponentCheck<Sampler>[] {
  const sizeOf = (sampler: Sampler) => size ?? sampler.probabilities?.().length;

  return [
    {
      name: 'draws as many positions as asked',
      why: 'A loop that gets fewer prompts than its batch holds stops or trains on padding.',
      requires: { capability: 'an endless stream', met: ({ capabilities }) => !capabilities.finite },
      async run({ create }) {
        const sampler = await create();
        for (const count of [0, 1, 7, 100]) {
          const { positions } = sampler.draw(count);
          ensure(positions instanceof Int32Array, 'positions are no Int32Array');
          ensure(positions.length === count, `draw(${count}) gave ${positions.length} positions`);
        }
      },
    },
    {
      name: 'ends when it says that it ends',
      why: 'A loop over one epoch must come to its end, and not before the last prompt.',
      requires: { capability: 'a finite stream', met: ({ capabilities }) => capabilities.finite },
      async run({ create }) {
        const sampler = await create();
        let calls = 0;
        while (sampler.draw(7).positions.length === 7) ensure(++calls < 1e6, 'a million calls did not finish it');
        ensure(sampler.draw(7).positions.length === 0, 'draws went on after a short one');
      },
    },
    {
      name: 'draws positions of the data set',
      why: 'A position beside the data set is an undefined prompt in the middle of a step.',
      async run({ create }) {
        const sampler = await create();
        const end = sizeOf(sampler) ?? Infinity;
        for (const position of sampler.draw(1_000).positions) {
          ensure(
            Number.isInteger(position) && position >= 0 && position < end,
            `position ${position} is no integer in [0, ${end})`,
          );
        }
      },
    },
    {
      name: 'is cut into calls without a trace',
      why: 'Another batch size must not change which prompts a run sees.',
      async run({ create }) {
        const whole = (await create()).draw(walk);
        const parts = await create();
        for (let start = 0, size = 1; start < whole.positions.length; start += size++) {
          const part = parts.draw(Math.min(size, walk - start));
          const end = start + part.positions.length;
          ensureEqual(part.positions, whole.positions.subarray(start, end), `positions of draws ${start} to ${end}`);
          if (!part.probabilities || !whole.probabilities) continue;
          ensureEqual(part.probabilities, whole.probabilities.subarray(start, end), `probabilities from draw ${start}`);
        }
      },
    },
    {
      name: 'numbers its draws',
      why: 'A log that says which draw a prompt was must not skip or repeat one.',
      requires: { capability: '`first` in its draws', met: (sampler) => sampler.draw(1).first !== undefined },
      async run({ create }) {
        const sampler = await create();
        for (let start = 0, size = 1; start < walk; size++) {
          const { positions, first } = sampler.draw(size);
          if (positions.length === 0) return;
          ensure(first === start, `draw ${start} calls itself draw ${first}`);
          start += positions.length;
        }
      },
    },
    {
      name: 'draws the same twice',
      why: 'A run that cannot be repeated cannot be debugged or compared.',
      async run({ create }) {
        const expected = (await create()).draw(walk).positions;
        ensureEqual((await create()).draw(walk).positions, expected, 'positions of an equal sampler');
      },
    },
    {
      name: 'draws apart from other samplers',
      why: 'Training and evaluation sample side by side, and neither may move the other.',
      async run({ create }) {
        const expected = (await create()).draw(walk).positions;
        const [one, other] = [await create(), await create()];
        const seen: number[] = [];
        for (let draw = 0; draw < walk; draw++) {
          other.draw(3);
          seen.push(...one.draw(1).positions);
        }
        ensureEqual(seen, expected, 'positions drawn beside another sampler');
      },
    },
    {
      name: 'gives its draws away',
      why: 'Callers sort and overwrite the arrays they get.',
      async run({ create }) {
        const expected = (await create()).draw(3 * walk).positions;
        const sampler = await create();
        const draws = sampler.draw(walk);
        const held = { positions: draws.positions.slice(), chances: draws.probabilities?.slice() };
        sampler.draw(walk);
        ensureEqual(draws.positions, held.positions, 'positions still held by the caller, after another draw');
        if (held.chances) ensureEqual(draws.probabilities!, held.chances, 'probabilities still held by the caller');
        draws.positions.fill(-1);
        draws.probabilities?.fill(-1);
        sampler.probabilities?.().fill(-1);
        ensureEqual(
          sampler.draw(walk).positions,
          expected.subarray(2 * walk),
          'draws after the caller overwrote earlier ones',
        );
      },
    },
    {
      name: 'repeats no position before all have come',
      why: 'An epoch sees each prompt once.',
      requires: {
        capability: 'draws without replacement and a size',
        met: (sampler) => !sampler.capabilities.replacement && sizeOf(sampler) !== undefined,
      },
      async run({ create }) {
        const sampler = await create();
        const size = sampler.probabilities?.().filter((chance) => chance > 0).length ?? sizeOf(sampler)!;
        for (let epoch = 1; epoch <= 3; epoch++) {
          const { positions } = sampler.draw(size);
          const distinct = new Set(positions).size;
          ensure(
            distinct === positions.length,
            `${positions.length} draws of epoch ${epoch} gave ${distinct} different positions of ${size}`,
          );
        }
      },
    },
  ];
}
