// What every module reads from the parameters that the host writes: words that workers share, and scratch memory of this worker.

export let words: usize = 0;
export let scratch: usize = 0;

/** Reads the first three of the parameters at `p`. */
export function setWords(p: usize, worker: i32): void {
  words = load<u32>(p);
  scratch = load<u32>(p, 4) + <usize>worker * load<u32>(p, 8);
}

@inline
export function wordAt(index: i32): usize {
  return words + (<usize>index << 2);
}

/** Sets a shared word to the smaller one of itself and `value`. */
export function lowerWord(index: i32, value: i32): void {
  let seen = atomic.load<i32>(wordAt(index));
  while (value < seen) seen = replace(wordAt(index), seen, value);
}

/** Sets a shared word to the larger one of itself and `value`. */
export function raiseWord(index: i32, value: i32): void {
  let seen = atomic.load<i32>(wordAt(index));
  while (value > seen) seen = replace(wordAt(index), seen, value);
}

/** Returns `value` if it was stored, otherwise what another worker stored meanwhile. */
function replace(word: usize, seen: i32, value: i32): i32 {
  const found = atomic.cmpxchg<i32>(word, seen, value);
  return found == seen ? value : found;
}
