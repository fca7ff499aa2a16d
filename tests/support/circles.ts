import { dirname } from 'node:path/posix';

/** Node → the nodes that it depends on. */
export type Graph = ReadonlyMap<string, ReadonlySet<string>>;

/**
 * Circles of a graph: for each node that can reach itself, the shortest way back to it. Each set of nodes is listed once.
 * A circle a → b → a is written as `['a', 'b', 'a']`.
 */
export function circles(graph: Graph): string[][] {
  const found = new Map<string, string[]>();
  for (const start of [...graph.keys()].sort()) {
    const circle = shortestWayBack(graph, start);
    if (circle === undefined) continue;
    const key = [...new Set(circle)].sort().join('\n');
    if (!found.has(key)) found.set(key, circle);
  }
  return [...found.values()];
}

/**
 * Circles between the entries of a folder that pass through a subfolder, for the root folder and every folder below it. The
 * entries of a folder are its subfolders, each with all that it contains, and its own files.
 * @param files file → the files that it imports; paths with `/`, relative to the root folder
 */
export function folderCircles(files: Graph): string[][] {
  const folders = new Set<string>(['.']);
  for (const file of files.keys()) {
    for (let folder = dirname(file); folder !== '.'; folder = dirname(folder)) folders.add(folder);
  }
  return [...folders]
    .sort()
    .flatMap((folder) => circles(entryGraph(files, folder)))
    .filter((circle) => circle.some((entry) => !files.has(entry)));
}

function entryGraph(files: Graph, folder: string): Graph {
  const prefix = folder === '.' ? '' : `${folder}/`;
  const entryOf = (file: string) =>
    file.startsWith(prefix) ? prefix + file.slice(prefix.length).split('/')[0]! : undefined;
  const graph = new Map<string, Set<string>>();
  for (const [file, targets] of files) {
    const from = entryOf(file);
    if (from === undefined) continue;
    const edges = graph.get(from) ?? new Set();
    graph.set(from, edges);
    for (const target of targets) {
      const to = entryOf(target);
      if (to !== undefined && to !== from) edges.add(to);
    }
  }
  return graph;
}

/** Breadth-first search from the successors of `start` to `start`. */
function shortestWayBack(graph: Graph, start: string): string[] | undefined {
  const queue = [[start]];
  const seen = new Set<string>();
  for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
    for (const next of graph.get(path.at(-1)!) ?? []) {
      if (next === start) return [...path, start];
      if (seen.has(next)) continue;
      seen.add(next);
      queue.push([...path, next]);
    }
  }
  return undefined;
}
