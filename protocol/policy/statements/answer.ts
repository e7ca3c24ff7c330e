/** Answers of three values: yes, no, and not known. */
import type { Answer } from "../index.ts";

/** Whether one holds at all. */
export function any(answers: readonly Answer[]): Answer {
  if (answers.includes(true)) return true;
  return answers.includes(undefined) ? undefined : false;
}

/** Whether all hold. */
export function all(answers: readonly Answer[]): Answer {
  if (answers.includes(false)) return false;
  return answers.includes(undefined) ? undefined : true;
}

/**
 * Of a thing that should have one value and may have several: what all of them say. Where they differ it is not known, so
 * that a second value neither brings an allow nor evades a deny. Of none, nothing holds.
 */
export function same(answers: readonly Answer[]): Answer {
  if (answers.length === 0) return false;
  return answers.every((answer) => answer === answers[0]) ? answers[0] : undefined;
}
