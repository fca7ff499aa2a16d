import { type CallOptions, collect, type Embedder, embedStream, type Matrix } from '@rarefy/core';
import type { Evaluation, ExperimentRecord } from '../runs/run-record.js';
import { endOf } from './details.js';

/**
 * Embeds the answers of the start model and of every run after training, for measures of meaning: the `embeddings` of
 * {@link analyze}. Equal texts are embedded once; answers without a letter or sign get a row of zeros. Answers during training
 * are not embedded, so these measures have no curve in between. Deterministic if the embedder is.
 * @param embedder one that does not drive the sampler of any arm; the caller disposes of it
 * @returns one row per answer; undefined for other evaluations
 * @throws what the embedder throws; the signal's reason if it is aborted.
 */
export async function embedAnswers(
  record: ExperimentRecord,
  embedder: Embedder,
  options: CallOptions = {},
): Promise<(evaluation: Evaluation) => Matrix | undefined> {
  const evaluations = [record.start, ...record.runs.map(endOf)];
  const isBlank = (text: string) => text.trim() === '';
  const all = evaluations.flatMap(({ answers }) => answers.map(({ text }) => text));
  const texts = [...new Set(all)].filter((text) => !isBlank(text));
  const { data, cols } = await collect(
    embedStream(embedder, texts, { batchSize: 32, total: texts.length, ...options }),
  );
  const rowOf = new Map(texts.map((text, row) => [text, row]));
  return (evaluation) => {
    if (!evaluations.includes(evaluation)) return undefined;
    const rows = new Float32Array(evaluation.answers.length * cols);
    evaluation.answers.forEach(({ text }, answer) => {
      const row = rowOf.get(text);
      if (row !== undefined) rows.set(data.subarray(row * cols, (row + 1) * cols), answer * cols);
    });
    return { data: rows, rows: evaluation.answers.length, cols };
  };
}
