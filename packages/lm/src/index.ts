/**
 * Decoder-only language models in TensorFlow.js.
 *
 * - A {@link CausalLanguageModel} has `forward` (logits and hidden states) and tfjs variables. {@link loadLanguageModel} reads
 *   checkpoints of Hugging Face of each {@link ModelFamily}, and GGUF files; {@link fromForwardModel} and {@link fromLayersModel}
 *   wrap a model of your own, and {@link loadWeights} loads its weights again. {@link snapshot} keeps the weights of a model in
 *   training.
 * - Numbers are computed on the current tfjs backend: {@link chooseBackend} loads the fastest one.
 * - A {@link ChatFormat} writes prompts and answers as tokens: {@link chatFormat} takes the chat template of the model.
 *   {@link generate} continues prompts, independent of the batch.
 * - Training is a {@link TrainingTask} run by {@link trainWithCheckpoints}: AdamW, a learning-rate schedule, and checkpoints from
 *   which a killed run resumes exactly. {@link trainLanguageModel} is one; reward models and GRPO are others.
 */
export {
  activate,
  type BackendName,
  backendNames,
  type ChosenBackend,
  chooseBackend,
} from './backend/choose-backend.js';
export { mendWasmKernels } from './backend/mend-wasm-kernels.js';
export {
  type LoadedModel,
  loadLanguageModel,
  loadWeights,
  type SavedModel,
  saveLanguageModel,
} from './checkpoint/model-folder.js';
export type {
  CausalLanguageModel,
  ForwardModel,
  LoraAdapter,
  ModelDescription,
  ModelFamily,
  ModelOutput,
} from './families/causal-language-model.js';
export { checkLoaded, checkModel, checkTokenizer } from './families/check-model.js';
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
export type { ForwardOptions } from './layers/forward-context.js';
export { type CacheShape, disposeCache, type KeyValueCache, keyValueCache } from './layers/key-value-cache.js';
export type { LowRankUpdates } from './layers/low-rank.js';
export { type PaddedBatch, padLeft, padRight } from './layers/padding.js';
export { type TokenStatistics, tokenLogProbabilities, tokenStatistics } from './layers/token-log-probabilities.js';
export { type LoraOptions, lora, mergeLora } from './lora/lora.js';
export { type LoadedLora, loadLora } from './lora/peft-files.js';
export {
  type ChatFormat,
  type ChatMessage,
  type ChatPrompt,
  checkChatFormat,
  promptText,
} from './tokenizer/chat-format.js';
export { type ChatFormatOptions, chatFormat } from './tokenizer/choose-chat-format.js';
export { type ChatSettings, type SpecialToken, type Tokenizer, tokenizerFromJson } from './tokenizer/tokenizer.js';
export { loadTokenizer, saveTokenizer } from './tokenizer/tokenizer-files.js';
export { trainBytePairTokenizer } from './tokenizer/train-bpe.js';
export { type AdamW, type AdamWOptions, type AdamWState, adamW } from './train/adamw.js';
export { answerExamples, type ExamplesAt, shuffled, type TrainingExample, windows } from './train/examples.js';
export { accumulateGradients, type Gradients } from './train/gradients.js';
export { learningRateSchedule, type Schedule, type ScheduleType } from './train/schedule.js';
export { type LanguageModelTrainingOptions, trainLanguageModel } from './train/train-language-model.js';
export {
  type CheckpointOptions,
  type Evaluate,
  type StepMetrics,
  type StepReview,
  type TrainingOptions,
  type TrainingRun,
  type TrainingTask,
  trainingOptionNames,
  trainWithCheckpoints,
} from './train/train-with-checkpoints.js';
export { latestCheckpoint } from './train/training-checkpoint.js';
