/**
 * What was done for one request, for its answer to say (`Server-Timing`): which domain asked which other for what, and which operations the
 * HSM was asked for. Names and times alone: no argument, no key, no id.
 */

import type { Result, Step } from "./result.ts";

/** Steps that an answer tells. More are done where many keys are asked for at once; a header has to end. */
const MAX_STEPS = 24;

/** `ms`: once it has ended; `within`: what the other says that it took for it. */
type Begun = Omit<Step, "ms"> & { ms?: number; within: readonly Step[] };

/** The steps that one domain takes for one request, in the order in which they began. */
export class Steps {
  readonly #from: string;
  readonly #begun: Begun[] = [];

  constructor(from: string) {
    this.#from = from;
  }

  /** Those that have ended, each before what was done within it. */
  get done(): Step[] {
    const ended = this.#begun.flatMap(({ within, ms, ...step }) =>
      ms === undefined ? [] : [{ ...step, ms }, ...within],
    );
    return ended.slice(0, MAX_STEPS);
  }

  /** Begins a step. What is called at its end takes what its answer says of steps of its own. */
  begin(to: string, what: string): (within?: readonly Step[]) => void {
    if (this.#begun.length >= MAX_STEPS) return () => {};
    const began = Date.now();
    const step: Begun = { from: this.#from, to, what, within: [] };
    this.#begun.push(step);
    return (within = []) => {
      step.ms = Date.now() - began;
      step.within = within;
    };
  }

  /** What a client of the HSM is watched by (edge/hsm). */
  readonly ofHsm = (operations: string): (() => void) => {
    const end = this.begin("hsm", operations);
    return () => end();
  };

  /** A domain's binding, each call of which is a step. */
  watched<T extends object>(to: string, binding: T): T {
    return new Proxy(binding, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== "function" || typeof name !== "string") return method;
        return async (...given: unknown[]) => {
          const end = this.begin(to, name);
          let within: readonly Step[] | undefined;
          try {
            // By its name: of a stub `apply` would be a method of the other side.
            const answer = await (target as Record<string, (...of: unknown[]) => unknown>)[name]?.(...given);
            const told: unknown = (answer as { steps?: unknown } | null | undefined)?.steps;
            if (Array.isArray(told)) within = told;
            return answer;
          } finally {
            end(within);
          }
        };
      },
    });
  }
}

/** Has an answer tell the steps that were taken for it. A refusal tells none: whoever may not have it learns nothing of how far it came. */
export async function telling<T>(
  from: string,
  work: (steps: Steps) => Promise<Result<T>>,
): Promise<Result<T>> {
  const steps = new Steps(from);
  const answer = await work(steps);
  if (!answer.ok) return answer;
  return { ...answer, steps: [...steps.done, ...(answer.steps ?? [])].slice(0, MAX_STEPS) };
}

/** As `Server-Timing` has it (W3C): the gateway's own time, then a metric a step, milliseconds. */
export function serverTiming(total: number, steps: readonly Step[]): string {
  const metrics = steps.map(({ from, to, what, ms }) => `${from}-${to};dur=${ms};desc="${what}"`);
  return [`gateway;dur=${total}`, ...metrics].join(", ");
}
