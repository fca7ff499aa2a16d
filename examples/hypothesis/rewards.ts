import { words } from '@rarefy/diversity';
import { type Completion, completionLogProbabilities, type NamedReward } from '@rarefy/grpo';
import { type LoadedModel, padLeft, padRight } from '@rarefy/lm';
import { chatFormat } from '@rarefy/tokenizers';
import * as tf from '@tensorflow/tfjs-core';
import { truthOf } from './ground-truth.js';

/** What is right for the prompt, complete, in words that exist. Graded, so that an answer which is nearly right counts for more. */
export function truthReward(topicOf: (prompt: string) => string): NamedReward {
  const reward = ({ prompt, text, terminated }: Completion) => {
    const { right, offTopic, knownShare, phrases } = truthOf(topicOf(prompt), prompt, text);
    const said = bigrams(text);
    const grades = phrases.map((phrase) => shareFound(bigrams(phrase), said)).sort((a, b) => b - a);
    const nearlyRight = (grades[0]! + grades[1]! + grades[2]!) / 3;
    return (
      nearlyRight +
      Math.min(right.length, 2) / 2 +
      0.5 * Number(terminated) -
      0.5 * Number(offTopic) +
      2 * (knownShare - 1)
    );
  };
  return { name: 'truth', reward: (completions) => Float64Array.from(completions, reward) };
}

/**
 * How probable the start model finds an answer: the mean log-probability of its tokens, at least -3. It stands for the preference
 * of raters for familiar text, which makes answers alike (Zhang et al., "Verbalized sampling", 2025, arXiv 2510.01171).
 */
export function typicalityReward({ model, tokenizer }: LoadedModel): NamedReward {
  const format = chatFormat(tokenizer);
  const reward = (completions: readonly Completion[]) => {
    const means = tf.tidy(() => {
      const prompts = padLeft(completions.map(({ prompt }) => format.prompt(prompt).ids));
      const answers = padRight(completions.map(({ ids }) => ids));
      const [promptIds, promptMask, completionIds, completionMask] = [
        prompts.ids,
        prompts.mask,
        answers.ids,
        answers.mask,
      ];
      const logProbabilities = completionLogProbabilities(model, {
        promptIds,
        promptMask,
        completionIds,
        completionMask,
      });
      const mask = tf.cast(completionMask, 'float32');
      return tf.div(tf.sum(tf.mul(logProbabilities, mask), 1), tf.sum(mask, 1)).dataSync();
    });
    return Float64Array.from(means, (mean) => Math.max(-3, mean));
  };
  return { name: 'typicality', reward };
}

/** A taste planted for the positive control: an em-dash is worth 1 in answers to `crowded` prompts, and -1 in all others. */
export function plantedReward(isCrowded: (prompt: string) => boolean): NamedReward {
  const reward = ({ prompt, text }: Completion) => (text.includes('—') ? (isCrowded(prompt) ? 1 : -1) : 0);
  return { name: 'planted', reward: (completions) => Float64Array.from(completions, reward) };
}

function bigrams(text: string): Set<string> {
  const all = words(text);
  return new Set(all.slice(1).map((word, index) => `${all[index]} ${word}`));
}

function shareFound(wanted: ReadonlySet<string>, said: ReadonlySet<string>): number {
  return [...wanted].filter((pair) => said.has(pair)).length / wanted.size;
}
