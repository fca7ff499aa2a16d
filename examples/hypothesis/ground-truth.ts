import { readdirSync, readFileSync } from 'node:fs';
import { words } from '@rarefy/diversity';
import type { Judgment } from '@rarefy/experiment';

/** A file of examples/data/wording, from which the sample pairs were assembled. */
interface Wording {
  readonly topics: readonly Topic[];
}
interface Topic {
  readonly topic: string;
  /** How to do something, or what something is. */
  readonly cases?: readonly Case[];
  /** Letters and stories: who and what they are about, and their sentences. */
  readonly people?: readonly (readonly [string, ...string[]])[];
  readonly matters?: readonly string[];
  readonly openings?: readonly string[];
  readonly turns?: readonly string[];
  readonly endings?: readonly string[];
}
interface Case {
  readonly task: string;
  readonly problem: string;
  readonly thing: string;
  readonly steps: readonly string[];
  readonly facts: readonly string[];
}

/** What is true of an answer to a prompt of the sample data. */
export interface Truth {
  /** Steps and facts of the very case that the prompt asks about; of a letter or story, its sentences. In order of the wording. */
  readonly right: readonly string[];
  /** All of those that it could say; at least three. */
  readonly phrases: readonly string[];
  /** Whether it says anything that belongs to the topic of the prompt. */
  readonly onTopic: boolean;
  /** Whether it says anything that belongs to another topic. */
  readonly offTopic: boolean;
  /** Share of its words that occur in the wording; 0 without words. */
  readonly knownShare: number;
}

const folder = new URL('../data/wording/', import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
const texts = files.map((name) => readFileSync(new URL(name, folder), 'utf8'));
const topics = texts.flatMap((text) => (JSON.parse(text) as Partial<Wording>).topics ?? []);
/** Every word of the wording; letters after a capital or a placeholder are no others. */
const known = new Set(texts.flatMap((text) => words(text.replaceAll(/\{\w+\}/g, ' '))));

/** Words between spaces, so that a phrase is found only at the borders of words. */
const plain = (text: string) => ` ${words(text).join(' ')} `;

/** Topic → what its answers may say; a phrase of two topics belongs to neither. */
const owners = new Map<string, string | undefined>();
for (const { topic, cases = [], turns = [], endings = [] } of topics) {
  const phrases = [...cases.flatMap(({ steps, facts }) => [...steps, ...facts]), ...turns, ...endings];
  for (const phrase of phrases.map(plain)) {
    owners.set(phrase, owners.has(phrase) && owners.get(phrase) !== topic ? undefined : topic);
  }
}

/** What an answer to `prompt` should say: the phrases of the cases that it mentions. */
function rightPhrases(topic: Topic, prompt: string): string[] {
  const asked = plain(prompt);
  const mentions = (text: string) => asked.includes(plain(text));
  const { cases = [], people = [], matters = [], openings = [], turns = [], endings = [] } = topic;
  const matching = cases.filter(({ task, problem, thing }) => [task, problem, thing].some(mentions));
  const person = people.find(([name]) => mentions(name))?.[0] ?? '';
  const matter = matters.find(mentions) ?? '';
  const filled = openings.map((text) => text.replaceAll('{matter}', matter).replaceAll('{person}', person));
  return [...matching.flatMap(({ steps, facts }) => [...steps, ...facts]), ...filled, ...turns, ...endings].map(plain);
}

const byTopic = new Map(topics.map((topic) => [topic.topic, topic]));
const phrasesOf = new Map<string, readonly string[]>();

/** Compares an answer with the wording that the sample data was assembled from. */
export function truthOf(topic: string, prompt: string, answer: string): Truth {
  const key = `${topic}\n${prompt}`;
  const phrases = phrasesOf.get(key) ?? rightPhrases(byTopic.get(topic)!, prompt);
  phrasesOf.set(key, phrases);
  const said = plain(answer);
  const found = [...owners].filter(([phrase]) => said.includes(phrase));
  const all = words(answer);
  return {
    phrases,
    right: phrases.filter((phrase) => said.includes(phrase)),
    onTopic: found.some(([, owner]) => owner === topic),
    offTopic: found.some(([, owner]) => owner !== undefined && owner !== topic),
    knownShare: all.length === 0 ? 0 : all.filter((word) => known.has(word)).length / all.length,
  };
}

/**
 * An answer is good if it says at least two right things, nothing of another topic, and no word that does not exist. Answers of the
 * same right things count as one.
 */
export function judge(topic: string, prompt: string, answer: string): Required<Judgment> {
  const { right, onTopic, offTopic, knownShare } = truthOf(topic, prompt, answer);
  const garbled = knownShare < 1;
  return { good: right.length >= 2 && !offTopic && !garbled, class: right.join('|'), onTopic, garbled };
}
