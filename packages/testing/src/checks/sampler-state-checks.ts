import { type Sampler, type SamplerState, StateMismatchError } from '@rarefy/core';
import type { ComponentCheck } from '../component-checks.js';
import { ensure, ensureEqual, ensureFailsWith } from '../ensure.js';
import type { SamplerSubject } from '../subjects.js';

const length = 40; // draws that are compared after a resume
const batch = 16; // draws per training step

/** Saving, resuming and learning from feedback. */
export function samplerStateChecks(variants: SamplerSubject['variants'] = []): ComponentCheck<Sampler>[] {
  return [
    {
      name: 'resumes from any state after a JSON round trip',
      why: 'A run that is killed and resumed must see the prompts that it would have seen otherwise.',
      async run({ create }) {
        const sampler = await create();
        const states: string[] = [];
        const seen: number[] = [];
        for (let draw = 0; draw < length; draw++) {
          states.push(JSON.stringify(sampler.state()));
          seen.push(...sampler.draw(1).positions);
        }
        for (const [draw, state] of states.entries()) {
          const resumed = await create();
          resumed.restore(JSON.parse(state));
          const restored = JSON.stringify(resumed.state());
          ensure(restored === state, `expected state ${state} after restoring it before draw ${draw}, got ${restored}`);
          const { positions } = resumed.draw(length - draw);
          ensureEqual(positions, seen.slice(draw), `positions after restoring the state before draw ${draw}`);
        }
      },
    },
    {
      name: 'resumes repeatedly',
      why: 'A job on preemptible machines is resumed many times.',
      async run({ create }) {
        const expected = (await create()).draw(length).positions;
        let sampler = await create();
        const seen: number[] = [];
        for (let draw = 0; draw < length; draw++) {
          seen.push(...sampler.draw(1).positions);
          const next = await create();
          next.restore(JSON.parse(JSON.stringify(sampler.state())));
          sampler = next;
        }
        ensureEqual(seen, expected, 'positions of a run that is resumed after every draw');
      },
    },
    {
      name: 'restores an earlier state of its own',
      why: 'A run goes back to its last checkpoint after a bad step, in the same process.',
      async run({ create }) {
        const sampler = await create();
        sampler.draw(5);
        const state = sampler.state();
        const expected = sampler.draw(length).positions;
        sampler.restore(state);
        ensureEqual(sampler.draw(length).positions, expected, 'positions after restoring an earlier state');
      },
    },
    {
      name: 'does not change a state after returning it',
      why: 'A state that changes later makes a checkpoint skip prompts.',
      async run({ create }) {
        const sampler = await create();
        const state = sampler.state();
        const before = JSON.stringify(state);
        sampler.draw(length);
        ensure(JSON.stringify(state) === before, 'the state changed with later draws');
        sampler.restore(state);
        sampler.draw(length);
        ensure(JSON.stringify(state) === before, 'the state changed with draws after it was restored');
      },
    },
    {
      name: 'has a state of constant size',
      why: 'A state that grows with every draw makes each checkpoint slower than the last.',
      async run({ create }) {
        const sampler = await create();
        sampler.draw(1_000);
        const early = sampler.state();
        for (let call = 0; call < 20; call++) sampler.draw(1_000);
        const late = sampler.state();
        ensure(shape(late) === shape(early), `the state changed from ${shape(early)} to ${shape(late)}`);
        const [before, after] = [JSON.stringify(early).length, JSON.stringify(late).length];
        ensure(
          after <= before + 100,
          `the state grew from ${before} characters after 1,000 draws to ${after} after 21,000`,
        );
      },
    },
    {
      name: 'rejects the state of another sampler',
      why: 'Resuming with other data or options must be an error, not a different order of prompts.',
      async run({ create }) {
        const [sampler, ahead] = [await create(), await create()];
        sampler.draw(3);
        ahead.draw(7);
        const state = ahead.state(); // not that of `sampler`, so that taking it over shows
        const foreign: [string, SamplerState][] = [
          ['a state with another fingerprint', { ...state, fingerprint: `${state.fingerprint}, changed` }],
          ['a state of another version', { ...state, version: 2 } as unknown as SamplerState],
        ];
        for (const variant of variants) {
          const other = await variant();
          other.draw(7);
          foreign.push(['the state of a sampler with another option', other.state()]);
        }
        const before = JSON.stringify(sampler.state());
        for (const [what, other] of foreign) {
          await ensureFailsWith(() => sampler.restore(other), StateMismatchError, what);
          const after = JSON.stringify(sampler.state());
          ensure(after === before, `expected state ${before} after rejecting ${what}, got ${after}`);
        }
        const expected = (await create()).draw(3 + length).positions.subarray(3);
        ensureEqual(sampler.draw(length).positions, expected, 'positions after a rejected state');
      },
    },
    ...feedbackChecks,
  ];
}

