import { checkInteger, checkNumber, checkOptions, InvalidArgumentError } from '@rarefy/core';
import { type CausalLanguageModel, type ModelSnapshot, snapshot } from '@rarefy/lm';
import * as tf from '@tensorflow/tfjs-core';
import type { PolicyLoss } from './losses/policy-loss.js';

/** How the reference follows the policy. */
export interface ReferenceSync {
  /** Share of the policy in the new reference, in [0, 1]; default 0.6. TRL's `ref_model_mixup_alpha`. */
  readonly mixupAlpha?: number;
  /** Optimizer steps from one mix to the next, an integer ≥ 1; default 512. TRL's `ref_model_sync_steps`. */
  readonly syncSteps?: number;
}

const optionNames = ['mixupAlpha', 'syncSteps'] as const satisfies readonly (keyof ReferenceSync)[];

/** A reference that follows the policy: a copy of the one that was given. */
export interface SyncedReference {
  readonly model: ModelSnapshot;
  /** Counts an optimizer step, and mixes after every `syncSteps`-th one. */
  afterUpdate(): void;
  /** Number of optimizer steps so far. */
  state(): number;
  restore(steps: number): void;
}

/**
 * Resolves the options, and checks that there is something to follow.
 * @throws InvalidArgumentError if an option is unknown or out of range, the loss uses no reference or there is none, the policy has
 *   an adapter, or the parameters of the two models differ in names or shapes.
 */
export function checkReferenceSync(
  options: ReferenceSync | undefined,
  policy: CausalLanguageModel,
  reference: CausalLanguageModel | undefined,
  loss: PolicyLoss,
): Required<ReferenceSync> | undefined {
  if (options === undefined) return undefined;
  checkOptions(options, optionNames, 'syncRefModel');
  const { mixupAlpha = 0.6, syncSteps = 512 } = options;
  checkNumber('syncRefModel.mixupAlpha', mixupAlpha, 0, 1);
  checkInteger('syncRefModel.syncSteps', syncSteps, 1);
  if (policy.adapter) {
    throw new InvalidArgumentError(
      'syncRefModel does not apply to a policy with an adapter: its reference is the model with the adapter off, whose weights the policy needs as they are; drop syncRefModel, or train all weights',
    );
  }
  if (reference === undefined || loss.settings?.beta === 0 || loss.usesReference === false) {
    throw new InvalidArgumentError(
      `syncRefModel needs a reference that the loss uses, and the loss '${loss.name}' has none; give the loss a beta > 0 and trainGrpo a \`reference\`, or drop syncRefModel`,
    );
  }
  const [ours, theirs] = [policy.parameters, reference.parameters];
  const differing = Object.keys({ ...ours, ...theirs }).find(
    (name) => ours[name]?.shape.join() !== theirs[name]?.shape.join(),
  );
  if (differing !== undefined) {
    const shapeOf = (weights: typeof ours) => (weights[differing] ? `[${weights[differing].shape}]` : 'missing');
    throw new InvalidArgumentError(
      `syncRefModel needs a reference with the parameters of the policy, and '${differing}' is ${shapeOf(ours)} in the policy and ${shapeOf(theirs)} in the reference; give reference: snapshot(policy.model)`,
    );
  }
  return { mixupAlpha, syncSteps };
}

/**
 * Every `syncSteps` optimizer steps, the reference becomes mixupAlpha · policy + (1 - mixupAlpha) · reference, per parameter and in
 * float32 (Gorbatovski et al. 2024, "Learn Your Reference Model for Real Good Alignment"; `SyncRefModelCallback` of TRL). Frozen
 * weights stay. The given reference does not change: the copy shares its numbers until the first mix.
 */
export function syncedReference(
  policy: CausalLanguageModel,
  reference: CausalLanguageModel,
  { mixupAlpha, syncSteps }: Required<ReferenceSync>,
): SyncedReference {
  const model = snapshot(reference);
  let steps = 0;
  return {
    model,
    afterUpdate() {
      steps++;
      if (steps % syncSteps !== 0) return;
      for (const [name, kept] of Object.entries(model.parameters)) {
        tf.tidy(() => {
          const share = tf.mul(policy.parameters[name]!, mixupAlpha);
          kept.assign(tf.add(tf.mul(kept, 1 - mixupAlpha), share));
        });
      }
    },
    state: () => steps,
    restore(saved) {
      steps = saved;
    },
  };
}
