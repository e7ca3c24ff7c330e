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

/** Methods of documents and of shares that a person would call an operation, and how. */
export const OF_DOCUMENTS = {
  ...{
    seal: "seal",
    resume: "resume",
    open: "open",
    openRanged: "openRanged",
    list: "list",
    finish: "finish",
  },
  ...{ remove: "remove", restore: "restore", reEncrypt: "reEncrypt", reEncryptAll: "reEncryptAll" },
} as const satisfies Record<string, OperationName>;
export const OF_SHARES = {
  ...{ share: "share", withdraw: "withdraw", decline: "decline", open: "openReceived" },
} as const satisfies Record<string, OperationName>;

/** What makes of documents, and of shares, the same, telling when an operation begins and ends. */
export type Telling = <T extends object>(of: T, operations: Readonly<Record<string, OperationName>>) => T;

export function telling(tell: StepListener): Telling {
  let last = 0;
  return (of, operations) =>
    new Proxy(of, {
      get(target, name) {
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== "function") return method;
        const operation = typeof name === "string" ? operations[name] : undefined;
        if (operation === undefined) return method.bind(target);
        return async (...given: unknown[]) => {
          const id = ++last;
          tell({ step: "begin", operation, id, at: Date.now() });
          try {
            return await method.apply(target, given);
          } finally {
            tell({ step: "end", id, at: Date.now() });
          }
        };
      },
    });
}
