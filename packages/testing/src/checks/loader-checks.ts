import { described, type LoadedBatch, type Loader, type Sampler, StateMismatchError } from '@rarefy/core';
import type { Check } from '../check.js';
import { ensureFresh, formCheck, formReason } from '../component-checks.js';
import {
  ensure,
  ensureAborts,
  ensureEqual,
  ensureFails,
  ensureFailsWith,
  ensureMethods,
  ensureTyped,
} from '../ensure.js';
import { deckSampler, learningSampler, rouletteSampler } from '../reference/samplers.js';
import { checkSubject, needed } from '../subject-members.js';
import type { LoaderSetting, LoaderSubject } from '../subjects.js';

type Batch = LoadedBatch<string>;

const prompts = Array.from({ length: 12 }, (_, position) => `prompt ${position}`);

/** A fresh endless sampler of `prompts`, always with the same draws. */
const endlessSampler = (): Sampler => rouletteSampler([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8], { seed: 7 });

/** The checks of every loader that feeds a training loop from a sampler. */
export function loaderChecks(subject: LoaderSubject): Check[] {
  checkSubject('loader', subject);
  const loader = async (setting: Partial<LoaderSetting> = {}) => {
    const made = await subject.create(prompts, { sampler: endlessSampler(), batchSize: 4, groupSize: 3, ...setting });
    return made as Loader<Batch>; // prompts are checked by what they are
  };
  return [loaderForm(loader), ...orderChecks(loader, subject), ...stateChecks(loader), ...endChecks(loader, subject)];
}

type Make = (setting?: Partial<LoaderSetting>) => Promise<Loader<Batch>>;

function loaderForm(loader: Make): Check {
  return {
    name: formCheck,
    why: formReason,
    stopsIfFailed: true,
    async run() {
      const made = await loader();
      ensureMethods(made, [Symbol.asyncIterator, 'state', 'restore'], 'the loader');
      ensureFresh(made, await loader());
      const [batch] = await take(made, 1);
      ensureMethods(batch, [], 'a batch');
      ensureTyped(batch!.positions, 'Int32Array', 'positions of a batch');
      ensure(
        Array.isArray(batch!.prompts),
        `expected prompts of a batch in an array, got ${described(batch!.prompts)}`,
      );
    },
  };
}

