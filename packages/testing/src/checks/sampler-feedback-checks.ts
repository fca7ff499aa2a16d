import type { Sampler } from '@rarefy/core';
import type { ComponentCheck } from '../component-checks.js';
import { ensure, ensureEqual } from '../ensure.js';

const batch = 16;

/** What `observe` may do, and what not. */
export function samplerFeedbackChecks(): ComponentCheck<Sampler>[] {
  const observing = { capability: 'observe', met: ({ observe }: Sampler) => observe !== undefined };

  return [
    {
      name: 'learns as its capabilities say',
      why: 'A loader may draw ahead of a sampler that says that it does not learn, and then miss what it learnt.',
      requires: observing,
      async run({ create }) {
        const [sampler, untold] = [await create(), await create()];
        const { adaptive } = sampler.capabilities;
        let differs = false;
        for (let step = 1; step <= 50; step++) {
          const positions = sampler.draw(batch).positions;
          const others = untold.draw(batch).positions;
          differs ||= positions.some((position, at) => position !== others[at]);
          teach(sampler, step, positions);
        }
        ensure(
          differs === adaptive,
          `adaptive is ${adaptive} and 50 steps of feedback ${differs ? 'changed' : 'did not change'} the draws`,
        );
      },
    },
    {
      name: 'changes later draws only',
      why: 'A batch that is being trained on must stay what it was when it was drawn.',
      requires: observing,
      async run({ create }) {
        const sampler = await create();
        const { positions, probabilities } = sampler.draw(batch);
        const kept = { positions: positions.slice(), probabilities: probabilities?.slice() };
        const state = sampler.state();
        const before = JSON.stringify(state);
        teach(sampler, 1, positions.slice());
        ensureEqual(positions, kept.positions, 'positions drawn before the feedback');
        if (probabilities) ensureEqual(probabilities, kept.probabilities!, 'probabilities from before the feedback');
        ensure(JSON.stringify(state) === before, 'a state changed when the sampler learnt');
      },
    },
    {
      name: 'resumes with what it has learnt',
      why: 'A resumed curriculum that forgot its lessons starts with the easy prompts again.',
      requires: observing,
      async run({ create }) {
        const sampler = await create();
        for (let step = 1; step <= 20; step++) teach(sampler, step, sampler.draw(batch).positions);
        const fresh = await create();
        fresh.restore(JSON.parse(JSON.stringify(sampler.state())));
        for (let step = 21; step <= 25; step++) {
          const expected = sampler.draw(batch).positions;
          const { positions } = fresh.draw(batch);
          ensureEqual(positions, expected, `draws of step ${step} after feedback and resuming`);
          teach(sampler, step, expected);
          teach(fresh, step, positions);
        }
      },
    },
    {
      name: 'leaves the feedback as it is',
      why: 'The same rewards go to the loss and to the log.',
      requires: observing,
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
}

/** One finished step: even positions always succeed and odd ones always fail. */
function teach(sampler: Sampler, step: number, positions: Int32Array): void {
  sampler.observe!({ step, positions, rewards: rewardsOf(positions) });
}

function rewardsOf(positions: Int32Array): Float32Array {
  return Float32Array.from(positions, (position) => (position + 1) % 2);
}
