/**
 * Training data: preference pairs, prompts and conversations, and the download of data sets and models.
 *
 * - A record is one line of a JSON Lines file. {@link readPairs}, {@link readPrompts} and {@link readConversations} read records
 *   one at a time, in order, and name the line of a bad one.
 * - {@link uniquePrompts} merges equal prompts and counts them; {@link mergeNearDuplicates} merges prompts that are nearly equal.
 * - {@link writeWeights} and {@link readWeights} carry the weights of prompts from one program to another, by id.
 * - {@link downloadPairs} collects preference pairs from data sets into one file, with a manifest of their origin.
 * - {@link pullModel} downloads a model into the cache once; {@link pulledModels} and {@link pulledModelFolder} find it there.
 * - Downloads continue after an interruption, and every file is checked against the checksum of the hub.
 */
export { cacheFolder } from '@rarefy/io';
export {
  type DownloadPairsOptions,
  downloadPairs,
  type PairsManifest,
  type PairsSource,
} from './datasets/download-pairs.js';
export { pairSets } from './datasets/pair-sets.js';
export { readRows, type TableRow } from './datasets/read-rows.js';
export type { HubOptions } from './hub/hub.js';
export {
  type PulledModel,
  type PullModelOptions,
  pulledModelFolder,
  pulledModels,
  pullModel,
} from './hub/pull-model.js';
export { type Conversation, readConversations } from './records/conversations.js';
export { mergeNearDuplicates, type NearDuplicateOptions } from './records/near-duplicates.js';
export { type ColumnMap, type Pair, readPairs } from './records/pairs.js';
export { type PromptRecord, readPrompts, uniquePrompts } from './records/prompts.js';
export {
  promptAndAnswer,
  type TranscriptMessage,
  type Turn,
  transcriptMessages,
  transcriptTurns,
} from './records/transcript.js';
export { readWeights, type WeightColumns, writeWeights } from './weights-file.js';