/** A training step sees what the sampler drew. */
function orderChecks(loader: Make, { rows }: LoaderSubject): Check[] {
  return [
    {
      name: 'yields what the sampler draws, in the same order',
      why: 'A loader that shuffles again undoes every curriculum and every weight.',
      async run() {
        const batches = await take(await loader(), 10);
        ensureEqual(positionsOf(batches), endlessSampler().draw(40).positions, 'positions of ten batches');
        for (const { positions, prompts: texts } of batches) {
          ensure(texts.length === 4, `expected 4 prompts in a batch of 4, got ${texts.length}`);
          const wrong = texts.findIndex((text, index) => text !== prompts[positions[index]!]);
          ensure(wrong < 0, `position ${positions[wrong]} came with the prompt "${texts[wrong]}"`);
        }
      },
    },
    {
      name: 'yields the same stream for any batch size',
      why: 'A run on a larger machine must see the same prompts.',
      async run() {
        const stream = endlessSampler().draw(30).positions;
        for (const batchSize of [1, 3, 5, 15]) {
          const batches = await take(await loader({ batchSize }), 30 / batchSize);
          ensureEqual(positionsOf(batches), stream, `positions in batches of ${batchSize}`);
        }
      },
    },
    {
      name: 'yields the same stream for any prefetch',
      why: 'Prefetching may only change speed.',
      async run() {
        const stream = endlessSampler().draw(24).positions;
        for (const prefetch of [0, 1, 5]) {
          const batches = await take(await loader({ prefetch }), 6);
          ensureEqual(positionsOf(batches), stream, `positions at prefetch ${prefetch}`);
        }
      },
    },
    {
      name: 'yields batches of the group size that is set',
      why: 'A trainer samples as many completions of each prompt as the batch says.',
      async run() {
        for (const groupSize of [2, 3, 8]) {
          for (const batch of await take(await loader({ groupSize }), 2)) {
            ensure(batch.groupSize === groupSize, `expected groupSize ${groupSize}, got ${batch.groupSize}`);
          }
        }
      },
    },
    {
      name: 'keeps the group of a prompt together',
      why: 'Advantages compare the completions of one prompt. A split group compares completions of different prompts.',
      requires: { capability: needed('loader', 'rows'), met: () => rows !== undefined },
      async run() {
        for (const batch of await take(await loader(), 3)) {
          const expected = batch.prompts.flatMap((prompt) => [prompt, prompt, prompt]);
          const actual = rows!(batch);
          ensure(actual.join('|') === expected.join('|'), `expected the rows [${expected}], got [${actual}]`);
        }
      },
    },
    {
      name: 'passes on the probability of each draw',
      why: 'Importance weights from the probabilities of another batch are a silent bias.',
      async run() {
        const expected = endlessSampler().draw(24).probabilities!;
        const batches = await take(await loader(), 6);
        const actual = batches.flatMap(({ probabilities }) => [...(probabilities ?? [])]);
        ensureEqual(actual, expected, 'probabilities of six batches');
      },
    },
    {
      name: 'ends with the sampler and makes up no prompts',
      why: 'An epoch must end, and a last batch filled with repeats counts prompts twice.',
      async run() {
        const sampler = () => deckSampler(prompts.length, { seed: 1, epochs: 1 });
        for (const prefetch of [0, 2]) {
          const seen = positionsOf(await take(await loader({ sampler: sampler(), batchSize: 5, prefetch }), 100));
          const stream = sampler().draw(prompts.length).positions;
          ensure(seen.length >= 10, `expected at least 10 of 12 positions in batches of 5, got ${seen.length}`);
          ensureEqual(seen, stream.subarray(0, seen.length), 'positions of one epoch');
        }
      },
    },
    {
      name: 'does not prefetch from an adaptive sampler',
      why: 'What the sampler learns from a step must affect the very next batch.',
      async run() {
        const [sampler, alone] = [learningSampler(12, { seed: 5 }), learningSampler(12, { seed: 5 })];
        let step = 0;
        for await (const { positions } of await loader({ sampler })) {
          ensureEqual(
            positions,
            alone.draw(4).positions,
            `positions of batch ${++step} with feedback after each batch`,
          );
          const rewards = Float32Array.from(positions, (position) => position % 2);
          for (const learner of [sampler, alone]) learner.observe!({ step, positions, rewards });
          if (step === 30) return;
        }
      },
    },
    {
      name: 'rejects a position without a prompt',
      why: 'A sampler of another data set would feed undefined to the tokenizer.',
      async run() {
        const sampler = deckSampler(prompts.length + 5, { seed: 2 });
        const endless = await loader({ sampler });
        await ensureFails(() => take(endless, 10), `positions above ${prompts.length - 1}`);
      },
    },
    {
      name: 'does not reuse the arrays that it yields',
      why: 'Training steps sort and overwrite the arrays that they get.',
      async run() {
        const expected = endlessSampler().draw(24).positions;
        const seen: number[] = [];
        for await (const { positions, probabilities } of await loader({ prefetch: 2 })) {
          seen.push(...positions);
          positions.fill(-1);
          probabilities?.fill(-1);
          if (seen.length === 24) break;
        }
        ensureEqual(seen, expected, 'positions after the caller overwrote earlier ones');
      },
    },
  ];
}

