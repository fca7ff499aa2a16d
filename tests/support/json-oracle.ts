/** A JSON value with its source text. An object has the last value of each key. */
export type WrittenJson =
  | { readonly kind: 'object'; readonly fields: ReadonlyMap<string, WrittenJson> }
  | { readonly kind: 'array'; readonly items: readonly WrittenJson[] }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'number'; readonly source: string }
  | { readonly kind: 'literal'; readonly source: string };

const blank = /[ \t\r\n]*/y;
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const literal = /true|false|null/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: RFC 8259 excludes them
const quoted = /"((?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*)"/y;
const escapes: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

/** Parses RFC 8259 by recursive descent, as a reference for JSON.parse; undefined if the text is not JSON. */
export function writtenJson(source: string): WrittenJson | undefined {
  let at = 0;
  const take = (token: RegExp): RegExpExecArray | null => {
    token.lastIndex = at;
    const found = token.exec(source);
    if (found) at = token.lastIndex;
    return found;
  };
  const skip = () => take(blank);
  const is = (mark: string) => {
    skip();
    if (source[at] !== mark) return false;
    at++;
    return true;
  };
  const text = (): string | undefined => {
    skip();
    return take(quoted)?.[1]?.replace(/\\(?:u(.{4})|(.))/g, (_, code?: string, letter?: string) =>
      code === undefined ? (escapes[letter!] ?? letter!) : String.fromCharCode(Number.parseInt(code, 16)),
    );
  };
  const value = (): WrittenJson | undefined => {
    skip();
    if (source[at] === '"') {
      const found = text();
      return found === undefined ? undefined : { kind: 'text', text: found };
    }
    if (is('[')) {
      const items: WrittenJson[] = [];
      if (is(']')) return { kind: 'array', items };
      do {
        const item = value();
        if (!item) return undefined;
        items.push(item);
      } while (is(','));
      return is(']') ? { kind: 'array', items } : undefined;
    }
    if (is('{')) {
      const fields = new Map<string, WrittenJson>();
      if (is('}')) return { kind: 'object', fields };
      do {
        const key = text();
        const item = key !== undefined && is(':') ? value() : undefined;
        if (!item) return undefined;
        fields.set(key!, item);
      } while (is(','));
      return is('}') ? { kind: 'object', fields } : undefined;
    }
    const found = take(number) ?? undefined;
    if (found) return { kind: 'number', source: found[0] };
    const word = take(literal);
    return word ? { kind: 'literal', source: word[0] } : undefined;
  };
  const whole = value();
  skip();
  return at === source.length ? whole : undefined;
}
