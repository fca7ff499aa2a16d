/**
 * How varied texts are, as pure functions. Nothing here needs a model; the metrics of meaning take embeddings, similarities or
 * classes that you computed.
 *
 * - **Words.** {@link words} defines what counts as a word. Every metric of words also takes texts that are already split: words
 *   of another tokenizer, or token ids.
 * - **Repetition of words:** {@link distinctN}, {@link mattr}, {@link selfBleu}, {@link ngramEntropy} and others. Most change
 *   with the length and the number of texts: {@link equalBudgets} makes both equal.
 * - **Meaning:** {@link embeddingVendiScore}, {@link meanPairwiseDistance}, {@link semanticEntropy}.
 * - **Quality.** Garbled answers are diverse. {@link expectedDistinct} counts distinct good answers; {@link garbledShare} and
 *   {@link meanWords} belong beside every other metric.
 * - **Scope.** {@link diversityByScope} compares the answers to one prompt with the answers to different prompts.
 */
export {
  type BudgetOptions,
  diversityByScope,
  equalBudgets,
  type Member,
  type ScopedDiversity,
  type Tokens,
} from './budgets.js';
export {
  classCounts,
  effectiveNumber,
  equivalenceClasses,
  expectedDistinct,
  type Labels,
  type NoveltyUtilityOptions,
  noveltyUtility,
  passAtK,
  semanticEntropy,
} from './classes.js';
export { compressionRatio } from './compression.js';
export { garbledShare, meanWords } from './controls.js';
export {
  embeddingVendiScore,
  meanNearestDistance,
  meanPairwiseDistance,
  type VendiOptions,
  vendiScore,
} from './embeddings.js';
export {
  distinctN,
  expectationAdjustedDistinct,
  type MattrOptions,
  mattr,
  ngramEntropy,
  vocabularyRatio,
} from './lexical.js';
export { type SelfBleuOptions, selfBleu } from './self-bleu.js';
export { emDashPer1000Words, ratePer1000Words, tics } from './tics.js';
export { type Text, words } from './words.js';
