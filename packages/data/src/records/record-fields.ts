import { BadLine, describeValue } from '@rarefy/io';

/** A line's value as fields. Only a plain object has them. */
export type Fields = Readonly<Record<string, unknown>>;

export const unknownSource = 'unknown';

export function toFields(value: unknown): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new BadLine('not-an-object', `a record must be a JSON object, and this is ${describeValue(value)}`);
}

/** A missing id becomes `line-<number>`: the same at every reading of the same file, and unlike a plain number. */
export function toId({ id }: Fields, line: number): string {
  if (id === undefined || id === null) return `line-${line}`;
  if (typeof id === 'string' && id !== '') return id;
  if (Number.isSafeInteger(id)) return String(id);
  throw new BadLine('bad-id', `id must be a non-empty string or a safe integer, and is ${describeValue(id)}`);
}

export function toSource({ src }: Fields): string {
  if (src === undefined || src === null) return unknownSource;
  if (typeof src === 'string' && src !== '') return src;
  throw new BadLine('bad-source', `src must be a non-empty string, and is ${describeValue(src)}`);
}

export function toPrompt({ prompt }: Fields): string {
  if (typeof prompt === 'string' && prompt.trim() !== '') return prompt;
  throw new BadLine('no-prompt', `prompt must be a text, and is ${describeValue(prompt)}`);
}

/** Topic as a part to spread into a record; anything but a string is dropped. */
export function toTopic({ topic }: Fields): { readonly topic?: string } {
  return typeof topic === 'string' ? { topic } : {};
}

export function toAnswer(fields: Fields, name: string): string {
  const answer = fields[name];
  if (typeof answer === 'string') return answer;
  throw new BadLine('no-answer', `${name} must be a text, and is ${describeValue(answer)}`);
}
