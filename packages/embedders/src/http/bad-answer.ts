/** What is wrong with an answer, as the end of a sentence that begins with "the answer". It may be right at the next try. */
export class BadAnswer extends Error {}
