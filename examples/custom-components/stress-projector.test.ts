import { projectorChecks } from '@rarefy/testing';
import { describeChecks } from '@rarefy/testing/vitest';
import { stressProjector } from './stress-projector.js';

describeChecks(
  'stressProjector',
  projectorChecks({
    create: () => stressProjector({ seed: 3 }),
    variants: [() => stressProjector({ seed: 4 }), () => stressProjector({ seed: 3, rounds: 20 })],
  }),
);
