import { embedderChecks } from '@rarefy/testing';
import { describeChecks } from '@rarefy/testing/vitest';
import { letterEmbedder } from './letter-embedder.js';

describeChecks('letterEmbedder', embedderChecks({ create: letterEmbedder, fingerprint: 'letters' }));
