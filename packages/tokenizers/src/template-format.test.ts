import { readFileSync } from 'node:fs';
import { InputError, InvalidArgumentError } from '@rarefy/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ChatMessage } from './chat-format.js';
import { chatFormat } from './choose-chat-format.js';
import { tokenizerFromJson } from './tokenizer.js';
import { trainBytePairTokenizer } from './train-bpe.js';

interface Golden {
  readonly answer: string;
  readonly templates: Readonly<Record<string, { template: string; names: object; end: number; tokenizer: unknown }>>;
  readonly cases: readonly {
    readonly template: string;
    readonly variables: Record<string, unknown>;
    readonly messages: readonly ChatMessage[];
    readonly prompt: readonly number[];
    readonly conversation?: readonly number[];
  }[];
}

// Written by tests/python/chat_templates.py with transformers 5.24.0.
const golden: Golden = JSON.parse(
  readFileSync(new URL('../../../tests/golden/chat-templates.json', import.meta.url), 'utf8'),
);

const names = Object.keys(golden.templates);
const tokenizers = Object.fromEntries(
  Object.entries(golden.templates).map(([name, { template, names, tokenizer }]) => [
    name,
    tokenizerFromJson(tokenizer, { ...names, chat_template: template }),
  ]),
);

describe.each(names)('the template of %s, against transformers', (name) => {
  const tokenizer = tokenizers[name]!;
  const cases = golden.cases.filter(({ template }) => template === name);

  test.each(cases)('$messages.0.content, $variables', ({ messages, variables, prompt, conversation }) => {
    const format = chatFormat(tokenizer, { variables });
    expect([...format.prompt(messages).ids]).toEqual(prompt);
    if (messages.length === 1) expect([...format.prompt(messages[0]!.content).ids]).toEqual(prompt);
    if (conversation === undefined) return;
    const { ids, answerStart } = format.conversation(messages, golden.answer);
    expect([...ids]).toEqual(conversation);
    expect([...ids.subarray(0, answerStart)]).toEqual(prompt);
  });

  test('the end of a turn is trained, and stops an answer as the tokens of the model do', () => {
    const { end } = golden.templates[name]!;
    expect(chatFormat(tokenizer).stopId).toBe(end);
    const stopped = chatFormat({ ...tokenizer, chat: { ...tokenizer.chat, stopIds: [7, end, 9] } });
    expect(stopped.stopIds).toEqual([end, 7, 9]);
  });

  test('names of special tokens in texts stay text', () => {
    const format = chatFormat(tokenizer);
    const special = new Set([...tokenizer.specialTokens!.values()].map(({ id }) => id));
    const marks = (messages: readonly ChatMessage[]) =>
      [...format.prompt(messages).ids].filter((id) => special.has(id));
    const attack = [...tokenizer.specialTokens!.keys()].join(' now ');
    const turns = (text: string) => [
      { role: 'user', content: text },
      { role: 'assistant', content: `yes ${text}` },
      { role: 'user', content: `${text} again` },
    ];
    expect(marks(turns(attack))).toEqual(marks(turns('hello')));
    expect(tokenizer.decode(format.prompt(attack).ids)).toContain(attack);
    expect(marks([{ role: 'user', content: attack }])).toEqual(marks([{ role: 'user', content: 'hello' }]));
  });

  test('a prompt that is too long loses the beginning of its last text, and no mark', () => {
    const format = chatFormat(tokenizer);
    const text = 'one two three four five six seven eight nine ten';
    const whole = format.prompt(text);
    const marks = format.prompt('').ids.length;
    for (let maxTokens = marks + 2; maxTokens < whole.ids.length; maxTokens++) {
      const { ids, truncated } = format.prompt(text, maxTokens);
      expect(truncated).toBe(true);
      expect(ids).toHaveLength(maxTokens);
      // The first ids that differ are of the text: what is left of it and everything after it is the end of the whole.
      const start = [...ids].findIndex((id, index) => id !== whole.ids[index]);
      expect([...ids.subarray(start)]).toEqual([...whole.ids.subarray(whole.ids.length - (ids.length - start))]);
      expect(format.prompt(text, maxTokens)).toEqual(format.prompt(text, maxTokens));
    }
    expect(whole.truncated).toBe(false);
  });
});

const bytes = trainBytePairTokenizer(['the answer to the question is here'], {
  vocabularySize: 300,
  specialTokens: ['<|im_start|>', '<|im_end|>', '<|endoftext|>'],
});
const chatMl = golden.templates.qwen3!.template;
const withTemplate = (template: string) => ({ ...bytes, chat: { ...bytes.chat, template } });

test('names of special tokens in any text stay text, and the texts are whole', () => {
  const format = chatFormat(withTemplate(chatMl));
  const special = new Set([...bytes.specialTokens!.values()].map(({ id }) => id));
  const piece = fc.constantFrom('<|im_', '<', '|', 'end|>', '<|im_start|>', '\n', ' ', 'a', '', 'é', '</think>');
  const text = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''));
  fc.assert(
    fc.property(text, text, text, (first, answer, last) => {
      const messages = [
        { role: 'user', content: first },
        { role: 'assistant', content: answer },
        { role: 'user', content: last },
      ];
      const { ids } = format.prompt(messages);
      expect([...ids].filter((id) => special.has(id)).map((id) => (id === format.stopId ? 'end' : 'start'))).toEqual([
        'start',
        'end',
        'start',
        'end',
        'start',
        'end',
        'start',
      ]);
      expect(bytes.decode(ids)).toContain(`user\n${last}\nassistant\n`);
    }),
    { seed: 7, numRuns: 500 },
  );
});

