import type { AdamWOptions, Schedule, ScheduleType } from '@rarefy/training';
import { choice, integer, number } from '../shell/define-option.js';
import { type OptionDefinitions, type OptionValues, under } from '../shell/options.js';

interface OptimizerDefaults<Type extends ScheduleType> {
  readonly learningRate: number;
  readonly schedule: Type;
  /** In words. */
  readonly warmup?: string;
  readonly weightDecay?: number;
  readonly beta2?: number;
  /** 0: none. */
  readonly maxGradNorm?: number;
}

/** Options of AdamW and its learning rate, with the names of Hugging Face's `TrainingArguments`. */
export function optimizerOptions<Type extends ScheduleType>(defaults: OptimizerDefaults<Type>) {
  const { learningRate, schedule, warmup = 'none', weightDecay = 0, beta2 = 0.999, maxGradNorm = 1 } = defaults;
  return under('Optimizer', {
    'learning-rate': number('Highest learning rate', { default: learningRate, min: 0 }),
    'lr-scheduler-type': choice(
      ['constant', 'linear', 'cosine'],
      'Learning rate after the warmup: constant, or a decay to 0',
      { default: schedule },
    ),
    'warmup-steps': integer(`Steps in which the learning rate rises; default ${warmup}`, { min: 0 }),
    'weight-decay': number('Decoupled weight decay, not of norms and biases', { default: weightDecay, min: 0 }),
    'max-grad-norm': number('Scale gradients down to this norm; 0 does not', { default: maxGradNorm, min: 0 }),
    'adam-beta1': number('Decay of the first moment', { default: 0.9, min: 0, max: 1 }),
    'adam-beta2': number('Decay of the second moment', { default: beta2, min: 0, max: 1 }),
    'adam-epsilon': number('Added to the root of the second moment', { default: 1e-8, min: 0 }),
  } as const satisfies OptionDefinitions);
}

type OptimizerValues = OptionValues<ReturnType<typeof optimizerOptions>>;

/** The options of a trainer about AdamW and the learning rate. @param warmup default of `--warmup-steps` */
export async function openOptimizer(
  values: OptimizerValues,
  warmup = 0,
): Promise<AdamWOptions & { readonly schedule: Schedule }> {
  const { learningRateSchedule } = await import('@rarefy/training');
  const { learningRate, lrSchedulerType, warmupSteps = warmup, weightDecay, maxGradNorm } = values;
  return {
    ...{ learningRate, weightDecay, epsilon: values.adamEpsilon, betas: [values.adamBeta1, values.adamBeta2] },
    ...(maxGradNorm > 0 && { maxGradNorm }),
    schedule: learningRateSchedule(lrSchedulerType, { warmupSteps }),
  };
}
