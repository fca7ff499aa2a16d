import { type WrittenJson, writtenJson } from './json-oracle.js';

/** The expected result for a line: nothing, a record, or the reason for rejecting it. */
export type ReadLine =
  | { readonly kind: 'blank' }
  | { readonly kind: 'record'; readonly id: string; readonly prompt: string; readonly count: number }
  | { readonly kind: 'bad'; readonly reason: string; readonly isJson: boolean };

// RFC 3629, section 4; each character is one byte.
const utf8 =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are valid UTF-8
  /^(?:[\x00-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2})*$/;

/** A second implementation of the documented rules. @param number of the line, from 1 */
export function readPromptLine(
  bytes: Buffer,
  number: number,
  limits: { bytes: number; depth: number; parts: number },
): ReadLine {
  const bad = (reason: string, isJson = false): ReadLine => ({ kind: 'bad', reason, isJson });
  if (bytes.length > limits.bytes) return bad('too-long');
  if (!utf8.test(bytes.toString('latin1'))) return bad('not-utf8');
  let text = bytes.toString('utf8');
  if (number === 1 && text.startsWith('\ufeff')) text = text.slice(1);
  if (text.replace(/[ \t\r]/g, '') === '') return { kind: 'blank' };

  const marks = text.replace(/"(?:[^"\\]|\\[\s\S])*"?/g, '').replace(/[^[\]{},:]/g, '');
  let depth = 0;
  const depths = Array.from(marks, (mark) => ('[{'.includes(mark) ? ++depth : ']}'.includes(mark) ? --depth : depth));
  if (bytes.length > limits.depth && depths.some((found) => found > limits.depth)) return bad('too-complex');
  if (marks.replace(/[\]}]/g, '').length > limits.parts) return bad('too-complex');

  const json = writtenJson(text);
  if (!json) return bad('not-json');
  if (json.kind !== 'object') return bad('not-an-object', true);
  const field = (name: string): WrittenJson | undefined => {
    const found = json.fields.get(name);
    return found?.kind === 'literal' && found.source === 'null' ? undefined : found;
  };
  const whole = (value: WrittenJson) => value.kind === 'number' && Number.isSafeInteger(Number(value.source));

  const id = field('id');
  if (id && !(id.kind === 'text' && id.text !== '') && !whole(id)) return bad('bad-id', true);
  const prompt = field('prompt');
  if (prompt?.kind !== 'text' || !/\S/.test(prompt.text)) return bad('no-prompt', true);
  const count = field('count');
  if (count && !(count.kind === 'number' && whole(count) && Number(count.source) >= 1)) return bad('bad-count', true);
  const isName = (value: WrittenJson) => value.kind === 'text' && value.text !== '';
  const [sources, src] = [field('sources'), field('src')];
  if (
    sources
      ? sources.kind !== 'array' || sources.items.length === 0 || !sources.items.every(isName)
      : src && !isName(src)
  ) {
    return bad('bad-source', true);
  }
  return {
    kind: 'record',
    id: !id ? `line-${number}` : id.kind === 'text' ? id.text : String(Number((id as { source: string }).source)),
    prompt: prompt.text,
    count: count?.kind === 'number' ? Number(count.source) : 1,
  };
}
