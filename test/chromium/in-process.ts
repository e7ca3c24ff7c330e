/** Records the calls to SubtleCrypto that some code of this process makes, as the recorder of the browser does: told by where they come from. */

import type { Call, Recorded } from "./recorder.ts";

const LIMIT = 64 * 1024;

function described(value: unknown, depth = 0): Recorded {
  const view = value instanceof ArrayBuffer ? new Uint8Array(value) : value;
  if (ArrayBuffer.isView(view)) {
    const { buffer, byteOffset, byteLength } = view;
    const hex =
      byteLength <= LIMIT ? { hex: Buffer.from(buffer, byteOffset, byteLength).toString("hex") } : {};
    return { bytes: byteLength, ...hex };
  }
  if (value instanceof CryptoKey) {
    const { type, extractable, algorithm, usages } = value;
    return { key: { type, extractable, algorithm: described(algorithm, depth + 1), usages: [...usages] } };
  }
  if (value === null || typeof value !== "object") return value;
  if (depth > 4) return "…";
  if (Array.isArray(value)) return value.map((one) => described(one, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, described(one, depth + 1)]));
}

/** From now on, of code whose file's path has `from` in it. Begin before that code takes its references. */
export function recordInProcess(from: string): { calls: Call[]; stop(): void } {
  const calls: Call[] = [];
  const { prototype } = SubtleCrypto;
  const originals = new Map<string, PropertyDescriptor>();
  let sequence = 0;
  for (const [method, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
    const { value: original } = descriptor;
    if (typeof original !== "function" || method === "constructor") continue;
    originals.set(method, descriptor);
    const value = function (this: SubtleCrypto, ...args: unknown[]) {
      const promise = Reflect.apply(original, this, args) as Promise<unknown>;
      const { stackTraceLimit } = Error;
      Error.stackTraceLimit = 12;
      const mine = String(new Error("who calls").stack).includes(from);
      Error.stackTraceLimit = stackTraceLimit;
      if (!mine) return promise;
      const call: Call = {
        ...{ realm: "worker", origin: from, target: "process", sequence: ++sequence, method },
        args: args.map((one) => described(one)),
      };
      promise.then(
        (result) => calls.push({ ...call, result: described(result) }),
        (error: unknown) => calls.push({ ...call, error: String((error as Error)?.name) }),
      );
      return promise;
    };
    Object.defineProperty(prototype, method, { ...descriptor, value });
  }
  return {
    calls,
    stop() {
      for (const [method, descriptor] of originals) Object.defineProperty(prototype, method, descriptor);
    },
  };
}
