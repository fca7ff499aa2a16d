import { neighborIndexChecks } from '@rarefy/testing';
import { describeChecks } from '@rarefy/testing/vitest';
import { scanIndex } from './scan-index.js';

describeChecks('scanIndex', neighborIndexChecks({ create: scanIndex, fingerprint: 'scan' }));
