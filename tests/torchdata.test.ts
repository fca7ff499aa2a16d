import { weightedSampler } from '@rarefy/samplers';
import { describe, expect, test } from 'vitest';
import { runPython, withoutModules } from './support/python.js';

// A comparison only: torch takes several gigabytes, and Rarefy does not need it.
const reason = withoutModules('torch', 'torchdata');
const size = 40;
const epochs = 3;
const steps = Array.from({ length: 10 }, (_, index) => 4 * index);

/** Counts what tests/python/torchdata_resume.py counts, for our sampler: resumes that continue with wrong draws. */
function wrongResumes(): number[] {
  const create = () =>
    weightedSampler(
      Array.from({ length: size }, (_, position) => 1 + (position % 7)),
      { seed: 0 },
    );
  const whole = create();
  return Array.from({ length: epochs }, () => {
    const drawn: number[] = [];
    const states: string[] = [];
    for (let step = 0; step < size; step++) {
      drawn.push(whole.draw(1).positions[0]!);
      states.push(JSON.stringify(whole.state()));
    }
    return steps.filter((step) => {
      const resumed = create();
      resumed.restore(JSON.parse(states[step]!));
      return resumed.draw(size - step - 1).positions.join() !== drawn.slice(step + 1).join();
    }).length;
  });
}

test('a weighted sampler resumes correctly from every step of every epoch', () => {
  expect(wrongResumes()).toEqual([0, 0, 0]);
});

describe.skipIf(reason !== '')(`torchdata on the same task${reason}`, () => {
  test("StatefulDataLoader with WeightedRandomSampler: correct in the first epoch, and only with the sampler's own generator", () => {
    const { own_generator: own, default_generator: shared } = JSON.parse(runPython('torchdata_resume.py'));
    expect(own).toEqual([0, 10, 10]);
    expect(shared).toEqual([10, 10, 10]);
  });
});
