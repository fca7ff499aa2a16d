import { counterRandom, InvalidArgumentError, StateMismatchError, TrainingError } from '@rarefy/core';
import { activate } from '@rarefy/lm';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { describeOnBackends } from '../../../../tests/support/backends.js';
import { type AdamW, type AdamWOptions, adamW, adamWSettings } from './adamw.js';

const sizes = { weight: [3, 4], bias: [4] } as const;
const names = ['weight', 'bias'] as const;
const random = counterRandom(11);

function numbers(stream: number, size: number, scale = 1): number[] {
  return Array.from({ length: size }, (_, index) => Math.fround(scale * (2 * random.fork(stream).uniform(index) - 1)));
}

/** New variables, always with the same values, and gradients that depend only on the step. */
function problem() {
  const parameters = Object.fromEntries(
    names.map((name, index) => [
      name,
      tf.tidy(() => tf.variable(tf.tensor(numbers(index, size(name)), [...sizes[name]]))),
    ]),
  );
  const gradients = (step: number, scale = 1) =>
    Object.fromEntries(
      names.map((name, index) => [
        parameters[name]!.name,
        tf.tensor(numbers(100 * step + index, size(name), scale), [...sizes[name]]),
      ]),
    );
  const values = () => names.flatMap((name) => Array.from(parameters[name]!.dataSync()));
  return { parameters, gradients, values };
}

function size(name: keyof typeof sizes): number {
  return sizes[name].reduce<number>((product, length) => product * length, 1);
}

function run(optimizer: AdamW, gradients: ReturnType<typeof problem>['gradients'], from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => {
    const tensors = gradients(from + index);
    const norm = optimizer.step(tensors);
    tf.dispose(tensors);
    return norm;
  });
}

/** Adam with decoupled decay in float64, scalar by scalar (Loshchilov & Hutter 2019, algorithm 2; PyTorch's step size). */
function exactAdamW(start: number[], gradients: number[][], options: Required<AdamWOptions>): number[] {
  const [beta1, beta2] = options.betas;
  const theta = [...start];
  const first = start.map(() => 0);
  const second = start.map(() => 0);
  gradients.forEach((raw, index) => {
    const norm = Math.hypot(...raw);
    const scale = norm > options.maxGradNorm ? options.maxGradNorm / (norm + 1e-6) : 1;
    raw.forEach((value, element) => {
      const gradient = value * scale;
      first[element] = beta1 * first[element]! + (1 - beta1) * gradient;
      second[element] = beta2 * second[element]! + (1 - beta2) * gradient * gradient;
      const meanHat = first[element]! / (1 - beta1 ** (index + 1));
      const squareHat = second[element]! / (1 - beta2 ** (index + 1));
      // Norms and biases have rank 1. They are never decayed.
      if (element < size('weight')) theta[element]! -= options.learningRate * options.weightDecay * theta[element]!;
      theta[element]! -= (options.learningRate * meanHat) / (Math.sqrt(squareHat) + options.epsilon);
    });
  });
  return theta;
}

const settings: Record<string, Required<AdamWOptions>> = {
  defaults: { learningRate: 1e-2, betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0, maxGradNorm: Infinity },
  clipped: { learningRate: 3e-2, betas: [0.8, 0.95], epsilon: 1e-3, weightDecay: 0.2, maxGradNorm: 0.5 },
};

test('the defaults are those of TRL', () => {
  expect(adamWSettings({ learningRate: 1e-2 })).toEqual(settings.defaults);
});

