import { loaderChecks } from '@rarefy/testing';
import { describeChecks } from '@rarefy/testing/vitest';
import * as tf from '@tensorflow/tfjs';
import { grpoLoader, type PromptBatch, promptRows } from './grpo-loader.js';

describeChecks(
  'grpoLoader',
  loaderChecks({
    create: grpoLoader,
    rows: (batch: PromptBatch<string>) => promptRows(batch).prompts,
    countTensors: () => tf.memory().numTensors,
  }),
);
