import {
  type CallOptions,
  checkInteger,
  checkOptions,
  counterRandom,
  InvalidWeightsError,
  timeSlices,
} from '@rarefy/core';

export interface SampleStreamOptions<Item> extends Pick<CallOptions, 'signal'> {
  /** Items to keep, an integer ≥ 0. If fewer items have a weight above 0, all of those are kept. */
  readonly count: number;
  /** Weight of an item, finite and ≥ 0; items of weight 0 are never kept. */
  readonly weight: (item: Item, index: number) => number;
  /** Any safe integer. */
  readonly seed: number;
}

const optionNames = ['count', 'weight', 'seed', 'signal'] satisfies (keyof SampleStreamOptions<unknown>)[];

/** An item and its exponential waiting time. */
interface Kept<Item> {
  readonly item: Item;
  readonly time: number;
}

/**
 * A weighted sample without replacement of a stream of unknown length, in draw order. It has the distribution of
 * `drawWithoutReplacement`, takes one pass and keeps `count` items in memory.
 *
 * A-ExpJ: every item waits an exponential time with its weight as rate, and the `count` items with the shortest times are kept.
 * Instead of one random number per item, it draws how much weight passes until the next item with a shorter time than the longest
 * kept one: about count × log(n / count) numbers in all. Source: Efraimidis & Spirakis, "Weighted random sampling with a
 * reservoir", 2006.
 * @throws InvalidWeightsError naming the first invalid weight; InvalidArgumentError if the count or the seed is invalid,
 * or an option is unknown; the
 * signal's reason on abort; what the stream throws.
 */
export async function sampleStream<Item>(
  stream: Iterable<Item> | AsyncIterable<Item>,
  options: SampleStreamOptions<Item>,
): Promise<Item[]> {
  const { count, weight: weigh, seed, signal } = checkOptions(options, optionNames, 'sampleStream');
  checkInteger('count', count, 0);
  const random = counterRandom(seed);
  let used = 0;
  const exponential = (uniform: number) => 0 - Math.log(1 - uniform);
  const heap: Kept<Item>[] = []; // the longest time is at the root
  let toPass = 0; // weight that still passes before the next item is kept
  const jump = () => {
    toPass = exponential(random.uniform(used++)) / heap[0]!.time;
  };

  const slices = timeSlices(signal);
  let index = 0;
  for await (const item of stream) {
    signal?.throwIfAborted();
    if (index % 256 === 0 && slices.due()) await slices.pause(); // an array would not let other work run
    const weight = weigh(item, index);
    if (!(weight >= 0 && weight < Infinity)) {
      throw new InvalidWeightsError(`weight ${weight} of item ${index}: weights must be finite and ≥ 0`);
    }
    index++;
    if (weight === 0 || count === 0) continue;
    if (heap.length < count) {
      heap.push({ item, time: exponential(random.uniform(used++)) / weight });
      siftUp(heap);
      if (heap.length === count) jump();
      continue;
    }
    toPass -= weight;
    if (toPass > 0) continue;
    // An exponential time, conditional on being shorter than the longest kept one.
    const below = -Math.expm1(-weight * heap[0]!.time);
    heap[0] = { item, time: exponential(random.uniform(used++) * below) / weight };
    siftDown(heap);
    jump();
  }
  return heap.sort((a, b) => a.time - b.time).map(({ item }) => item);
}

function siftUp<Item>(heap: Kept<Item>[]): void {
  let child = heap.length - 1;
  while (child > 0) {
    const parent = (child - 1) >> 1;
    if (heap[parent]!.time >= heap[child]!.time) return;
    swap(heap, parent, child);
    child = parent;
  }
}

function siftDown<Item>(heap: Kept<Item>[]): void {
  let parent = 0;
  for (;;) {
    let child = 2 * parent + 1;
    if (child >= heap.length) return;
    if (child + 1 < heap.length && heap[child + 1]!.time > heap[child]!.time) child++;
    if (heap[parent]!.time >= heap[child]!.time) return;
    swap(heap, parent, child);
    parent = child;
  }
}

function swap<Item>(heap: Kept<Item>[], a: number, b: number): void {
  [heap[a], heap[b]] = [heap[b]!, heap[a]!];
}
