import { expect, test } from 'vitest';
import { visibleText } from './visible-text.js';

test('controls, direction marks and lone surrogates become visible; letters of any script are unchanged', () => {
  expect(visibleText('a\u202eb\u0000\u2066\u200b\ud800\u{e0041}\u001b')).toBe(
    'a\\u{202e}b\\u{0}\\u{2066}\\u{200b}\\u{d800}\\u{e0041}\\u{1b}',
  );
  const plain = 'naïve مرحبا 日本語 🙂👩‍🚀\n\ttab';
  expect(visibleText(plain)).toBe(plain);
});
