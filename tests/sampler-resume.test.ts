import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Sampler, type SamplerState, StateMismatchError } from '@rarefy/core';
import { build } from 'esbuild';
import { beforeAll, describe, expect, test } from 'vitest';
import { casesOf } from './support/exhaustive.js';
import { resumedSamplers, resumedStep, type SavedStep } from './support/resumed-samplers.js';

const epochs = 3;
/** An epoch has 1,000 steps here. */
const steps = 1000 * epochs;

const restored = (create: () => Sampler, state: string) => {
  const sampler = create();
  sampler.restore(JSON.parse(state) as SamplerState);
  return sampler;
};

describe.each(Object.entries(resumedSamplers))('%s', (_, { create, createOther }) => {
  describe.each([
    ['off', false],
    ['on', true],
  ])('with updates %s', (_updates, hasUpdates) => {
    test('restoring the state of each of 1,000 steps in 3 epochs, through JSON, continues like the uninterrupted run', () => {
      const tail = 10;
      const whole = create();
      const states: string[] = [];
      const drawn: number[][] = [];
      for (let step = 0; step <= steps + tail; step++) {
        states.push(JSON.stringify(whole.state()));
        drawn.push(resumedStep(whole, step, hasUpdates));
      }
      let mismatches = 0;
      for (let start = 0; start < steps; start += casesOf(7, 1)) {
        const resumed = restored(create, states[start]!);
        const seen = Array.from({ length: tail }, (_, step) => resumedStep(resumed, start + step, hasUpdates));
        const isEqual =
          seen.flat().join() ===
          drawn
            .slice(start, start + tail)
            .flat()
            .join();
        if (!isEqual || JSON.stringify(resumed.state()) !== states[start + tail]) mismatches++;
      }
      expect(mismatches).toBe(0);
    });

    test('a run resumed every 10 steps, 50 times, equals the uninterrupted run', () => {
      const whole = create();
      const expected = Array.from({ length: 500 }, (_, step) => resumedStep(whole, step, hasUpdates));
      let sampler = create();
      const seen: number[][] = [];
      for (let step = 0; step < 500; step++) {
        if (step % 10 === 0) sampler = restored(create, JSON.stringify(sampler.state()));
        seen.push(resumedStep(sampler, step, hasUpdates));
      }
      expect(seen).toEqual(expected);
      expect(sampler.state()).toEqual(whole.state());
    });
  });

  test('a state with any bit changed is refused, or gives the same stream', () => {
    const original = create();
    for (let step = 0; step < 40; step++) resumedStep(original, step, true);
    const bytes = Buffer.from(JSON.stringify(original.state()));
    const expected = restored(create, bytes.toString()).draw(60).positions;
    const used = create();
    let refused = 0;
    const bits = casesOf(2, 8);
    for (let at = 0; at < bytes.length; at++) {
      for (let index = 0; index < bits; index++) {
        const bit = 1 << ((index * 8) / bits);
        const changed = Buffer.from(bytes);
        changed[at]! ^= bit;
        let state: SamplerState;
        try {
          state = JSON.parse(changed.toString()) as SamplerState;
        } catch {
          refused++;
          continue;
        }
        try {
          used.restore(state);
        } catch (error) {
          if (!StateMismatchError.isInstance(error)) throw error;
          refused++;
          continue;
        }
        expect(used.draw(60).positions, `bit ${bit} of byte ${at}`).toEqual(expected);
      }
    }
    expect(refused).toBeGreaterThan((bits * bytes.length) / 2);
  });

  test('the state of other data is refused, and the sampler continues as before', () => {
    const sampler = create();
    sampler.draw(10);
    const before = JSON.stringify(sampler.state());
    expect(() => sampler.restore(createOther().state())).toThrow(StateMismatchError);
    expect(JSON.stringify(sampler.state())).toBe(before);
    expect(sampler.draw(10).positions).toEqual(restored(create, before).draw(10).positions);
  });
});

describe('in another process', () => {
  let program: string;
  beforeAll(async () => {
    const { outputFiles } = await build({
      entryPoints: [fileURLToPath(new URL('support/resumed-samplers.ts', import.meta.url))],
      bundle: true,
      write: false,
      platform: 'node',
      target: 'node20',
      format: 'iife',
      globalName: 'resumed',
      conditions: ['@rarefy/source'],
      external: ['@rarefy/density'], // not needed by these samplers
    });
    program = `${outputFiles[0]!.text}
      const states = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
      console.log(JSON.stringify({ process: process.pid, tails: resumed.tailsAfter(states) }));`;
  });

  const settings = Object.keys(resumedSamplers).flatMap((name) =>
    [false, true].map((hasUpdates) => ({ name, hasUpdates })),
  );
  test.each(settings)('states of $name, with updates: $hasUpdates, continue like the uninterrupted run', (setting) => {
    const { name, hasUpdates } = setting;
    const tail = 10;
    const every = steps / casesOf(50, steps);
    const whole = resumedSamplers[name]!.create();
    const states: SavedStep[] = [];
    const drawn: number[][] = [];
    for (let step = 0; step < steps + tail; step++) {
      if (step < steps && step % every === 17 % every) {
        states.push({ name, hasUpdates, step, tail, state: JSON.stringify(whole.state()) });
      }
      drawn.push(resumedStep(whole, step, hasUpdates));
    }
    expect(states.length).toBe(casesOf(50, steps));
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=commonjs', '--eval', program], {
      input: JSON.stringify(states),
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    });
    expect(stderr).toBe('');
    const other = JSON.parse(stdout) as { process: number; tails: number[][] };
    expect(other.process).not.toBe(process.pid);
    const mismatches = states.filter(
      ({ step }, at) =>
        other.tails[at]!.join() !==
        drawn
          .slice(step, step + tail)
          .flat()
          .join(),
    );
    expect(mismatches.length).toBe(0);
  });
});
