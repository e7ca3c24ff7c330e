import type { Call } from "./recorder.ts";

/** The links that a Worker unwrapped, in order: by what, to what, and which of them could be exported. */
export function unwrapped(calls: readonly Call[]): string[] {
  return calls
    .filter(({ realm, method, error }) => realm === "worker" && method === "unwrapKey" && !error)
    .map(({ args }) => {
      const [by, to] = [args[3], args[4]].map((named) => (named as { name?: string }).name ?? named);
      return `${by} → ${to}${args[5] === false ? "" : ", to be exported"}`;
    });
}
