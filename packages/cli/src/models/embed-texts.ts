import { type CallOptions, collect, type Embedder, embedStream, InvalidArgumentError, type Matrix } from '@rarefy/core';
import type { ChatText } from '@rarefy/embedders/causal-lm';
import type { BackendName } from '@rarefy/lm';
import { modelFolder, openBackend, openModel } from '../training/open-model.js';
import type { embedderNames } from './embedder-options.js';

export interface EmbedTextsOptions {
  readonly embedder: (typeof embedderNames)[number];
  readonly ckpt: string | undefined;
  readonly batchSize: number;
  readonly backend: BackendName | undefined;
}

/** Embeds texts with the embedder that the command line names; tells which backend computes and how many texts were cut. */
export async function embedTexts(
  texts: readonly ChatText[],
  options: EmbedTextsOptions & CallOptions,
): Promise<{ readonly embeddings: Matrix; readonly fingerprint: string }> {
  const { batchSize, signal } = options;
  signal?.throwIfAborted();
  const embedder = await openEmbedder(options, options);
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

/** The embedder that the command line names. */
export async function openEmbedder(
  { embedder, ckpt, backend }: Omit<EmbedTextsOptions, 'batchSize'>,
  { signal, onEvent }: CallOptions,
): Promise<Embedder<ChatText>> {
  if (embedder === 'hash') {
    const { hashEmbedder } = await import('@rarefy/embedders/hash');
    return ofPlainText(hashEmbedder());
  }
  if (embedder === 'onnx') {
    if (ckpt === undefined) {
      throw new InvalidArgumentError('--embedder onnx needs --ckpt: a sentence-transformers folder with an ONNX file');
    }
    const { onnxEmbedder } = await import('@rarefy/embedders/onnx');
    return ofPlainText(await onnxEmbedder(ckpt));
  }
  if (embedder === 'use') {
    await openBackend(backend, { signal, onEvent });
    const { universalSentenceEncoder } = await import('@rarefy/embedders/use');
    return ofPlainText(await universalSentenceEncoder());
  }
  const folder = await modelFolder(ckpt);
  await openBackend(backend, { signal, onEvent });
  const loaded = await openModel(folder, { signal, onEvent });
  const { hiddenStateEmbedder, logitsEmbedder } = await import('@rarefy/embedders/causal-lm');
  return embedder === 'logits' ? logitsEmbedder(loaded, { signal, onEvent }) : hiddenStateEmbedder(loaded);
}

/** A sentence model gets the plain prompt, and the answer after a blank line. */
function ofPlainText(embedder: Embedder<string>): Embedder<ChatText> {
  const plain = (text: ChatText) =>
    typeof text === 'string' ? text : [text.prompt, text.assistant].filter(Boolean).join('\n\n');
  return { ...embedder, embedBatch: (texts, options) => embedder.embedBatch(texts.map(plain), options) };
}
