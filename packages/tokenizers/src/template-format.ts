import { digest, InputError } from '@rarefy/core';
import { type ChatFormat, type ChatMessage, formatOf, type WrittenPrompt } from './chat-format.js';
import { compileTemplate } from './render-template.js';
import { encodeParts, joined, type Part, sharedStart, splitAtSpecialTokens } from './special-tokens.js';
import type { SpecialToken, Tokenizer } from './tokenizer.js';

export interface TemplateSettings {
  /** Source of the template, in Jinja. */
  readonly template: string;
  /** Further variables of the template. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** The date that the template sees. */
  readonly date: Date;
}

/** Characters before an answer that may change how its first word is encoded. */
const answerContext = 64;
/** Shapes of conversations whose special tokens are kept; more are counted again. */
const maxShapes = 1000;

/**
 * The format that a chat template writes, with the ids of transformers' `apply_chat_template`. One difference is by design: the
 * name of a special token inside a text stays text.
 * @throws InputError if the template cannot be compiled, fails on one user turn, leaves the text out, or no token ends an answer.
 */
export function templateFormat(tokenizer: Tokenizer, { template, variables, date }: TemplateSettings): ChatFormat {
  const special = tokenizer.specialTokens ?? new Map<string, SpecialToken>();
  const names = tokenNames(tokenizer);
  const renderer = compileTemplate(template, date);
  const render = (messages: readonly ChatMessage[], addGenerationPrompt = true): string =>
    renderer({
      messages: messages.map(({ role, content }) => ({ role, content })),
      ...{ tools: null, documents: null, add_generation_prompt: addGenerationPrompt },
      ...names,
      ...variables,
    });
  const split = (text: string) => splitAtSpecialTokens(text, special);

  // The special tokens of a conversation without its texts, by its roles and which texts are blank.
  const shapes = new Map<string, string>();
  const expectedTokens = (messages: readonly ChatMessage[]): string => {
    const shape = JSON.stringify(messages.map(({ role, content }) => [role, content.trim() === '']));
    const known = shapes.get(shape);
    if (known !== undefined) return known;
    const [text, last] = unusedCharacters(template, 2) as [string, string];
    const rendered = render(
      messages.map(({ role, content }, index) => {
        const isLast = index === messages.length - 1;
        return { role, content: isLast ? last : content.trim() === '' ? '' : text };
      }),
    );
    if (!rendered.includes(last)) {
      throw new InputError('the chat template leaves out the last message of the user; give another template');
    }
    const tokens = specialIds(split(rendered));
    if (shapes.size >= maxShapes) shapes.clear();
    shapes.set(shape, tokens);
    return tokens;
  };

  const partsOf = (messages: readonly ChatMessage[]): readonly Part[] => {
    const expected = expectedTokens(messages);
    const parts = split(render(messages));
    if (specialIds(parts) === expected) return parts;
    const { spelled, filler } = withoutNames(messages);
    const clean = withoutFiller(split(render(spelled)), filler);
    if (specialIds(clean) === expected) return clean;
    throw new InputError('the chat template makes special tokens from the texts of messages; give another template');
  };
  let latest: { readonly messages: readonly ChatMessage[]; readonly parts: readonly Part[] } | undefined;
  /** The parts of the same messages are needed twice for a conversation. */
  const latestParts = (messages: readonly ChatMessage[]): readonly Part[] => {
    if (latest?.messages !== messages) latest = { messages, parts: partsOf(messages) };
    return latest.parts;
  };

  expectedTokens([{ role: 'user', content: 'a' }]); // fails now rather than at the first prompt
  const { turnEnd, lead } = answerMarks(template, render, split);
  const stopIds = stopTokens(tokenizer, turnEnd);

  const identity = JSON.stringify([template, names, variables, date.getTime(), stopIds]);
  return formatOf({
    name: `template:${digest(new TextEncoder().encode(identity))}`,
    stopId: stopIds[0]!,
    stopIds,
    write: (messages) => encodeParts(tokenizer, latestParts(messages)),

    writeParts(messages) {
      const { spelled, filler } = withoutNames(messages);
      const [start, end] = unusedCharacters([template, filler, ...messages.map(({ content }) => content)].join(), 2);
      const marked = [...spelled.slice(0, -1), { role: messages.at(-1)!.role, content: ` ${start}${end} ` }];
      const parts = withoutFiller(split(render(marked)), filler);
      const found = parts.flatMap((part, index) => (typeof part === 'string' && part.includes(start!) ? [index] : []));
      const index = found[0] ?? -1;
      const [left = '', right = '', ...more] = index < 0 ? [] : (parts[index] as string).split(`${start}${end}`);
      if (found.length !== 1 || more.length > 0) {
        throw new InputError(
          'the chat template repeats or splits the last message, so the message cannot be cut to fit',
        );
      }
      // White space around the text is part of it unless the template strips it.
      let text = messages.at(-1)!.content;
      if (!left.endsWith(' ')) text = text.trimStart();
      if (!right.startsWith(' ')) text = text.trimEnd();
      const run = cutRun(tokenizer, [left.replace(/ $/, ''), text, right.replace(/^ /, '')], index > 0);
      return {
        before: joined([encodeParts(tokenizer, parts.slice(0, index)), run.before]),
        text: run.text,
        after: joined([
          run.after,
          ...parts
            .slice(index + 1)
            .map((part) =>
              typeof part === 'string' ? tokenizer.encode(part, { isContinued: true }) : Int32Array.of(part.id),
            ),
        ]),
      };
    },

    answer(text, messages) {
      const last = latestParts(messages).at(-1);
      const context = typeof last === 'string' ? last.slice(-answerContext) : '';
      const isContinued = true;
      const before = tokenizer.encode(context, { isContinued });
      const both = tokenizer.encode(context + lead + text, { isContinued });
      return sharedStart(both, before) === before.length
        ? both.slice(before.length)
        : tokenizer.encode(lead + text, { isContinued });
    },
  });
}

