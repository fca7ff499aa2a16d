/** The first ids are special tokens: unknown, begin, end and three more. */
const reserved = 6;
const unknown = 0;
/** SentencePiece's character for a blank. */
const blank = '\u2581';

/** Node of a trie over UTF-16 units. */
interface TrieNode {
  readonly next: Map<number, TrieNode>;
  /** Id of the piece that ends here; -1 if none does. */
  id: number;
  score: number;
}

/**
 * The most likely segmentation of a text under SentencePiece's unigram model, as ids, in time linear in the length of the text. The
 * ids equal those of `@tensorflow-models/universal-sentence-encoder` 1.3.3, which cannot be installed next to tfjs 4. Like that
 * library, it works on UTF-16 units, and a unit that no piece begins with costs nothing.
 * Source: Kudo, "Subword Regularization", ACL 2018.
 * @param vocabulary pieces and their log-probabilities, by id
 */
export function sentencePieces(vocabulary: readonly (readonly [string, number])[]): (text: string) => number[] {
  const newNode = (): TrieNode => ({ next: new Map(), id: -1, score: 0 });
  const root = newNode();
  for (let id = reserved; id < vocabulary.length; id++) {
    const [piece, score] = vocabulary[id]!;
    let node = root;
    for (let index = 0; index < piece.length; index++) {
      const unit = piece.charCodeAt(index);
      let next = node.next.get(unit);
      if (next === undefined) node.next.set(unit, (next = newNode()));
      node = next;
    }
    node.id = id;
    node.score = score;
  }

  return (text) => {
    const normal = text.normalize('NFKC');
    const units = normal === '' ? '' : blank + normal.replaceAll(' ', blank);
    const best = new Float64Array(units.length + 1); // score of the best segmentation up to here; 0 if none yet
    const last = new Int32Array(units.length + 1); // its last piece
    const offer = (end: number, id: number, score: number) => {
      if (best[end] !== 0 && score < best[end]!) return;
      best[end] = score;
      last[end] = id;
    };
    for (let start = 0; start < units.length; start++) {
      let isKnown = false;
      let node = root.next.get(units.charCodeAt(start));
      for (let end = start + 1; node; end++) {
        if (node.id >= 0) {
          isKnown = true;
          offer(end, node.id, node.score + best[start]!);
        }
        node = node.next.get(units.charCodeAt(end)); // charCodeAt is NaN after the end, which no node has
      }
      if (!isKnown) offer(start + 1, unknown, best[start]!);
    }
    const ids: number[] = [];
    for (let end = units.length; end > 0; end -= Math.max(1, vocabulary[last[end]!]![0].length)) {
      if (last[end] !== unknown || ids.at(-1) !== unknown) ids.push(last[end]!);
    }
    return ids.reverse();
  };
}