const observes = { capability: 'observe', met: ({ observe }: Sampler) => observe !== undefined };

/** What `observe` may change, and what not. */
const feedbackChecks: readonly ComponentCheck<Sampler>[] = [
  {
    name: 'adapts to feedback exactly if it declares to',
    why: 'A loader prefetches from a sampler that is not adaptive, and would miss what it learns.',
    requires: observes,
    async run({ create }) {
      const [sampler, untaught] = [await create(), await create()];
      const { adaptive } = sampler.capabilities;
      let differs = false;
      for (let step = 1; step <= 50; step++) {
        const { positions } = sampler.draw(batch);
        const others = untaught.draw(batch).positions;
        differs ||= positions.some((position, index) => position !== others[index]);
        teach(sampler, step, positions);
      }
      const effect = differs ? 'changed' : 'did not change';
      ensure(differs === adaptive, `adaptive is ${adaptive}, but 50 steps of feedback ${effect} the draws`);
    },
  },
  {
    name: 'does not change earlier draws and states on feedback',
    why: 'The batch in training must stay as it was drawn.',
    requires: observes,
    async run({ create }) {
      const sampler = await create();
      const { positions, probabilities } = sampler.draw(batch);
      const kept = { positions: positions.slice(), probabilities: probabilities?.slice() };
      const state = sampler.state();
      const before = JSON.stringify(state);
      teach(sampler, 1, positions.slice());
      ensureEqual(positions, kept.positions, 'positions drawn before the feedback');
      if (probabilities) ensureEqual(probabilities, kept.probabilities!, 'probabilities from before the feedback');
      ensure(JSON.stringify(state) === before, 'an earlier state changed with the feedback');
    },
  },
  {
    name: 'restores what it has learned',
    why: 'A resumed curriculum that has lost its progress starts again with the easy prompts.',
    requires: observes,
    async run({ create }) {
      const sampler = await create();
      for (let step = 1; step <= 20; step++) teach(sampler, step, sampler.draw(batch).positions);
      const resumed = await create();
      resumed.restore(JSON.parse(JSON.stringify(sampler.state())));
      for (let step = 21; step <= 25; step++) {
        const expected = sampler.draw(batch).positions;
        const { positions } = resumed.draw(batch);
        ensureEqual(positions, expected, `positions of step ${step} after feedback and a resume`);
        teach(sampler, step, expected);
        teach(resumed, step, positions);
      }
    },
  },
  {
    name: 'does not modify the feedback',
    why: 'The same rewards go to the loss and to the log.',
    requires: observes,
    async run({ create }) {
      const sampler = await create();
      const { positions } = sampler.draw(batch);
      const feedback = { step: 1, positions: positions.slice(), rewards: rewardsOf(positions) };
      sampler.observe!(feedback);
      ensureEqual(feedback.positions, positions, 'positions in the feedback');
      ensureEqual(feedback.rewards, rewardsOf(positions), 'rewards in the feedback');
    },
  },
];

/** Reports one finished step in which even positions succeed and odd ones fail. */
function teach(sampler: Sampler, step: number, positions: Int32Array): void {
  sampler.observe!({ step, positions, rewards: rewardsOf(positions) });
}

function rewardsOf(positions: Int32Array): Float32Array {
  return Float32Array.from(positions, (position) => (position + 1) % 2);
}

/** Keys and types of a JSON value, without values and lengths of lists. */
function shape(value: unknown): string {
  if (Array.isArray(value)) return '[]';
  if (typeof value !== 'object' || value === null) return typeof value;
  const entries = Object.entries(value).map(([key, inner]) => `${key}: ${shape(inner)}`);
  return `{${entries.sort().join(', ')}}`;
}
