import { command } from '../shell/command.js';
import { choice, text } from '../shell/define-option.js';

export const convert = command({
  description: 'Write an embeddings file in another format or precision',
  example: 'rarefy convert --in embeddings.pt --out embeddings.safetensors',
  options: {
    in: text('file', 'Embeddings file of any format', { required: true }),
    out: text('file', 'File to write: .safetensors, .npy (with .ids.json beside it), .pt, .parquet or .arrow', {
      required: true,
    }),
    dtype: choice(
      ['float32', 'float16', 'bfloat16'],
      'Number type to write; default that of the input file, or float32 if the format does not support it',
    ),
  },
  async run({ in: from, out, dtype }, context) {
    const { convertEmbeddings } = await import('@rarefy/embeddings');
    const { rows, cols, dtype: written } = await convertEmbeddings(from, out, { ...context, dtype });
    console.log(`${rows} x ${cols} ${written} embeddings in ${out}`);
  },
});
