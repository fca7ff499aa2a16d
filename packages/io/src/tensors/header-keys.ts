import { quoted } from '../text/quoted.js';

const maxDepth = 3; // the header, a tensor's description, its shape

/**
 * What is wrong with the nesting and keys of a header, in words, or undefined. JSON.parse would keep the last of equal keys
 * silently, and build any depth. Looks at structure alone, so it may be given text that is no JSON.
 */
export function keyProblem(json: string): string | undefined {
  const open: Set<string>[] = []; // for each object or array around the place, its keys so far
  for (let index = 0; index < json.length; index++) {
    const character = json[index];
    if (character === '{' || character === '[') {
      if (open.push(new Set()) > maxDepth) return 'nests deeper than any header does';
    } else if (character === '}' || character === ']') {
      open.pop();
    } else if (character === '"') {
      const start = index++;
      while (index < json.length && json[index] !== '"') index += json[index] === '\\' ? 2 : 1;
      let next = index + 1;
      while (' \t\r\n'.includes(json[next] ?? 'end')) next++;
      if (json[next] !== ':') continue; // a value
      const key = JSON.parse(json.slice(start, index + 1)) as string; // '"a"' and '"\u0061"' are one key
      const keys = open.at(-1);
      if (keys?.has(key)) return `has the key ${quoted(key)} twice`;
      keys?.add(key);
    }
  }
  return undefined;
}
