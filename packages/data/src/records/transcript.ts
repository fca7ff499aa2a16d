/** One turn of a transcript, without its mark and the white space around it. */
export interface Turn {
  readonly role: 'human' | 'assistant';
  readonly text: string;
}

const mark = /(?:^|\n\n)(Human|Assistant):/g;
const maxTurns = 10_000; // a line of 16 MB holds a million marks

/**
 * The turns of a transcript as Anthropic's hh-rlhf writes them: `\n\nHuman: …\n\nAssistant: …`. A mark counts at the start and after a blank
 * line, so that one inside a sentence stays text. undefined when the text does not begin with a mark, or has more than 10,000.
 */
export function transcriptTurns(text: string): Turn[] | undefined {
  const marks: RegExpExecArray[] = [];
  for (const found of text.matchAll(mark)) if (marks.push(found) > maxTurns) return undefined;
  if (marks.length === 0 || text.slice(0, marks[0]!.index).trim() !== '') return undefined;
  return marks.map((found, at) => ({
    role: found[1] === 'Human' ? 'human' : 'assistant',
    text: text.slice(found.index + found[0].length, marks[at + 1]?.index).trim(),
  }));
}

/** The transcript before its last answer, in the same marks, and that answer; undefined when it does not end with one to a prompt. */
export function promptAndAnswer(text: string): { readonly prompt: string; readonly answer: string } | undefined {
  const turns = transcriptTurns(text);
  const last = turns?.at(-1);
  if (last?.role !== 'assistant' || turns!.length < 2) return undefined;
  return { prompt: promptOf(turns!.slice(0, -1)), answer: last.text };
}

/** Turns as one text; a single human turn is its text alone. */
export function promptOf(turns: readonly Turn[]): string {
  if (turns.length === 1 && turns[0]!.role === 'human') return turns[0]!.text;
  return turns.map(({ role, text }) => `${role === 'human' ? 'Human' : 'Assistant'}: ${text}`).join('\n\n');
}
