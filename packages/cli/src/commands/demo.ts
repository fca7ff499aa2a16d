import { demoOptions } from '../runs/demo-options.js';
import { command } from '../shell/command.js';

export const demo = command({
  description: 'Run all jobs on the sample pairs and compare uniform with density-aware sampling in GRPO',
  example: 'rarefy demo --out out/demo',
  options: demoOptions,
  async run(values, context) {
    const { runDemo } = await import('../runs/demo.js');
    await runDemo(values, context);
  },
});
