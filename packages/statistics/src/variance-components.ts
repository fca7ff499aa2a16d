import { checkInteger, checkOptions, described, InvalidArgumentError, ShapeError } from '@rarefy/core';
import { checkValues, meanOf } from './numbers.js';

export interface VarianceComponent {
  /** Variance, ≥ 0. */
  readonly value: number;
  /** Part of the sum of all components, in [0, 1]. NaN if that sum is 0. */
  readonly share: number;
  /** Whether the estimate was negative, and 0 stands in for it: the component is too small to be seen in these data. */
  readonly negative: boolean;
}

export interface VarianceComponents {
  /** Differences between runs on average over prompts. */
  readonly run: VarianceComponent;
  /** Differences between prompts that all runs share. They cancel between arms that answer the same prompts. */
  readonly prompt: VarianceComponent;
  /** Differences between runs that depend on the prompt; includes `sample` if `separated` is false. */
  readonly runPrompt: VarianceComponent;
  /** Differences between answers of one run to one prompt. 0 if `separated` is false. */
  readonly sample: VarianceComponent;
  /** Whether there was more than one sample per prompt, which separates `sample` from `runPrompt`. */
  readonly separated: boolean;
  readonly prompts: number;
  readonly samples: number;
  /** Expected variance of the mean of a run over these prompts, among runs that answer the same prompts. */
  readonly meanVariance: number;
  /** What `meanVariance` consists of: `run` + `runPrompt` / prompts + `sample` / (prompts · samples). */
  readonly meanParts: { readonly run: number; readonly runPrompt: number; readonly sample: number };
  /**
   * What to buy more of: that whose part of `meanVariance` is the largest. Only more runs help against `run`, more prompts against
   * `runPrompt`, and more samples or more prompts against `sample`.
   */
  readonly more: 'runs' | 'prompts' | 'samples';
}

/**
 * Splits the variance of a measure into runs, prompts and samples, by the method of moments for a balanced design in which every
 * run of one arm answers the same prompts equally often: runs and prompts are crossed, and samples are nested within their cells.
 * Each observed mean square is set equal to its expectation. Negative estimates are reported as 0 with a flag. Deterministic.
 *
 * Trap: components of few runs are uncertain: with 8 runs, the interval of `run` reaches from about half to four times the
 * estimate. At the same number of answers, more prompts with fewer samples each always reduce `meanVariance` at least as much as
 * more samples; choose samples only if prompts are scarce or a measure needs several answers per prompt.
 *
 * Source: Searle, Casella and McCulloch, "Variance components", 1992; Brennan, "Generalizability theory", 2001.
 * @param values `values[run][prompt][sample]` of one arm: at least two runs and two prompts
 * @throws InvalidArgumentError if there are fewer than two runs or prompts, or no sample; ShapeError if runs have different numbers
 *   of prompts, or prompts of samples; NotFiniteError if a value is NaN or infinite.
 */
