import { expect, test } from 'vitest';
import { chatEmbedder } from './chat-text.js';
import { hashEmbedder } from './hash.js';

test('an embedder of texts reads prompts, turns and answers with blank lines between them', async () => {
  const texts = hashEmbedder();
  const embedder = chatEmbedder(texts);
  expect(embedder.fingerprint).toBe(texts.fingerprint);
  const turns = [
    { role: 'user', content: 'Hi.' },
    { role: 'assistant', content: 'Hello!' },
  ] as const;
  const { embeddings } = await embedder.embedBatch(['plain', { prompt: 'How?', assistant: 'So.' }, { prompt: turns }]);
  expect(embeddings).toEqual((await texts.embedBatch(['plain', 'How?\n\nSo.', 'Hi.\n\nHello!'])).embeddings);
  expect(embedder).not.toHaveProperty('countTokens');
  const counting = { ...texts, countTokens: (items: readonly string[]) => items.map(({ length }) => length) };
  expect(await chatEmbedder(counting as never).countTokens([{ prompt: 'ab', assistant: 'c' }])).toEqual([5]);
});
