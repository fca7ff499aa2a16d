/** Runs a script of this folder in a process of its own, its JavaScript heap limited; gives the JSON that it prints. */
export function runApart<Result>(
  script: string,
  options: object,
  settings?: { heapMegabytes?: number },
): Promise<Result>;
