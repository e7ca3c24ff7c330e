/** What an app's connection does, step by step, for who wants to show it: names and times, no key and no document. */

import type { PortCall, PortClient } from "#protocol/port/index.ts";

/** What a vault says of what it holds and what it has asked for. `drop`: it lets go of those keys; what is needed again is released again. */
export type Held = Awaited<ReturnType<PortClient["standing"]>> & { drop(): Promise<void> };

/** What a person would call an operation. */
export type OperationName =
  | "seal"
  | "resume"
  | "open"
  | "openRanged"
  | "list"
  | "finish"
  | "remove"
  | "restore"
  | "replace"
  | "reEncrypt"
  | "reEncryptAll"
  | "share"
  | "withdraw"
  | "decline"
  | "openReceived";

/** A request of the page that was answered. `status`: of HTTP, 0 where there was no answer; `timing`: its `Server-Timing`. */
export type RequestStep = { what: string; at: number; ms: number; status: number; timing: string };

/** `at`: milliseconds since 1970; `id` counts operations. Steps between the begin and the end of one need not all be its own: others go on. */
export type Step =
  | { step: "begin"; operation: OperationName; id: number; at: number }
  | { step: "end"; id: number; at: number }
  | ({ step: "vault" } & PortCall)
  | ({ step: "server" } & RequestStep);

export type StepListener = (step: Step) => void;

const OPERATIONS: ReadonlySet<string> = new Set<OperationName>([
  ...(["seal", "resume", "open", "openRanged", "list"] as const),
  ...(["finish", "remove", "restore", "replace", "reEncrypt", "reEncryptAll"] as const),
  ...(["share", "withdraw", "decline", "openReceived"] as const),
]);

/** Makes of documents, or of shares, the same, telling when an operation begins and ends. `named`: methods that are told by another name than their own. */
export type Telling = <T extends object>(of: T, named?: Readonly<Record<string, OperationName>>) => T;

export function telling(tell: StepListener): Telling {
  let last = 0;
  return (of, named = {}) =>
    new Proxy(of, {
      get(target, name) {
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== "function") return method;
        const operation = named[String(name)] ?? String(name);
        if (!OPERATIONS.has(operation)) return method.bind(target);
        return async (...given: unknown[]) => {
          const id = ++last;
          tell({ step: "begin", operation: operation as OperationName, id, at: Date.now() });
          try {
            return await method.apply(target, given);
          } finally {
            tell({ step: "end", id, at: Date.now() });
          }
        };
      },
    });
}