/** The token that ends a turn of the assistant, and the white space between the end of a prompt and the answer. */
function answerMarks(
  template: string,
  render: (messages: readonly ChatMessage[], addGenerationPrompt?: boolean) => string,
  split: (text: string) => Part[],
): { readonly turnEnd: number | undefined; readonly lead: string } {
  const [text, answer] = unusedCharacters(template, 2) as [string, string];
  const question = { role: 'user', content: text };
  const prompt = render([question]);
  const whole = render([question, { role: 'assistant', content: answer }], false);
  const end = whole.indexOf(answer);
  if (end < 0) return { turnEnd: undefined, lead: '' };
  const between = whole.startsWith(prompt) ? whole.slice(prompt.length, end) : '';
  const first = split(whole.slice(end)).find((part) => typeof part !== 'string');
  return { turnEnd: first?.id, lead: between.trim() === '' ? between : '' };
}

/** The ids of three texts that are encoded as one, or else one by one if a word reaches over a boundary. */
function cutRun(
  tokenizer: Tokenizer,
  [left, text, right]: [string, string, string],
  isContinued: boolean,
): WrittenPrompt {
  const before = tokenizer.encode(left, { isContinued });
  const upToText = tokenizer.encode(left + text, { isContinued });
  const all = tokenizer.encode(left + text + right, { isContinued });
  if (sharedStart(upToText, before) === before.length && sharedStart(all, upToText) === upToText.length) {
    return { before, text: upToText.slice(before.length), after: all.slice(upToText.length) };
  }
  const later = { isContinued: true };
  return { before, text: tokenizer.encode(text, later), after: tokenizer.encode(right, later) };
}

/** The messages with a filler character after every character, so that no name of a special token is left in them. */
function withoutNames(messages: readonly ChatMessage[]): { readonly spelled: ChatMessage[]; readonly filler: string } {
  const [filler] = unusedCharacters(messages.map(({ content }) => content).join(), 1) as [string];
  const spelled = messages.map(({ role, content }) => {
    const text = content.trim();
    const spelledText = text === '' ? '' : `${filler}${text.split('').join(filler)}${filler}`;
    return { role, content: content.replace(text, () => spelledText) };
  });
  return { spelled, filler };
}

function withoutFiller(parts: readonly Part[], filler: string): Part[] {
  return parts.map((part) => (typeof part === 'string' ? part.replaceAll(filler, '') : part));
}

function specialIds(parts: readonly Part[]): string {
  return parts.flatMap((part) => (typeof part === 'string' ? [] : [part.id])).join();
}

/** Characters for private use that a text lacks. */
function unusedCharacters(text: string, count: number): string[] {
  const unused: string[] = [];
  for (let code = 0xe000; unused.length < count; code++) {
    if (code > 0xf8ff) throw new InputError('a text uses every character of the private use area');
    const character = String.fromCharCode(code);
    if (!text.includes(character)) unused.push(character);
  }
  return unused;
}

/** The tokens named in tokenizer_config.json, such as `bos_token`: a string, or an object with `content`. */
function tokenNames({ chat }: Tokenizer): Record<string, string> {
  const names: Record<string, string> = {};
  for (const [key, value] of Object.entries(chat?.config ?? {})) {
    const name: unknown = typeof value === 'string' ? value : (value as { content?: unknown } | null)?.content;
    if (key.endsWith('_token') && typeof name === 'string') names[key] = name;
  }
  return names;
}

/** The token that ends a turn of the assistant, then the other tokens that end an answer. */
function stopTokens(tokenizer: Tokenizer, turnEnd: number | undefined): number[] {
  const { eos_token: eosName } = tokenNames(tokenizer);
  const eos = eosName === undefined ? undefined : tokenizer.specialId(eosName);
  const stopIds = [turnEnd, ...(tokenizer.chat?.stopIds ?? (eos === undefined ? [] : [eos]))];
  const known = [...new Set(stopIds)].filter((id) => id !== undefined);
  if (known.length > 0) return known;
  throw new InputError(
    'nothing ends an answer: the chat template puts no special token after one, and the model names no eos_token; add eos_token_id to generation_config.json',
  );
}