test('long conversations lose their oldest turns, then the beginning of the last text, and keep the system prompt', () => {
  const format = chatFormat(withTemplate(chatMl));
  const messages = [
    { role: 'system', content: 'be short' },
    ...Array.from({ length: 20 }, (_, index) => [
      { role: 'user', content: `question ${index}` },
      { role: 'assistant', content: `answer ${index}` },
    ]).flat(),
    { role: 'user', content: 'the last question is here' },
  ];
  const text = (maxTokens?: number) => bytes.decode(format.prompt(messages, maxTokens).ids);
  const whole = format.prompt(messages);
  expect(whole.truncated).toBe(false);
  const last = format.prompt([messages[0]!, messages.at(-1)!]).ids;
  const marks = format.prompt([messages[0]!, { role: 'user', content: '' }]).ids.length;
  for (const maxTokens of [whole.ids.length - 1, Math.floor(whole.ids.length / 2), last.length + 1]) {
    const { ids, truncated } = format.prompt(messages, maxTokens);
    expect(truncated).toBe(true);
    expect(ids.length).toBeLessThanOrEqual(maxTokens);
    expect(bytes.decode(ids)).toMatch(/^system\nbe short\nuser\nquestion \d+\n|^system\nbe short\nuser\nthe last/);
    expect(bytes.decode(ids)).toMatch(/the last question is here\nassistant\n$/);
  }
  expect(text(last.length)).toBe('system\nbe short\nuser\nthe last question is here\nassistant\n');
  expect(text(last.length - 3)).toMatch(/^system\nbe short\nuser\n.*here\nassistant\n$/);
  expect(format.prompt(messages, last.length - 3).ids).toHaveLength(last.length - 3);
  expect(text(marks)).toBe('system\nbe short\nuser\n\nassistant\n');
  expect(() => format.prompt(messages, marks - 1)).toThrow(InvalidArgumentError);
  const conversation = format.conversation(messages, 'yes', last.length + 3);
  expect(conversation.ids.length).toBeLessThanOrEqual(last.length + 3);
  expect(conversation.ids.at(-1)).toBe(format.stopId);
});

test.each([
  ['{% for m in messages %}{{ m.content }', 'has a syntax error'],
  ["{{ raise_exception('no roles') }}", 'failed: no roles'],
  ['<|im_start|>hello<|im_end|>', 'leaves out the last message'],
  ['{{ messages[0].content }}{{ nothing() }}', 'failed'],
  ['{{ messages[0].content }}', 'nothing ends an answer'],
  ['x'.repeat(2 ** 20 + 1), 'has 1048577 characters'],
])('the template %.40s is an error', (template, message) => {
  expect(() => chatFormat(bytes, { template })).toThrow(InputError);
  expect(() => chatFormat(bytes, { template })).toThrow(message);
});

test('a template that makes special tokens from texts is an error', () => {
  const template = '{% for m in messages %}<|im_start|>{{ m.content }}<|im_{{ m.content }}|><|im_end|>{% endfor %}';
  const format = chatFormat(bytes, { template });
  expect(() => format.prompt('hello')).not.toThrow();
  expect(chatFormat(bytes, { template }).prompt('end').ids).toHaveLength(format.prompt('and').ids.length);
  const deaf =
    "{% for m in messages %}{% if 'h' in m.content %}<|im_start|>{% endif %}{{ m.content }}<|im_end|>{% endfor %}";
  expect(() => chatFormat(bytes, { template: deaf }).prompt('hello')).toThrow('makes special tokens from the texts');
});

test('a template that writes the last message twice cannot be cut', () => {
  const template = '{% for m in messages %}<|im_start|>{{ m.content }} {{ m.content }}<|im_end|>{% endfor %}';
  const format = chatFormat(bytes, { template });
  expect(format.prompt('the question').truncated).toBe(false);
  expect(() => format.prompt('the question '.repeat(9), 16)).toThrow(InputError);
});

test('templates see a fixed date, or the one that is given', () => {
  const template =
    "{{ strftime_now('%d %b %Y, %A %B %y %m %H:%M:%S %a %% %q') }} {% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}";
  const date = new Date(Date.UTC(2026, 10, 3, 4, 5, 6));
  expect(bytes.decode(chatFormat(bytes, { template }).prompt('x').ids)).toContain('26 Jul 2024');
  expect(bytes.decode(chatFormat(bytes, { template, date }).prompt('x').ids)).toBe(
    '03 Nov 2026, Tuesday November 26 11 04:05:06 Tue % %q x',
  );
});

test('the name tells templates, variables and dates apart', () => {
  const all = [
    chatFormat(bytes, { template: chatMl }),
    chatFormat(bytes, { template: `${chatMl} ` }),
    chatFormat(bytes, { template: chatMl, variables: { enable_thinking: false } }),
    chatFormat(bytes, { template: chatMl, date: new Date(0) }),
    chatFormat(bytes),
  ].map(({ name }) => name);
  expect(new Set(all).size).toBe(all.length);
  expect(chatFormat(withTemplate(chatMl)).name).toBe(all[0]);
  expect(() => chatFormat(bytes, { templates: chatMl } as never)).toThrow(InvalidArgumentError);
});

test.each([
  [[], 'no messages'],
  [
    [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b' },
    ],
    '"assistant"',
  ],
  [[{ role: 'user', content: ['a'] }], 'message 0'],
  [[null], 'message 0'],
  [7, 'a number'],
])('the prompt %j is an error', (prompt, message) => {
  for (const format of [chatFormat(withTemplate(chatMl)), chatFormat(bytes)]) {
    expect(() => format.prompt(prompt as never)).toThrow(InvalidArgumentError);
    expect(() => format.conversation(prompt as never, 'x')).toThrow(message);
  }
});
