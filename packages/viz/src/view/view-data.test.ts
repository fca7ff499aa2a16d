import { expect, test } from 'vitest';
import { decodeView, encodeView } from './view-data.js';

test('decodeView returns the encoded view, with prompts cut to 200 characters', () => {
  const columns = {
    source: { type: 'category', codes: Uint32Array.of(1, 0), labels: ['a', '</b>'] },
    density: { type: 'number', values: Float32Array.of(0.3, 1) },
    prompt: { type: 'text', values: ['🙂'.repeat(300), 'plain\ud800'] },
  } as const;
  const layout = { data: Float32Array.of(0.1, -1, 1, 0), rows: 2, cols: 2 };
  const prompt = { type: 'text', values: ['🙂'.repeat(200), 'plain\ud800'] };
  expect(decodeView(encodeView({ ids: ['x', '<y>'], layout, columns }))).toEqual({
    ids: ['x', '<y>'],
    layout,
    columns: { ...columns, prompt },
  });
});
