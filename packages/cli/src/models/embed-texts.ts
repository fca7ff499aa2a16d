import { type CallOptions, collect, embedStream, type Matrix } from '@rarefy/core';
import type { ChatText } from '@rarefy/embedders/causal-lm';
import { type EmbedderValues, openEmbedder } from './open-embedder.js';

/** Embeds texts with the embedder that the command line names; tells which one, and how many texts were cut. */
export async function embedTexts(
  texts: readonly ChatText[],
  values: EmbedderValues,
  options: CallOptions,
): Promise<{ readonly embeddings: Matrix; readonly fingerprint: string }> {
  options.signal?.throwIfAborted();
  const { embedder, batchSize } = await openEmbedder(values, options);
  await using _ = embedder;
  let cut = 0;
  async function* parts() {
    for await (const part of embedStream(embedder, texts, { ...options, batchSize, total: texts.length })) {
      cut += part.truncated.length;
      yield part;
    }
  }
  const embeddings = await collect(parts());
  tellCut(cut, texts.length, options);
  return { embeddings, fingerprint: embedder.fingerprint };
}

/** Says how many texts were cut, when some were. */
export function tellCut(cut: number, texts: number, { onEvent }: CallOptions): void {
  if (cut === 0) return;
  const message = `${cut} of ${texts} texts are longer than the model reads and were cut`;
  onEvent?.({ type: 'work-warning', task: 'embed', code: 'truncated', message });
}