/** Leaving a loop and resuming. */
function stateChecks(loader: Make): Check[] {
  return [
    {
      name: 'continues where a loop was left',
      why: 'An evaluation, a checkpoint or an exception between two steps must not skip prompts.',
      async run() {
        for (const prefetch of [0, 2]) {
          const left = await loader({ prefetch });
          const seen: Batch[] = [];
          for (const count of [2, 1, 3]) seen.push(...(await take(left, count)));
          const stream = endlessSampler().draw(24).positions;
          ensureEqual(positionsOf(seen), stream, `positions of three loops at prefetch ${prefetch}`);
        }
      },
    },
    {
      name: 'resumes after any batch, for any prefetch',
      why: 'A state that includes prefetched batches skips prompts at every resume.',
      async run() {
        for (const [prefetch, later] of [
          [0, 2],
          [2, 0],
          [5, 1],
        ] as const) {
          const batches = await take(await loader({ prefetch }), 8);
          for (const [index, { state }] of batches.entries()) {
            const resumed = await loader({ prefetch: later });
            resumed.restore(throughJson(state));
            const rest = await take(resumed, 7 - index);
            const what = `positions after batch ${index} saved at prefetch ${prefetch} and resumed at prefetch ${later}`;
            ensureEqual(positionsOf(rest), positionsOf(batches.slice(index + 1)), what);
          }
        }
      },
    },
    {
      name: 'has a state between batches too',
      why: 'Some training loops save the state of the loader between two steps, not the state in the batch.',
      async run() {
        for (const prefetch of [0, 2]) {
          const saved = await loader({ prefetch });
          for (let batch = 0; batch < 6; batch++) {
            const resumed = await loader({ prefetch });
            resumed.restore(throughJson(saved.state()));
            const [expected] = await take(saved, 1);
            const [actual] = await take(resumed, 1);
            ensureEqual(
              actual!.positions,
              expected!.positions,
              `positions of batch ${batch} after resuming from the loader's state`,
            );
          }
        }
      },
    },
    {
      name: 'restores an earlier state of its own',
      why: 'A run goes back to its last checkpoint after a bad step, in the same process.',
      async run() {
        const restored = await loader({ prefetch: 2 });
        const [, second, ...rest] = await take(restored, 5);
        restored.restore(throughJson(second!.state));
        ensureEqual(positionsOf(await take(restored, 3)), positionsOf(rest), 'positions after going back to batch 1');
      },
    },
    {
      name: 'rejects the state of another sampler',
      why: 'Resuming on other data must be an error, not a different order of prompts.',
      async run() {
        const [batch] = await take(await loader({ sampler: deckSampler(prompts.length, { seed: 1 }) }), 1);
        const other = await loader();
        const restore = () => other.restore(throughJson(batch!.state));
        await ensureFailsWith(restore, StateMismatchError, 'the state of another sampler');
        await ensureFails(() => other.restore({}), 'an empty state');
        const stream = endlessSampler().draw(8).positions;
        ensureEqual(positionsOf(await take(other, 2)), stream, 'positions after a rejected state');
      },
    },
    {
      name: 'never yields a batch to two loops',
      why: 'Two consumers, started by mistake, would train on every prompt twice.',
      async run() {
        const shared = await loader();
        const first = shared[Symbol.asyncIterator]();
        const one = (await first.next()).value as Batch;
        const other = await take(shared, 1).catch(() => []); // the loader may reject a second loop
        const stream = endlessSampler().draw(4 + 4 * other.length).positions;
        ensureEqual(positionsOf([one, ...other]), stream, 'positions of two concurrent loops');
        await first.return?.();
      },
    },
  ];
}

/** Aborts and memory. */
function endChecks(loader: Make, { countTensors }: LoaderSubject): Check[] {
  return [
    {
      name: 'rejects if its signal is aborted',
      why: 'Ctrl-C must end the loop with its reason and not start another batch.',
      async run() {
        await ensureAborts(async (signal) => take(await loader({ signal }), 1), 'a loop');
        const reason = new Error('stopped by the check');
        const controller = new AbortController();
        const aborted = await loader({ signal: controller.signal });
        let batches = 0;
        const ended = await ensureFails(async () => {
          for await (const _ of aborted) {
            ensure(++batches <= 2, 'the loader yielded a batch after the abort');
            if (batches === 2) controller.abort(reason);
          }
        }, 'a loop that is aborted after two batches');
        ensure(ended === reason, `a loop aborted after two batches: expected the signal's reason, got ${ended}`);
      },
    },
    {
      name: 'frees its tensors if a loop is left',
      why: 'Loops are often left early, and nobody else frees the prefetched batches.',
      requires: { capability: needed('loader', 'countTensors'), met: () => countTensors !== undefined },
      async run() {
        await take(await loader(), 1);
        const before = countTensors!();
        for (let loop = 0; loop < 5; loop++) {
          await take(await loader({ prefetch: 3 }), 2);
          const failing = await loader({ prefetch: 3 });
          await ensureFails(async () => {
            for await (const _ of failing) throw new Error('a failed step');
          }, 'a failed step');
        }
        const leaked = countTensors!() - before;
        ensure(leaked === 0, `${leaked} more tensors in memory after ten loops were left`);
      },
    },
  ];
}

/** Takes the next batches and leaves the loop. */
async function take(loader: Loader<Batch>, count: number): Promise<Batch[]> {
  const batches: Batch[] = [];
  if (count === 0) return batches;
  for await (const batch of loader) {
    batches.push(batch);
    if (batches.length === count) break;
  }
  return batches;
}

/** Positions of several batches, in order. */
const positionsOf = (batches: readonly Batch[]): number[] => batches.flatMap(({ positions }) => [...positions]);

const throughJson = (state: unknown): unknown => JSON.parse(JSON.stringify(state));
