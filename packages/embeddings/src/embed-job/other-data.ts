import { stat } from 'node:fs/promises';
import { type CallOptions, callOptionNames, checkOptions } from '@rarefy/core';
import { sha256File } from '@rarefy/io';
import { itemText, rowsDigest } from './data-rows.js';
import { readEmbeddingManifest } from './manifest.js';
import { isAbsent } from './output.js';

/**
 * Warns if the rows of an embedding file may have been computed from other texts than the prompts at hand: rows are found by id, so
 * a changed text would get the row of the old one. The manifest beside the file shows whether exactly these prompts were embedded,
 * or whether the data file still has the same bytes. There is no warning without a manifest, or if it has no digest of a data file.
 *
 * The warning is a `work-warning` event with the code `other-data`.
 * @param prompts the prompts at hand, in order
 * @param dataFile the file that they were read from; no warning for `-` and other sources that can be read only once
 * @throws CorruptFileError if the manifest is damaged; InputError if it or the data file cannot be read; the signal's reason on
 * abort.
 */
export async function warnOfOtherData(
  embeddings: string,
  prompts: readonly { readonly id: string; readonly prompt: string }[],
  dataFile: string,
  options: CallOptions = {},
): Promise<void> {
  checkOptions(options, callOptionNames, 'warnOfOtherData');
  const { signal, onEvent } = options;
  const manifest = await readEmbeddingManifest(embeddings).catch((error: unknown) => {
    if (isAbsent(error)) return undefined;
    throw error;
  });
  if (manifest === undefined) return;
  const { path, fileSha256, sha256 } = manifest.data;
  if (typeof fileSha256 !== 'string' || digestsOf(prompts).includes(sha256)) return;
  const isFile = (await stat(dataFile).catch(() => undefined))?.isFile() ?? false;
  if (!isFile || (await sha256File(dataFile, { signal })) === fileSha256) return;
  const message = `the rows of ${embeddings} were computed from ${path} with other content than ${dataFile} has now, and are found by id alone; if texts have changed, embed them again`;
  onEvent?.({ type: 'work-warning', task: 'embeddings', code: 'other-data', message });
}

/** SHA-256 of the rows that these prompts make: as texts, and as `{ prompt }`, which `rarefy embed` gives to an embedder. */
function digestsOf(prompts: readonly { readonly id: string; readonly prompt: string }[]): string[] {
  const [texts, chats] = [rowsDigest(), rowsDigest()];
  for (const { id, prompt } of prompts) {
    texts.add(id, itemText(prompt));
    chats.add(id, itemText({ prompt }));
  }
  return [texts.hex(), chats.hex()];
}
