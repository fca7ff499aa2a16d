import { createHash } from 'node:crypto';
import type { EmbeddingView } from '@rarefy/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeView } from '../view/view-data.js';
import { escapeData, pageExporter } from './page.js';

const hostile = '</script><img src=x onerror="globalThis.executed=1">\u2028<!--\u202e\ud800';

function viewOf(prompt: string): EmbeddingView {
  return {
    ids: ['first', '<b>'],
    layout: { data: Float32Array.of(0.1, -1, 1, 0, 0.5, -0.25), rows: 2, cols: 3 },
    columns: {
      source: { type: 'category', codes: Uint32Array.of(1, 0), labels: ['<i>a</i>', 'b'] },
      density: { type: 'number', values: Float32Array.of(0, 1) },
      prompt: { type: 'text', values: [prompt, 'plain'] },
    },
  };
}

test('the page is one file, its policy allows only its script and style by hash, and no text ends the data block', async () => {
  const files = [];
  for await (const file of pageExporter({ title: `A & B ${hostile}` }).export(viewOf(hostile))) files.push(file);
  expect(files.map(({ path }) => path)).toEqual(['view.html']);
  const html = new TextDecoder().decode(files[0]!.bytes);
  const inside = (pattern: RegExp) => [...html.matchAll(pattern)].map(([, text]) => text!);
  const scripts = inside(/<script>([\s\S]*?)<\/script>/g);
  const styles = inside(/<style>([\s\S]*?)<\/style>/g);
  const data = inside(/<script type="application\/json" id="view">([\s\S]*?)<\/script>/g);
  expect([scripts.length, styles.length, data.length, html.match(/<script/g)!.length]).toEqual([1, 1, 1, 2]);
  const hash = (text: string) => createHash('sha256').update(text).digest('base64');
  expect(inside(/Content-Security-Policy" content="([^"]*)"/g)).toEqual([
    `default-src 'none'; script-src 'sha256-${hash(scripts[0]!)}'; style-src 'sha256-${hash(styles[0]!)}'; img-src data: blob:; base-uri 'none'; form-action 'none'`,
  ]);
  const markup = html.replace(scripts[0]!, '');
  expect(/<img|<i>a|<b>|onerror="/.test(markup)).toBe(false);
  expect(/<\/script|<!--/i.test(scripts[0]!)).toBe(false);
  expect(scripts[0]!.includes('Three.js Authors')).toBe(true); // its license requires this notice
  expect(decodeView(data[0]!)).toEqual(viewOf(hostile));
});

test('more points than the limit are an error', async () => {
  const many = { ...viewOf(''), ids: new Array<string>(200_001).fill('') };
  await expect(pageExporter().export(many)[Symbol.asyncIterator]().next()).rejects.toThrow('200001 points');
});

test('escaped data has no markup and the same value', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const escaped = escapeData(JSON.stringify([text, '<&>\u2028\u2029']));
      expect(escaped).not.toMatch(/[<>&\u2028\u2029]/);
      expect(JSON.parse(escaped)).toEqual([text, '<&>\u2028\u2029']);
    }),
  );
});