export function varianceComponents(values: readonly (readonly ArrayLike<number>[])[]): VarianceComponents {
  const { runs, prompts, samples } = checkedSizes(values);
  const cells = values.map((run) => run.map((cell) => meanOf(cell))); // runs x prompts
  const runMeans = cells.map((run) => meanOf(run));
  const promptMeans = cells[0]!.map((_, prompt) => meanOf(cells.map((run) => run[prompt]!)));
  const mean = meanOf(runMeans);

  const squares = { run: 0, prompt: 0, runPrompt: 0, sample: 0 };
  for (const runMean of runMeans) squares.run += prompts * samples * (runMean - mean) ** 2;
  for (const promptMean of promptMeans) squares.prompt += runs * samples * (promptMean - mean) ** 2;
  cells.forEach((run, r) => {
    run.forEach((cell, p) => {
      squares.runPrompt += samples * (cell - runMeans[r]! - promptMeans[p]! + mean) ** 2;
      for (const value of Array.from(values[r]![p]!)) squares.sample += (value - cell) ** 2;
    });
  });
  const ofRuns = squares.run / (runs - 1);
  const ofPrompts = squares.prompt / (prompts - 1);
  const ofCells = squares.runPrompt / ((runs - 1) * (prompts - 1));
  const ofSamples = samples === 1 ? 0 : squares.sample / (runs * prompts * (samples - 1));

  const estimates = {
    run: (ofRuns - ofCells) / (prompts * samples),
    prompt: (ofPrompts - ofCells) / (runs * samples),
    runPrompt: (ofCells - ofSamples) / samples,
    sample: ofSamples,
  };
  const total = Object.values(estimates).reduce((sum, value) => sum + Math.max(0, value), 0);
  const component = (value: number): VarianceComponent => ({
    value: Math.max(0, value),
    share: total === 0 ? Number.NaN : Math.max(0, value) / total,
    negative: value < 0,
  });
  const components = {
    run: component(estimates.run),
    prompt: component(estimates.prompt),
    runPrompt: component(estimates.runPrompt),
    sample: component(estimates.sample),
  };
  const meanParts = partsOfRunMean(components, prompts, samples);
  const { run, runPrompt, sample } = meanParts;
  const largest = Math.max(run, runPrompt, sample);
  return {
    ...components,
    separated: samples > 1,
    prompts,
    samples,
    meanVariance: run + runPrompt + sample,
    meanParts,
    more: largest === run ? 'runs' : largest === runPrompt ? 'prompts' : 'samples',
  };
}

/**
 * Expected variance of the mean of a run over `prompts` prompts with `samples` answers each, among runs that answer the same
 * prompts; the mean of n runs has 1 / n of it. Its square root is the `deviation` that `minimumDetectableEffect` and `runsNeeded`
 * take. Deterministic.
 *
 * Trap: components with `separated` false hold for their number of samples only; for another one, the result is wrong.
 * @param components of {@link varianceComponents}
 * @throws InvalidArgumentError if `prompts` or `samples` is not an integer ≥ 1, or `samples` differs from that of components that
 *   are not separated.
 */
export function runMeanVariance(
  components: VarianceComponents,
  size: { readonly prompts: number; readonly samples: number },
): number {
  const { prompts, samples } = checkOptions(size, ['prompts', 'samples'], 'runMeanVariance');
  checkInteger('prompts', prompts, 1);
  checkInteger('samples', samples, 1);
  if (!components.separated && samples !== components.samples) {
    throw new InvalidArgumentError(
      `samples must be ${components.samples}, got ${samples}: one sample per prompt does not tell how much samples vary`,
    );
  }
  const { run, runPrompt, sample } = partsOfRunMean(components, prompts, samples);
  return run + runPrompt + sample;
}

function partsOfRunMean(
  { run, runPrompt, sample }: Pick<VarianceComponents, 'run' | 'runPrompt' | 'sample'>,
  prompts: number,
  samples: number,
) {
  return { run: run.value, runPrompt: runPrompt.value / prompts, sample: sample.value / (prompts * samples) };
}

function checkedSizes(values: readonly (readonly ArrayLike<number>[])[]) {
  const runs = checkedLength('values', values, 'runs');
  const prompts = checkedLength('run 0', values[0]!, 'prompts');
  checkValues('prompt 0 of run 0', values[0]![0]!, 1);
  const samples = values[0]![0]!.length;
  values.forEach((run, r) => {
    const length = checkedLength(`run ${r}`, run, 'prompts');
    if (length !== prompts)
      throw new ShapeError(`run ${r} has ${length} prompts and run 0 ${prompts}; give all runs the same ones`);
    run.forEach((cell, p) => {
      checkValues(`prompt ${p} of run ${r}`, cell, 1);
      if (cell.length === samples) return;
      throw new ShapeError(
        `prompt ${p} of run ${r} has ${cell.length} samples and prompt 0 of run 0 ${samples}; give all equally many`,
      );
    });
  });
  return { runs, prompts, samples };
}

function checkedLength(name: string, values: readonly unknown[], of: string): number {
  if (!Array.isArray(values))
    throw new InvalidArgumentError(`${name} must be an array of ${of}, got ${described(values)}`);
  if (values.length < 2) throw new InvalidArgumentError(`${name} must have at least two ${of}, got ${values.length}`);
  return values.length;
}
