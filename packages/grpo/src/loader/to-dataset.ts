import { checkOptions, importPeer } from '@rarefy/core';
import type { TensorContainerObject } from '@tensorflow/tfjs-core';
import type { Dataset } from '@tensorflow/tfjs-data';

type TensorFlowData = Pick<typeof import('@tensorflow/tfjs-data'), 'generator'>;

export interface DatasetOptions {
  /** The `@tensorflow/tfjs-data` module, or a function that returns it; default: imported. `tf.data` of tfjs also works. */
  readonly lib?: TensorFlowData | (() => Promise<TensorFlowData>);
}

/** The elements are the batches of the loader, unchanged. They contain no tensors. Save the `state` of the last one trained on. */
export type BatchDataset<Batch> = Dataset<Batch & TensorContainerObject>;

/**
 * The batches of a loader as a `tf.data.Dataset`. All iterators of the data set continue where the loader is. An iterator that
 * is dropped early keeps nothing open: it takes each batch in an iteration of its own. Stages that read ahead, such as `prefetch`,
 * `shuffle` and `mapAsync`, may call `next` before the last call is answered: the calls wait for each other, also across iterators.
 * @throws InvalidArgumentError for an unknown option; MissingDependencyError if `@tensorflow/tfjs-data` is not installed and not
 *   given.
 */
export async function toDataset<Batch>(
  loader: AsyncIterable<Batch>,
  options: DatasetOptions = {},
): Promise<BatchDataset<Batch>> {
  checkOptions(options, ['lib'], 'toDataset');
  const { generator } = await importPeer<TensorFlowData>({
    name: '@tensorflow/tfjs-data',
    range: '^4.22.0',
    lib: options.lib,
    load: () => import('@tensorflow/tfjs-data'),
  });
  type Element = Batch & TensorContainerObject;
  const takeBatch = async (): Promise<IteratorResult<Element>> => {
    for await (const batch of loader) return { done: false, value: batch as Element };
    return { done: true, value: undefined };
  };
  let last: Promise<unknown> = Promise.resolve();
  const next = (): Promise<IteratorResult<Element>> => {
    const taken = last.then(takeBatch);
    last = taken.catch(() => {}); // a failure belongs to the call that it answers
    return taken;
  };
  // tfjs-data declares a synchronous iterator, and awaits the results.
  return generator<Element>(() => ({ next }) as unknown as Iterator<Element>);
}
