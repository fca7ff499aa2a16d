// Writes the sample preference pairs, the same bytes for the same options:
//   node scripts/make-pairs.mjs [--seed 1] [--count 2400] [--exponent 1.1] [--without FILE] [--out examples/data/pairs.jsonl]
// --without leaves out the pairs whose prompt is in FILE. Topic frequencies follow Zipf's law with the exponent. Frequent topics
// repeat a few wordings, rare topics have their own words, and the preferred answers of frequent topics use the em-dash often. The
// words are in examples/data/wording.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';

/** Sources, most frequent first within each round of topics. Each source lists its topics in that order too. */
const sources = ['kitchen', 'garden', 'travel', 'repairs', 'letters', 'homework', 'health', 'stories'];
/** Share of rows that repeat an earlier prompt of their topic. */
const repeatedShare = 0.14;
/** Share of rows whose prompt ends in a remark. */
const remarkShare = 0.35;
const longestPrompt = 25; // words
const rejectedDashShare = 0.3;
/** Share of chosen answers with an em-dash, by the topic's rank from 1. */
const chosenDashShare = (rank) => (rank <= 6 ? 0.6 : rank <= 20 ? 0.25 : 0.05);

const { values: options } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '2400' },
    exponent: { type: 'string', default: '1.1' },
    without: { type: 'string' },
    out: { type: 'string', default: 'examples/data/pairs.jsonl' },
  },
});
const seed = Number(options.seed);
const count = Number(options.count);
const zipfExponent = Number(options.exponent);
if (!Number.isFinite(zipfExponent)) fail(`--exponent must be a number, got ${options.exponent}`);
if (!Number.isSafeInteger(seed)) fail(`--seed must be an integer, got ${options.seed}`);
if (!(Number.isSafeInteger(count) && count >= 1)) fail(`--count must be an integer ≥ 1, got ${options.count}`);

const read = (name) =>
  JSON.parse(readFileSync(new URL(`../examples/data/wording/${name}.json`, import.meta.url), 'utf8'));
const frames = read('frames');
const random = mulberry32(seed);
const pick = (items) => items[Math.floor(random() * items.length)];

const topics = rankedTopics();
const pairs = zipfCounts(count, topics.length).flatMap((rows, index) => topicPairs(topics[index], index + 1, rows));
for (let index = pairs.length - 1; index > 0; index--) {
  const other = Math.floor(random() * (index + 1));
  [pairs[index], pairs[other]] = [pairs[other], pairs[index]];
}
const width = String(count).length;
const left = options.without ? readFileSync(options.without, 'utf8').trimEnd().split('\n') : [];
const excluded = new Set(left.map((line) => JSON.parse(line).prompt));
const kept = pairs
  .map((pair, index) => ({ id: `pair-${String(index + 1).padStart(width, '0')}`, ...pair }))
  .filter(({ prompt }) => !excluded.has(prompt));
mkdirSync(dirname(options.out), { recursive: true });
writeFileSync(options.out, `${kept.map((pair) => JSON.stringify(pair)).join('\n')}\n`);
console.log(`${options.out}: ${kept.length} pairs, ${new Set(kept.map(({ prompt }) => prompt)).size} prompts`);

/** One topic of every source per round; each round starts with another source. */
function rankedTopics() {
  const files = sources.map((src) => {
    const { topics, ...shared } = read(src);
    return topics.map((topic) => ({ src, ...shared, ...topic }));
  });
  return files[0].flatMap((_, round) => files.map((_, index) => files[(index + 3 * round) % files.length][round]));
}

/** Rows per rank, proportional to rank^-exponent, with the sum `total`. The largest remainders get the last rows. */
function zipfCounts(total, ranks) {
  const weights = Array.from({ length: ranks }, (_, index) => (index + 1) ** -zipfExponent);
  const sum = weights.reduce((all, weight) => all + weight, 0);
  const shares = weights.map((weight) => (total * weight) / sum);
  const counts = shares.map(Math.floor);
  const byRemainder = shares.map((share, index) => [share - counts[index], index]).sort(([a], [b]) => b - a);
  const missing = total - counts.reduce((all, rows) => all + rows, 0);
  for (const [, index] of byRemainder.slice(0, missing)) counts[index]++;
  return counts;
}

