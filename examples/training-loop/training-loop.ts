import { embed, type WeightUpdate } from '@rarefy/core';
import { compose, inverseDensity, targetEss } from '@rarefy/density';
import { hashEmbedder } from '@rarefy/embedders/hash';
import { densityAwareSampler, followUpdates } from '@rarefy/samplers';
import { Subject } from 'rxjs';

/** Trains a classifier of prompts by softmax regression, one draw per step. Prompts that it predicts well are drawn less often. */
export async function trainClassifier(
  prompts: readonly string[],
  classes: readonly number[],
  { steps, seed }: { readonly steps: number; readonly seed: number },
) {
  const embedder = hashEmbedder();
  const weighting = compose(inverseDensity(), targetEss(0.5));
  const sampler = await densityAwareSampler(prompts, { embedder, weighting, seed });
  const { data, cols } = await embed(embedder, prompts);
  const parameters = Array.from({ length: Math.max(...classes) + 1 }, () => new Float64Array(cols));

  const rarity = sampler.weights();
  const updates = new Subject<WeightUpdate>();
  const subscription = followUpdates(sampler, updates);
  const losses = new Map<number, number>(); // position → loss, of the prompts drawn since the last update
  let step = 0;
  for (const position of sampler) {
    step++;
    losses.set(position, learn(parameters, data.subarray(position * cols, (position + 1) * cols), classes[position]!));
    if (step % 50 === 0) {
      const positions = Int32Array.from(losses.keys());
      const weights = Float64Array.from(positions, (drawn) => rarity[drawn]! * losses.get(drawn)!);
      updates.next({ version: step, positions, weights }); // applies from the next draw on
      losses.clear();
    }
    if (step === steps) break;
  }
  subscription.unsubscribe();
  return { parameters, sampler };
}

/** One gradient step on -log softmax(parameters · features)[label]; returns the loss before the step. */
function learn(parameters: readonly Float64Array[], features: Float32Array, label: number): number {
  const scores = parameters.map((row) => features.reduce((sum, value, column) => sum + value * row[column]!, 0));
  const exponentials = scores.map((score) => Math.exp(score - Math.max(...scores)));
  const total = exponentials.reduce((sum, value) => sum + value, 0);
  parameters.forEach((row, index) => {
    const slope = exponentials[index]! / total - (index === label ? 1 : 0);
    for (let column = 0; column < row.length; column++) row[column]! -= slope * features[column]!;
  });
  return -Math.log(exponentials[label]! / total);
}
