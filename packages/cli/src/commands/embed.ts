import type { EmbedEstimate } from '@rarefy/embeddings';
import { embedderOptions } from '../models/embedder-options.js';
import { command } from '../shell/command.js';
import { table } from '../terminal/table.js';

export const embed = command({
  description: 'Embed prompts or conversations into a file, in steps that survive a kill',
  example: 'rarefy embed --data prompts.jsonl --out embeddings.safetensors --ckpt sft',
  options: {
    data: {
      type: 'text',
      valueHint: 'file',
      required: true,
      description: 'JSON Lines of {id, prompt, assistant?}, gzip or plain; - for stdin',
    },
    out: {
      type: 'text',
      valueHint: 'file',
      required: true,
      description: 'Embeddings file to write; its extension names the format',
    },
    ...embedderOptions,
    'batch-tokens': {
      type: 'integer',
      min: 1,
      description: 'Tokens embedded at a time, padding included; default of causal-lm and logits 2048, of onnx 1024',
    },
    dtype: {
      type: 'choice',
      choices: ['float32', 'float16', 'bfloat16'],
      default: 'float32',
      description: 'Numbers in the file',
    },
    limit: { type: 'integer', min: 1, description: 'Embed only the first rows' },
    'on-bad-line': {
      type: 'choice',
      choices: ['stop', 'skip'],
      default: 'stop',
      description: 'What to do about a line that is no row; skipped ones are counted',
    },
    'shard-rows': { type: 'integer', default: 512, min: 1, description: 'Rows saved at a time' },
    'dry-run': { type: 'flag', description: 'Measure a sample and tell rows, tokens, time and memory; write nothing' },
    resume: { type: 'flag', description: 'Go on where a run of the same job stopped; this is the default' },
    'no-resume': { type: 'flag', description: 'Begin anew, over whatever is at --out' },
    force: { type: 'flag', description: 'The same as --no-resume' },
    'skip-failed': { type: 'flag', description: 'Leave out rows that cannot be embedded; default no file, and code 1' },
  },
  async run({ data, out, limit, onBadLine, noResume, force, resume, ...given }, options) {
    const { dryRun, dtype, shardRows, skipFailed, ...values } = given;
    const { InvalidArgumentError } = await import('@rarefy/core');
    const { embedToFile, estimateEmbedding, formatToWrite } = await import('@rarefy/embeddings');
    const { conversationRows, dataNotes } = await import('../models/conversation-rows.js');
    const { openEmbedder } = await import('../models/open-embedder.js');
    const { tellCut } = await import('../models/embed-texts.js');
    const { installedVersions } = await import('../models/installed-versions.js');
    if (resume && (noResume || force)) throw new InvalidArgumentError('--resume and --no-resume exclude each other.');
    formatToWrite(out, dtype); // before a model is loaded for nothing
    const rows = await conversationRows(data, { limit, onBadLine }, options);
    const { embedder, countTokens, batchSize, model } = await openEmbedder(values, options);
    await using _ = embedder;
    // The others keep to the budget themselves.
    const batchTokens = model.embedder === 'use' ? values.batchTokens : undefined;
    const batching = { countTokens, batchSize, batchTokens, dtype, shardRows };
    if (dryRun) {
      console.log(estimateTable(await estimateEmbedding(embedder, rows, { ...batching, ...options })));
      return;
    }
    const { manifest, computed, resumed } = await embedToFile(embedder, rows, {
      ...{ ...batching, ...options, out, skipFailed, model },
      resume: !(noResume || force),
      data: await dataNotes(data, limit, options),
      versions: installedVersions(model.embedder!),
    });
    if (computed === 0 && resumed > 0) {
      const message = 'every row was there already; --no-resume embeds them again';
      options.onEvent({ type: 'work-message', task: 'embed', message });
    }
    tellCut(manifest.counts.truncated, manifest.data.rows, options);
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
  ]).concat(`\n\nFrom ${sampled} texts embedded in ${sampleSeconds.toFixed(2)} s. Nothing was written.`);
}
