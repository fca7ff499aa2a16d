import type { EmbedEstimate } from '@rarefy/embeddings';
import { embeddingOptions } from '../open/embedders.js';
import { command } from '../shell/command.js';
import { choice, flag, integer, text } from '../shell/define-option.js';
import { under } from '../shell/options.js';
import { table } from '../shell/text.js';

export const embed = command({
  description: 'Embed prompts or conversations into a file; a run that was killed continues where it stopped',
  example: 'rarefy embed --data prompts.jsonl --out embeddings.safetensors --ckpt sft',
  options: {
    ...under('Data', {
      data: text('file', 'JSON Lines of {id, prompt, assistant?}, gzip or plain; - for stdin', { required: true }),
      limit: integer('Embed only this many rows, from the first one', { min: 1 }),
      'on-bad-line': choice(['stop', 'skip'], 'What to do with a line that is not a row; skipped lines are counted', {
        default: 'stop',
      }),
      'skip-failed': flag(
        'Leave out rows that cannot be embedded; by default they make the command fail without a file',
      ),
    }),
    ...embeddingOptions,
    ...under('Model', {
      'batch-tokens': integer(
        'Tokens per batch, padding included; default 2048 for causal-lm and logits, 1024 for onnx',
        { min: 1 },
      ),
    }),
    ...under('Output', {
      out: text('file', 'Embeddings file to write; its extension chooses the format', { required: true }),
      dtype: choice(['float32', 'float16', 'bfloat16'], 'Number type in the file', { default: 'float32' }),
      'shard-rows': integer('Rows saved at a time', { default: 512, min: 1 }),
      'dry-run': flag('Embed a sample and report rows, tokens, time and memory of the job; write nothing'),
      resume: flag('Continue a run of the same job; this is the default'),
      'no-resume': flag('Start again and replace what is at --out'),
      force: flag('The same as --no-resume'),
    }),
  },
  async run({ data, out, limit, onBadLine, noResume, force, resume, ...given }, context) {
    const { dryRun, dtype, shardRows, skipFailed, ...values } = given;
    const { InvalidArgumentError } = await import('@rarefy/core');
    const { conversationRows, dataNotes, embedToFile, estimateEmbedding, formatToWrite } = await import(
      '@rarefy/embeddings'
    );
    const { openEmbedder } = await import('../open/embedder.js');
    const { warnOfTruncation } = await import('../open/embeddings.js');
    const { installedVersions } = await import('../open/project-libraries.js');
    if (resume && (noResume || force)) throw new InvalidArgumentError('--resume and --no-resume exclude each other.');
    formatToWrite(out, dtype); // fails before a model is loaded
    const rows = await conversationRows(data, { limit, onBadLine, ...context });
    const { embedder, countTokens, batchSize, model } = await openEmbedder(values, context);
    await using _ = embedder;
    // The other embedders split their batches themselves.
    const batchTokens = model.embedder === 'use' ? values.batchTokens : undefined;
    const batching = { countTokens, batchSize, batchTokens, dtype, shardRows };
    if (dryRun) {
      console.log(estimateTable(await estimateEmbedding(embedder, rows, { ...batching, ...context })));
      return;
    }
    const { manifest, computed, resumed } = await embedToFile(embedder, rows, {
      ...{ ...batching, ...context, out, skipFailed, model },
      resume: !(noResume || force),
      data: await dataNotes(data, limit, context),
      versions: installedVersions(model.embedder!),
    });
    if (computed === 0 && resumed > 0) {
      const message = 'the file already has every row; --no-resume embeds them again';
      context.onEvent({ type: 'work-message', task: 'embed', message });
    }
    warnOfTruncation(manifest.counts.truncated, manifest.data.rows, context);
    console.log(`${manifest.rows} x ${manifest.dimensions} embeddings in ${out}`);
  },
});

function estimateTable(estimate: EmbedEstimate): string {
  const { rows, distinct, tokens, seconds, sampled, sampleSeconds, fileBytes, memoryBytes } = estimate;
  const megabytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  return table([
    ['rows', 'distinct', 'tokens', 'time', 'file', 'memory'],
    [
      String(rows),
      String(distinct),
      tokens === undefined ? '-' : `${tokens}`,
      `${seconds.toFixed(1)} s`,
      megabytes(fileBytes),
      megabytes(memoryBytes),
    ],
  ]).concat(`\n\nEstimated from ${sampled} texts, embedded in ${sampleSeconds.toFixed(2)} s. Nothing was written.`);
}