describeOnBackends('adamW', () => {
  test.each(Object.keys(settings))('follows float64 for 20 steps: %s', (key) => {
    const options = settings[key]!;
    const { parameters, gradients, values } = problem();
    const start = values();
    const optimizer = adamW(parameters, options);
    const norms = run(optimizer, gradients, 1, 21);
    const raw = Array.from({ length: 20 }, (_, index) =>
      names.flatMap((name, stream) => numbers(100 * (index + 1) + stream, size(name))),
    );
    const expected = exactAdamW(start, raw, options);
    values().forEach((value, element) => {
      expect(Math.abs(value - expected[element]!)).toBeLessThan(2e-6);
    });
    // The norm is that before clipping.
    norms.forEach((norm, index) => {
      expect(norm).toBeCloseTo(Math.hypot(...raw[index]!), 5);
    });
    optimizer.dispose();
    tf.dispose(parameters);
  });

  test('a restored optimizer continues bit for bit', () => {
    const unbroken = problem();
    const first = adamW(unbroken.parameters, settings.clipped!);
    run(first, unbroken.gradients, 1, 5);
    const saved = first.state();
    const weights = names.map((name) => unbroken.parameters[name]!.dataSync().slice());
    run(first, unbroken.gradients, 5, 9);

    const resumed = problem();
    names.forEach((name, index) => {
      tf.tidy(() => void resumed.parameters[name]!.assign(tf.tensor(weights[index]!, [...sizes[name]])));
    });
    const second = adamW(resumed.parameters, settings.clipped!);
    second.restore(saved);
    expect(second.state()).toEqual(saved);
    expect(saved.step).toBe(4);
    expect(Object.keys(saved.tensors)).toEqual([
      'exp_avg.weight',
      'exp_avg_sq.weight',
      'exp_avg.bias',
      'exp_avg_sq.bias',
    ]);
    run(second, resumed.gradients, 5, 9);
    expect(resumed.values()).toEqual(unbroken.values());
    expect(second.state()).toEqual(first.state());
    tf.dispose([unbroken.parameters, resumed.parameters]);
    first.dispose();
    second.dispose();
  });

  test('a zero gradient leaves only the decay of matrices, and a zero learning rate changes nothing', () => {
    const { parameters, gradients, values } = problem();
    const optimizer = adamW(parameters, { learningRate: 0.5, weightDecay: 0.1 });
    const start = values();
    const zeros = gradients(1, 0);
    optimizer.step(zeros);
    values().forEach((value, element) => {
      expect(value).toBeCloseTo(start[element]! * (element < size('weight') ? 0.95 : 1), 6);
    });
    const decayed = values();
    const real = gradients(2);
    optimizer.step(real, 0);
    expect(values()).toEqual(decayed);
    tf.dispose([zeros, real, parameters]);
    optimizer.dispose();
  });

  test('the first step moves every weight by the learning rate, independent of the size of its gradient', () => {
    for (const scale of [1e-3, 1, 1e3]) {
      const { parameters, gradients, values } = problem();
      const optimizer = adamW(parameters, { learningRate: 0.01, weightDecay: 0, epsilon: 0 });
      const start = values();
      const tensors = gradients(1, scale);
      optimizer.step(tensors);
      values().forEach((value, element) => {
        expect(Math.abs(value - start[element]!)).toBeCloseTo(0.01, 6);
      });
      tf.dispose([tensors, parameters]);
      optimizer.dispose();
    }
  });

  test('a gradient that is not finite changes nothing', () => {
    const { parameters, gradients, values } = problem();
    const optimizer = adamW(parameters, { learningRate: 0.1 });
    run(optimizer, gradients, 1, 2);
    const before = { values: values(), state: optimizer.state() };
    const bad = gradients(2, Number.NaN);
    expect(() => optimizer.step(bad)).toThrow(TrainingError);
    expect(() => optimizer.step(bad)).toThrow('the gradient norm is NaN at optimizer step 2');
    expect({ values: values(), state: optimizer.state() }).toEqual(before);
    tf.dispose([bad, parameters]);
    optimizer.dispose();
  });

  test('steps, states and restores leak no tensor', () => {
    const empty = tf.memory().numTensors;
    const { parameters, gradients } = problem();
    const optimizer = adamW(parameters, settings.clipped!);
    const before = tf.memory().numTensors;
    expect(before - empty).toBe(6); // two parameters, two moments each
    run(optimizer, gradients, 1, 4);
    optimizer.restore(optimizer.state());
    expect(tf.memory().numTensors).toBe(before);
    optimizer.dispose();
    tf.dispose(parameters);
    expect(tf.memory().numTensors).toBe(empty);
  });

  test('takes the result of tf.variableGrads', () => {
    const { parameters } = problem();
    const optimizer = adamW(parameters, { learningRate: 0.1, weightDecay: 0 });
    const losses = Array.from({ length: 60 }, () => {
      const { value, grads } = tf.variableGrads(
        () => tf.add(tf.sum(tf.square(parameters.weight!)), tf.sum(tf.square(parameters.bias!))),
        Object.values(parameters),
      );
      optimizer.step(grads);
      const loss = value.dataSync()[0]!;
      tf.dispose([value, grads]);
      return loss;
    });
    expect(losses.at(-1)!).toBeLessThan(losses[0]! / 100);
    optimizer.dispose();
    tf.dispose(parameters);
  });
});

