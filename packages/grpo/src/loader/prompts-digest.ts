import { digest, StateMismatchError } from '@rarefy/core';

/** Recognizes prompts and their order without holding them. Small JSON. */
export interface PromptsState {
  /** Number of prompts when the state was taken. More may have been added since. */
  readonly count: number;
  /** Of the first `count` prompts, in order. */
  readonly digest: string;
  /** 8 hex digits for the first prompt, the first 2, 4, 8 and so on: they show about where other prompts begin to differ. */
  readonly prefixes: string;
}

/** The state of a list of prompts that may grow. */
export interface PromptsDigest {
  /** Reads every prompt once: later calls read only prompts that were added. */
  state(): PromptsState;
  /** @throws StateMismatchError naming the first difference, if the list does not begin with the prompts of the state. */
  check(saved: PromptsState): void;
}

/**
 * Covers texts, and the `id` and `prompt` of records, as far as these are texts, numbers or lists of messages. Of other prompts it
 * covers the number.
 * @param prompts not copied
 */
export function promptsDigest(prompts: readonly unknown[]): PromptsDigest {
  let read = promptsHash();
  let state: PromptsState | undefined;
  return {
    state() {
      if (state?.count === prompts.length) return state;
      if (read.count() > prompts.length) read = promptsHash();
      while (read.count() < prompts.length) read.add(prompts[read.count()]);
      state = read.state();
      return state;
    },
    check(saved) {
      if (saved.count > prompts.length) {
        throw new StateMismatchError(
          `the saved run had ${saved.count} prompts and the loader has ${prompts.length}; give it the prompts of that run`,
        );
      }
      const own = promptsHash();
      while (own.count() < saved.count) own.add(prompts[own.count()]);
      const found = own.state();
      if (found.digest === saved.digest) return;
      throw new StateMismatchError(
        `the prompts differ from those of the saved run, first at ${firstDifference(prompts, found, saved)}; give the loader the same prompts in the same order`,
      );
    },
  };
}

/**
 * Two lanes of 32 bits over pairs of UTF-16 units. Each step is a bijection of a lane, so a change of one pair always changes both.
 */
function promptsHash() {
  const lanes = Int32Array.of(0x243f6a88, 0x13198a2e);
  let count = 0;
  let prefixes = '';
  const absorb = (value: unknown) => {
    const isText = typeof value === 'string' || typeof value === 'number';
    const text = isText ? String(value) : '';
    const { length } = text;
    let [one, other] = [lanes[0]!, lanes[1]!]; // locals are much faster than the array
    let word = isText ? length : -1; // first, so that a text cannot continue in the next one
    for (let index = 0; ; index += 2) {
      one = Math.imul(one ^ word, 0x9e3779b1);
      one = (one << 13) | (one >>> 19);
      other = Math.imul(other ^ word, 0x85ebca77);
      other = (other << 15) | (other >>> 17);
      if (index >= length) break;
      word = text.charCodeAt(index);
      if (index + 1 < length) word |= text.charCodeAt(index + 1) << 16;
    }
    lanes[0] = one;
    lanes[1] = other;
  };
  return {
    count: () => count,
    add(prompt: unknown) {
      const isRecord = typeof prompt === 'object' && prompt !== null;
      const { id, prompt: text } = isRecord ? (prompt as { id?: unknown; prompt?: unknown }) : { prompt };
      absorb(id);
      absorb(Array.isArray(text) ? JSON.stringify(text) : text); // messages
      count++;
      if ((count & (count - 1)) === 0) prefixes += (lanes[0]! >>> 0).toString(16).padStart(8, '0');
    },
    state: (): PromptsState => ({ count, digest: digest([...lanes, count]), prefixes }),
  };
}

function firstDifference(prompts: readonly unknown[], found: PromptsState, saved: PromptsState): string {
  let equal = 0; // powers of two up to which the prompts are equal
  const prefix = ({ prefixes }: PromptsState) => prefixes.slice(8 * equal, 8 * equal + 8);
  while (prefix(found) !== '' && prefix(found) === prefix(saved)) equal++;
  const first = equal === 0 ? 0 : 2 ** (equal - 1);
  const last = Math.min(equal === 0 ? 0 : 2 ** equal - 1, found.count - 1);
  if (last > first) return `one of the positions ${first} to ${last}`;
  return `position ${first}, which now has ${String(JSON.stringify(prompts[first])).slice(0, 100)}`;
}
