import { expect, test } from 'vitest';
import { longCommentLines } from './long-comments.js';

const long = 'x'.repeat(131);

test('finds long lines with a comment, in each language', () => {
  expect(longCommentLines('a.ts', `const a = 1;\n// ${long}\n/**\n * ${long}\n */\nconst b = 2; // ${long}\n`)).toEqual(
    [2, 4, 6],
  );
  expect(longCommentLines('a.mjs', `#!/usr/bin/env node\n/* ${long} */`)).toEqual([2]);
  expect(longCommentLines('a.rs', `/// ${long}\nlet a = 1; // ${long}\nlet b = "${long}";`)).toEqual([1, 2]);
  expect(longCommentLines('a.sh', `# ${long}\necho 1 # ${long}\necho "${long}"`)).toEqual([1, 2]);
});

test('lets long strings, templates and short comments pass', () => {
  const template = `\`${long} // not a comment\``;
  expect(longCommentLines('a.ts', `const a = 'https://${long}';\nconst b = ${template};\n// short\n`)).toEqual([]);
  expect(longCommentLines('a.ts', `const pattern = /\\/\\/ ${long}/;\n// ${'x'.repeat(129)}\n`)).toEqual([]);
});
