/**
 * What Rarefy learns from: pairs, prompts and conversations, and the data sets and models they come from.
 *
 * - A record is a line of a JSON Lines file: {@link readPairs}, {@link readPrompts} and {@link readConversations} read them one at a
 *   time, in order, and name the line of a bad one.
 * - Prompts are counted, not repeated: {@link uniquePrompts} makes one prompt of equal ones, and {@link mergeNearDuplicates} of those
 *   that are nearly equal.
 * - {@link writeWeights} and {@link readWeights} carry the weights of prompts from one program to another, by id.
 * - {@link downloadPairs} gathers preference pairs of data sets into one file, with a manifest that says where each came from.
 * - {@link pullModel} downloads a model into the cache folder once; {@link pulledModels} and {@link pulledModelFolder} find it there.
 * - A download goes on where it stopped, and every file is checked against the checksum that the hub gives.
 */
export {
  type DownloadPairsOptions,
  downloadPairs,
  type PairsManifest,
  type PairsSource,
} from './datasets/download-pairs.js';
export { readRows, type TableRow } from './datasets/read-rows.js';
export { cacheFolder } from './hub/cache-folder.js';
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
export { type ColumnMap, pairSets } from './records/pair-sets.js';
export { type Pair, readPairs } from './records/pairs.js';
export { type PromptRecord, readPrompts } from './records/prompts.js';
export { promptAndAnswer, type Turn, transcriptTurns } from './records/transcript.js';
export { uniquePrompts } from './records/unique-prompts.js';
export { readWeights, type WeightColumns, writeWeights } from './weights-file.js';
