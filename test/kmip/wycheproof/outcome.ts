import { KmipError } from "#protocol/kmip/index.ts";
import { isNotSupported } from "../not-supported.ts";
import type { KmipSession } from "./session.ts";
import type { Group, Vector } from "./vectors.ts";

/**
 * What the server made of a vector in one operation: it took it and gave exactly what the vector says, or it did not
 * (it refused, or gave something else where the vector's output must not come out), or it did what no result allows.
 */
export interface Outcome {
  answer: "accepted" | "refused" | "wrong";
  detail?: string;
  /** It was refused as what the server does not have. */
  notSupported?: boolean;
}

export const ACCEPTED: Outcome = { answer: "accepted" };
export const refused = (detail: string): Outcome => ({ answer: "refused", detail });
export const wrong = (detail: string): Outcome => ({ answer: "wrong", detail });

/** The operations that a vector was put to, by name. */
export type Outcomes = Record<string, Outcome>;

/** Puts a vector to the operations that it is about. */
export type Driver = (test: Vector, group: Group, session: KmipSession) => Promise<Outcomes>;

/** What the emulator says when it failed itself. The profiles have its code, General Failure, for refusals too. */
const FAILED = "The server failed";

/** Runs an operation; a refusal by the server is an outcome, its own failure is wrong, whatever the vector says. */
export async function attempt(work: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof KmipError)) throw error;
    const { code, message } = error;
    if (message === FAILED) return wrong(message);
    const outcome = refused(`${code}, ${message}`);
    return isNotSupported(code, message) ? { ...outcome, notSupported: true } : outcome;
  }
}

/** For what makes the vector's output: another output is as good as a refusal. */
export function makes(expected: Uint8Array, actual: Uint8Array | undefined): Outcome {
  return isSame(expected, actual) ? ACCEPTED : refused("another output");
}

/** For what checks the vector: if it is taken, the output must be right. */
export function gives(expected: Uint8Array, actual: Uint8Array | undefined): Outcome {
  return isSame(expected, actual) ? ACCEPTED : wrong("taken, with another output");
}

/** For what says by an indicator whether the vector is right. */
export function says(validityIndicator: unknown): Outcome {
  return validityIndicator === "Valid" ? ACCEPTED : refused(`${String(validityIndicator)}`);
}

function isSame(expected: Uint8Array, actual: Uint8Array | undefined): boolean {
  return actual !== undefined && Buffer.compare(expected, actual) === 0;
}

/** What is wrong with the outcomes; undefined where the vector's result allows them. */
export function fault(result: Vector["result"], outcomes: Outcomes): string | undefined {
  const entries = Object.entries(outcomes);
  if (entries.length === 0) return "no operation was tried";
  const [[, first]] = entries as [[string, Outcome], ...[string, Outcome][]];
  const wanted = result === "acceptable" ? first.answer : result === "valid" ? "accepted" : "refused";
  const other = entries.find(([, { answer }]) => answer !== wanted || answer === "wrong");
  return other && `${other[0]} ${other[1].answer}${other[1].detail ? ` (${other[1].detail})` : ""}`;
}
