import type { AdamWOptions, Schedule, ScheduleType } from '@rarefy/training';
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
    'learning-rate': { type: 'number', default: learningRate, min: 0, description: 'Highest learning rate' },
    'lr-scheduler-type': {
      type: 'choice',
      choices: ['constant', 'linear', 'cosine'],
      default: schedule,
      description: 'Learning rate after the warmup: constant, or a decay to 0',
    },
    'warmup-steps': {
      type: 'integer',
      min: 0,
      description: `Steps in which the learning rate rises; default ${warmup}`,
    },
    'weight-decay': {
      type: 'number',
      default: weightDecay,
      min: 0,
      description: 'Decoupled weight decay, not of norms and biases',
    },
    'max-grad-norm': {
      type: 'number',
      default: maxGradNorm,
      min: 0,
      description: 'Scale gradients down to this norm; 0 does not',
    },
    'adam-beta1': { type: 'number', default: 0.9, min: 0, max: 1, description: 'Decay of the first moment' },
    'adam-beta2': { type: 'number', default: beta2, min: 0, max: 1, description: 'Decay of the second moment' },
    'adam-epsilon': { type: 'number', default: 1e-8, min: 0, description: 'Added to the root of the second moment' },
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
