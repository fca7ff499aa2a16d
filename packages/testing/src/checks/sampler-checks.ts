import type { IterableSampler, Sampler } from '@rarefy/core';
import type { Check } from '../check.js';
import { type ComponentCheck, type ComponentForm, componentChecks } from '../component-checks.js';
import { ensure, ensureEqual, ensureNoPromise, ensureTyped } from '../ensure.js';
import type { SamplerSubject } from '../subjects.js';
import { samplerLawChecks } from './sampler-law-checks.js';
import { samplerStateChecks } from './sampler-state-checks.js';

const length = 40; // draws that streams are compared over

/**
 * The checks of every sampler. `create` uses one seed, so a sampler passes or fails the same way each time. For a random seed, a
 * correct sampler fails with a probability of about 1e-6.
 */
export function samplerChecks(subject: SamplerSubject): Check[] {
  return componentChecks('sampler', subject, form, [
    ...streamChecks(subject),
    ...samplerLawChecks(subject),
    ...samplerStateChecks(subject.variants),
  ]);
}

const form: ComponentForm<Sampler> = {
  methods: ['draw', 'state', 'restore'],
  results(sampler) {
    ensureNoPromise(sampler.state(), 'state');
    const draws = sampler.draw(1);
    ensureNoPromise(draws, 'draw');
    ensureTyped(draws.positions, 'Int32Array', 'positions of a draw');
    if (draws.probabilities !== undefined) ensureTyped(draws.probabilities, 'Float64Array', 'probabilities of a draw');
    if (sampler.probabilities) ensureTyped(sampler.probabilities(), 'Float64Array', 'the result of probabilities');
  },
};

