/** The first ids are no pieces of text: the unknown one, begin, end and three more. */
const reserved = 6;
const unknown = 0;
/** SentencePiece's sign for a blank. */
const blank = '\u2581';

interface Branch {
  readonly next: Map<number, Branch>;
  /** Of the piece that ends here; -1 where none does. */
  id: number;
  score: number;
}

/**
 * The most likely pieces of a text under the unigram model of SentencePiece, by id, in time that grows with the text. The ids are those
 * of `@tensorflow-models/universal-sentence-encoder` 1.3.3, which cannot be installed beside tfjs 4: it counts UTF-16 units, and a
 * unit that begins no piece costs nothing.
 * Source: Kudo, "Subword Regularization", ACL 2018.
 * @param vocabulary pieces and their log-probabilities, by id
 */
export function sentencePieces(vocabulary: readonly (readonly [string, number])[]): (text: string) => number[] {
  const branch = (): Branch => ({ next: new Map(), id: -1, score: 0 });
  const root = branch();
  for (let id = reserved; id < vocabulary.length; id++) {
    const [piece, score] = vocabulary[id]!;
    let at = root;
    for (let unit = 0; unit < piece.length; unit++) {
      const code = piece.charCodeAt(unit);
      let following = at.next.get(code);
      if (following === undefined) at.next.set(code, (following = branch()));
      at = following;
    }
    at.id = id;
    at.score = score;
  }

  return (text) => {
    const normal = text.normalize('NFKC');
    const units = normal === '' ? '' : blank + normal.replaceAll(' ', blank);
    const best = new Float64Array(units.length + 1); // of all ways to split what lies before; 0 for none yet
    const last = new Int32Array(units.length + 1); // the last piece of the best way
    const offer = (end: number, id: number, score: number) => {
      if (best[end] !== 0 && score < best[end]!) return;
      best[end] = score;
      last[end] = id;
    };
    for (let start = 0; start < units.length; start++) {
      let isKnown = false;
      let at = root.next.get(units.charCodeAt(start));
      for (let end = start + 1; at; end++) {
        if (at.id >= 0) {
          isKnown = true;
          offer(end, at.id, at.score + best[start]!);
        }
        at = at.next.get(units.charCodeAt(end)); // NaN at the end of the text begins nothing
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
