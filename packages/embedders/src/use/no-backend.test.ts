import { MissingDependencyError } from '@rarefy/core';
import { expect, test } from 'vitest';
import { universalSentenceEncoder } from './universal-sentence-encoder.js';

test('without a tfjs backend the error names chooseBackend', async () => {
  const failed = universalSentenceEncoder();
  await expect(failed).rejects.toThrow(MissingDependencyError);
  await expect(failed).rejects.toThrow(
    'tfjs has no backend to run the sentence encoder on. Call `await chooseBackend()`',
  );
});