test('the fused kernel of wasm rounds as the plain path does, bit for bit', async () => {
  const settings = { learningRate: 0.01, weightDecay: 0.1 };
  const results: number[][] = [];
  for (const backend of ['wasm', 'cpu'] as const) {
    await activate(backend);
    const { parameters, gradients, values } = problem();
    const optimizer = adamW(parameters, settings);
    const copy = tf.clone(parameters.weight!); // shares the memory of the variable
    const before = [...copy.dataSync()];
    run(optimizer, gradients, 0, 5);
    expect([...copy.dataSync()]).toEqual(before);
    results.push([...values(), ...Object.values(optimizer.state().tensors).flatMap((tensor) => [...tensor])]);
    tf.dispose([copy, parameters]);
    optimizer.dispose();
  }
  expect(results[0]).toEqual(results[1]);
});

test('invalid gradients, states and options are refused by name', async () => {
  await tf.setBackend('cpu');
  const { parameters, gradients } = problem();
  const optimizer = adamW(parameters, { learningRate: 0.1 });
  const tensors = gradients(1);
  const { [parameters.bias!.name]: bias, ...withoutBias } = tensors;
  expect(() => optimizer.step(withoutBias)).toThrow("parameter 'bias'");
  expect(() => optimizer.step({ ...tensors, other: bias! })).toThrow(
    "gradient 'other' belongs to none of the parameters",
  );
  expect(() => optimizer.step({ ...tensors, [parameters.weight!.name]: bias! })).toThrow(
    "the gradient of 'weight' has shape [4]",
  );
  expect(() => optimizer.step(tensors, Number.NaN)).toThrow('learningRate must be finite and ≥ 0');

  const good = optimizer.state();
  const { 'exp_avg.bias': _, ...missing } = good.tensors;
  const long = { ...good.tensors, 'exp_avg_sq.bias': new Float32Array(5) };
  const extra = { ...good.tensors, 'exp_avg.other': new Float32Array(1) };
  for (const tensors of [missing, long, extra]) {
    expect(() => optimizer.restore({ step: 3, tensors })).toThrow(StateMismatchError);
  }
  expect(() => optimizer.restore({ step: -1, tensors: good.tensors })).toThrow('step -1');
  expect(optimizer.state()).toEqual(good);

  for (const wrong of [
    { learningRate: -1 },
    { learningRate: 1, betas: [1, 0.9] as const },
    { learningRate: 1, epsilon: Number.NaN },
    { learningRate: 1, weightDecay: -0.1 },
    { learningRate: 1, maxGradNorm: 0 },
  ]) {
    expect(() => adamW(parameters, wrong)).toThrow(InvalidArgumentError);
  }
  expect(() => adamW({}, { learningRate: 1 })).toThrow('parameters is empty; give at least one');
  optimizer.dispose();
  tf.dispose([parameters, tensors]);
});
