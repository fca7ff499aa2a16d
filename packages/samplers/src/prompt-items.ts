/**
 * What an embedder gets for a prompt: the text of a record `{ prompt }`, only the `prompt` of a record whose prompt is a list of
 * messages, and anything else as it is.
 */
export type PromptItem<Prompt> = Prompt extends { readonly prompt: infer Content }
  ? Content extends string
    ? string
    : Content extends readonly unknown[]
      ? { readonly prompt: Content }
      : Prompt
  : Prompt;

/** The items to embed, one per prompt. Of a record, only the `prompt` is embedded. */
export function promptItems<Prompt>(prompts: readonly Prompt[]): PromptItem<Prompt>[] {
  return prompts.map((prompt) => itemOf(prompt) as PromptItem<Prompt>);
}

function itemOf(prompt: unknown): unknown {
  if (typeof prompt !== 'object' || prompt === null || !('prompt' in prompt)) return prompt;
  if (Array.isArray(prompt.prompt)) return { prompt: prompt.prompt };
  return typeof prompt.prompt === 'string' ? prompt.prompt : prompt;
}
