import { armSets, defineExperiment } from '@rarefy/experiment';
import { plantedReward } from './rewards.js';
import { setting, stratumOf } from './setting.js';

const { arms: _, ...shared } = setting(
  'planted-effect',
  'A reward that likes em-dashes in answers to crowded prompts only: density-aware sampling must lower their rate.',
  [plantedReward((prompt) => stratumOf(prompt) === 'head')],
);

/** Positive control: an effect that the experiment must find. */
export default defineExperiment({
  ...shared,
  arms: armSets.claim.filter(({ name }) => name === 'uniform' || name === 'ess-0.2'),
  primary: 'em-dashes',
  secondary: ['distinct-good', 'vocabulary-ratio'],
});