/** A sampler is one stream of positions, for any split into calls. */
function streamChecks({ size }: SamplerSubject): ComponentCheck<Sampler>[] {
  const sizeOf = (sampler: Sampler) => size ?? sampler.probabilities?.().length;
  return [
    {
      name: 'returns as many draws as requested',
      why: 'A training loop that gets fewer prompts than its batch size stops or trains on padding.',
      requires: { capability: 'an endless stream', met: ({ capabilities }) => !capabilities.finite },
      async run({ create }) {
        const sampler = await create();
        for (const count of [0, 1, 7, 100]) {
          const { positions } = sampler.draw(count);
          ensure(
            positions.length === count,
            `expected ${count} positions from draw(${count}), got ${positions.length}`,
          );
        }
      },
    },
    {
      name: 'ends if it declares a finite stream',
      why: 'A loop over one epoch must end, and not before the last prompt.',
      requires: { capability: 'a finite stream', met: ({ capabilities }) => capabilities.finite },
      async run({ create }) {
        const sampler = await create();
        let calls = 0;
        while (sampler.draw(7).positions.length === 7) ensure(++calls < 1e6, 'it did not end within 7 million draws');
        const { positions } = sampler.draw(7);
        ensure(positions.length === 0, `expected no draws after the end, got ${positions.length}`);
      },
    },
    {
      name: 'draws only positions of the data set',
      why: 'A position outside the data set gives a step an undefined prompt.',
      async run({ create }) {
        const sampler = await create();
        const end = sizeOf(sampler) ?? Infinity;
        for (const position of sampler.draw(1_000).positions) {
          const isInside = Number.isInteger(position) && position >= 0 && position < end;
          ensure(isInside, `expected an integer position in [0, ${end}), got ${position}`);
        }
      },
    },
    {
      name: 'gives the same draws for any split into calls',
      why: 'A different batch size must not change which prompts a run sees.',
      async run({ create }) {
        const whole = (await create()).draw(length);
        const parts = await create();
        for (let start = 0, size = 1; start < whole.positions.length; start += size++) {
          const part = parts.draw(Math.min(size, length - start));
          const end = start + part.positions.length;
          ensureEqual(part.positions, whole.positions.subarray(start, end), `positions from draw ${start} on`);
          if (!part.probabilities || !whole.probabilities) continue;
          ensureEqual(
            part.probabilities,
            whole.probabilities.subarray(start, end),
            `probabilities from draw ${start} on`,
          );
        }
      },
    },
    {
      name: 'numbers its draws consecutively',
      why: 'A log of draws must not skip or repeat one.',
      requires: { capability: '`first` in its draws', met: (sampler) => sampler.draw(1).first !== undefined },
      async run({ create }) {
        const sampler = await create();
        for (let start = 0, size = 1; start < length; size++) {
          const { positions, first } = sampler.draw(size);
          if (positions.length === 0) return;
          ensure(first === start, `expected \`first\` to be ${start} after ${start} draws, got ${first}`);
          start += positions.length;
        }
      },
    },
    {
      name: 'gives the same draws for the same seed',
      why: 'A run that cannot be repeated cannot be debugged or compared.',
      async run({ create }) {
        const expected = (await create()).draw(length).positions;
        ensureEqual((await create()).draw(length).positions, expected, 'positions of an equal sampler');
      },
    },
    {
      name: 'is independent of other samplers',
      why: 'Training and evaluation draw side by side, and neither may affect the other.',
      async run({ create }) {
        const expected = (await create()).draw(length).positions;
        const [one, other] = [await create(), await create()];
        const seen: number[] = [];
        for (let draw = 0; draw < length; draw++) {
          other.draw(3);
          seen.push(...one.draw(1).positions);
        }
        ensureEqual(seen, expected, 'positions drawn while another sampler draws too');
      },
    },
    {
      name: 'does not reuse the arrays that it returns',
      why: 'Callers keep, sort and overwrite the arrays that they get.',
      async run({ create }) {
        const [sampler, untouched] = [await create(), await create()];
        const expected = untouched.draw(3 * length).positions;
        const { positions, probabilities } = sampler.draw(length);
        const kept = { positions: positions.slice(), probabilities: probabilities?.slice() };
        sampler.draw(length);
        ensureEqual(positions, kept.positions, 'earlier positions after another draw');
        if (probabilities) ensureEqual(probabilities, kept.probabilities!, 'earlier probabilities after another draw');
        positions.fill(-1);
        probabilities?.fill(-1);
        sampler.probabilities?.().fill(-1);
        const later = sampler.draw(length).positions;
        ensureEqual(later, expected.subarray(2 * length), 'positions after the caller overwrote earlier ones');
        if (!sampler.probabilities) return;
        const own = untouched.probabilities!();
        ensureEqual(sampler.probabilities(), own, 'probabilities() after the caller overwrote an earlier result');
      },
    },
    {
      name: 'iterates over its own draws',
      why: 'A loop over the sampler and calls of draw read the same stream.',
      requires: { capability: '[Symbol.iterator]', met: (sampler) => Symbol.iterator in sampler },
      async run({ create }) {
        const expected = (await create()).draw(length).positions;
        const sampler = (await create()) as IterableSampler;
        const seen: number[] = [...sampler.draw(3).positions];
        for (const position of sampler) {
          seen.push(position);
          if (seen.length === 10) break;
        }
        seen.push(...sampler.draw(5).positions);
        for (const position of sampler) {
          seen.push(position);
          if (seen.length === length) break;
        }
        ensureEqual(seen, expected, 'positions drawn by turns in loops and by draw');
      },
    },
    {
      name: 'draws every position once per epoch',
      why: 'Without replacement, an epoch shows each prompt once.',
      requires: {
        capability: 'draws without replacement, and a size',
        met: (sampler) => !sampler.capabilities.replacement && sizeOf(sampler) !== undefined,
      },
      async run({ create }) {
        const sampler = await create();
        const size = sampler.probabilities?.().filter((probability) => probability > 0).length ?? sizeOf(sampler)!;
        for (let epoch = 0; epoch < 3; epoch++) {
          const { positions } = sampler.draw(size);
          const distinct = new Set(positions).size;
          const seen = `${positions.length} draws of epoch ${epoch} gave only ${distinct} different positions`;
          ensure(distinct === positions.length, seen);
        }
      },
    },
  ];
}