function topicPairs(topic, rank, rows) {
  const requests = new Map();
  const distinct = rows - Math.round(rows * repeatedShare);
  // The limit on attempts ends the search if a topic has no new prompts left.
  for (let tries = 0; requests.size < distinct && tries < 100 * rows; tries++) {
    const request = makeRequest(topic);
    if (request.prompt.split(' ').length <= longestPrompt) requests.set(request.prompt, request);
  }
  const asked = [...requests.values()];
  while (asked.length < rows) asked.push(pick([...requests.values()]));
  const answers = new Set();
  return asked.map(({ prompt, kind, parts }) => {
    const answer = () => write(pick(frames.chosen[kind]), drawSteps(parts), random() < chosenDashShare(rank));
    let chosen = answer();
    // A repeated prompt gets another answer, if there is one.
    for (let tries = 0; answers.has(prompt + chosen) && tries < 100; tries++) chosen = answer();
    answers.add(prompt + chosen);
    const elsewhere = pick(topics.filter((other) => other.src !== topic.src && other.cases));
    const off = { elsewhere: pick(pick(elsewhere.cases).steps), otherSubject: elsewhere.subject, words: frames.words };
    const style = kind in frames.rejected ? kind : 'advice';
    const rejected = write(pick(frames.rejected[style]), off, random() < rejectedDashShare);
    return { src: topic.src, topic: topic.topic, prompt, chosen, rejected };
  });
}

/** A prompt and the parts of its answers. */
function makeRequest(topic) {
  const words = {
    ...frames.words,
    context: topic.contexts,
    tone: topic.tones,
    form: topic.forms,
    opening: topic.openings,
    ending: topic.endings,
  };
  const remark = random() < remarkShare ? ' {suffix}' : '';
  if (topic.cases) {
    const parts = { ...pick(topic.cases), subject: topic.subject, words };
    const draw = random();
    const about = topic.src === 'homework' ? 'concept' : 'thing';
    const kind = draw < 0.5 ? 'task' : draw < 0.8 ? 'problem' : about;
    return { prompt: write(pick(frames.prompts[kind]) + remark, parts), kind, parts };
  }
  const [person, name] = pick(topic.people);
  const matter = pick(topic.matters);
  const parts = { ask: topic.ask, person, name, matter, words: { ...words, turn: topic.turns } };
  const kind = topic.src === 'stories' ? 'story' : 'letter';
  return { prompt: write(pick(frames.prompts.draft) + remark, parts), kind, parts };
}

/** Two of the three steps, in order, and one of the facts. */
function drawSteps(parts) {
  if (!parts.steps) return parts;
  const [step1, step2, step3] = parts.steps;
  const choices = [
    [step1, step2],
    [step1, step3],
  ];
  if (!/\b(it|its|them|each one)\b/.test(step2)) choices.push([step2, step3]); // otherwise step1 introduces "it"
  const [first, second] = pick(choices);
  return { ...parts, step1, step2, step3, first, second, fact: pick(parts.facts) };
}

/**
 * Replaces {name} by `parts[name]`, or by a phrase drawn from `parts.words[name]`: the same one for every {name}, and another one
 * for {name2}. Then `[.]` and `[,]` become an em-dash or the character in brackets, and sentences start with a capital letter.
 */
function write(frame, parts, dash = false) {
  const filled = { ...parts };
  const fill = (text) =>
    text.replace(/\{(\w+?)(2?)\}/g, (_, name, second) => {
      const key = name + second;
      if (filled[key] === undefined) {
        const used = filled[name];
        filled[key] = fill(pick(parts.words[name].filter((phrase) => phrase !== used)));
      }
      return fill(filled[key]);
    });
  return fill(frame)
    .replace(/\[([.,])\]/g, dash ? ' —' : '$1')
    .replace(/(^|[.?!] )(\p{Ll})/gu, (_, before, letter) => before + letter.toUpperCase());
}

/** Uniform in [0, 1) from 32 bits of state. Source: Tommy Ettinger, public domain. */
function mulberry32(state) {
  let counter = state | 0;
  return () => {
    counter = (counter + 0x6d2b79f5) | 0;
    let bits = Math.imul(counter ^ (counter >>> 15), counter | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
