/** What an embedder gets for a prompt: the text of a record `{ prompt }`, and anything else as it is. */
export type PromptItem<Prompt> = Prompt extends { readonly prompt: string } ? string : Prompt;

/** The items to embed, one per prompt. Of a record with a string `prompt`, only that text is embedded. */
export function promptItems<Prompt>(prompts: readonly Prompt[]): PromptItem<Prompt>[] {
  return prompts.map((prompt) => (isRecord(prompt) ? prompt.prompt : prompt) as PromptItem<Prompt>);
}

function isRecord(prompt: unknown): prompt is { readonly prompt: string } {
  return typeof prompt === 'object' && prompt !== null && 'prompt' in prompt && typeof prompt.prompt === 'string';
}
