/**
 * Decoder-only language models in TensorFlow.js.
 *
 * - A {@link CausalLanguageModel} has `forward` (logits and hidden states) and tfjs variables. {@link loadLanguageModel} reads
 *   checkpoints of Hugging Face of each {@link ModelFamily}, and GGUF files; {@link fromForwardModel} and {@link fromLayersModel}
 *   wrap a model of your own, and {@link loadWeights} loads its weights again. {@link snapshot} keeps the weights of a model in
 *   training.
 * - Numbers are computed on the current tfjs backend: {@link chooseBackend} loads the fastest one.
 * - {@link generate} continues prompts of tokens, independent of the batch. `@rarefy/tokenizers` writes text as tokens.
 * - {@link lora} adds low-rank updates to a model, and {@link rewardModel} a head that scores a text. `@rarefy/training` trains all
 *   of them.
 */

export { mendWasmKernels } from '@rarefy/lm-wasm';
export {
  activate,
  type BackendName,
  backendNames,
  type ChosenBackend,
  chooseBackend,
} from './backend/choose-backend.js';
export { checkpointFolders, checkpointsName } from './checkpoint/checkpoint-folders.js';
export {
  assignFile,
  assignWeights,
  type LoadedModel,
  loadLanguageModel,
  loadWeights,
  type SavedModel,
  saveLanguageModel,
  tensorsOf,
} from './checkpoint/model-folder.js';
export type {
  CausalLanguageModel,
  ForwardModel,
  LoraAdapter,
  ModelDescription,
  ModelFamily,
  ModelOutput,
} from './families/causal-language-model.js';
export { checkLoaded, checkModel, checkRewardModel, checkTokenizer } from './families/check-model.js';
export { checkOutputHead, checkParameters, checkTrainable } from './families/check-trainable.js';
export { recomputed } from './families/forward-defaults.js';
export { type ForwardModelOptions, fromForwardModel } from './families/from-forward-model.js';
export { fromLayersModel, type LayersModel, type LayersModelOptions } from './families/from-layers-model.js';
export { initialWeights, languageModel, type WeightValues, weightsDigest } from './families/language-model.js';
export { type RewardModel, rewardModel } from './families/reward-model.js';
export { type ModelSnapshot, snapshot } from './families/snapshot.js';
export { type GeneratedCompletion, type GenerateOptions, generate } from './generate/generate.js';
export { checkSampling, type SamplingOptions, sampleToken, samplingOptionNames } from './generate/sample-token.js';
export type { OutputHead } from './layers/basic-layers.js';
export type { ForwardOptions } from './layers/forward-options.js';
export { type CacheShape, disposeCache, type KeyValueCache, keyValueCache } from './layers/key-value-cache.js';
export type { LowRankUpdates } from './layers/low-rank.js';
export { type PaddedBatch, padLeft, padRight } from './layers/padding.js';
export { type TokenStatistics, tokenLogProbabilities, tokenStatistics } from './layers/token-log-probabilities.js';
export { type LoraOptions, lora, mergeLora } from './lora/lora.js';
export { type LoadedLora, loadLora } from './lora/peft-files.js';
