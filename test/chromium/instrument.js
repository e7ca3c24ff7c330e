// @ts-nocheck: one self-contained script of the browser, injected as text into realms of three kinds
// Runs first in every realm of the browser, before any script of the product: page, vault, Worker.
// Replaces every method of SubtleCrypto.prototype by one that reports the call and then does exactly the same.
// REPORT stands for the name of the DevTools binding; it is taken and removed, so that the product does not see it.
(() => {
  const report = globalThis.REPORT;
  if (typeof report !== "function" || typeof SubtleCrypto !== "function") return;
  delete globalThis.REPORT;
  const LIMIT = 64 * 1024;
  const { apply, ownKeys } = Reflect;
  const { stringify } = JSON;
  const then = Promise.prototype.then;
  const realm =
    typeof document === "undefined" ? "worker" : globalThis.top === globalThis ? "page" : "iframe";
  const origin = globalThis.origin;
  let sequence = 0;

  const hex = (bytes) => {
    let text = "";
    for (let i = 0; i < bytes.length; i++) text += (bytes[i] < 16 ? "0" : "") + bytes[i].toString(16);
    return text;
  };
  const bytesOf = (value) => {
    if (value instanceof ArrayBuffer) return new Uint8Array(value);
    if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    return undefined;
  };
  // An algorithm, a JWK or an argument as plain data. Key handles are described, never followed.
  const describe = (value, depth = 0) => {
    const bytes = bytesOf(value);
    if (bytes) return { bytes: bytes.length, ...(bytes.length <= LIMIT && { hex: hex(bytes) }) };
    if (value instanceof CryptoKey) {
      const { type, extractable, algorithm, usages } = value;
      return { key: { type, extractable, algorithm: describe(algorithm, depth + 1), usages: [...usages] } };
    }
    if (value === null || typeof value !== "object") return value;
    if (depth > 4) return "…";
    if (Array.isArray(value)) return value.map((entry) => describe(entry, depth + 1));
    const plain = {};
    for (const name in value) plain[name] = describe(value[name], depth + 1);
    return plain;
  };
  const emit = (record) => {
    try {
      report(stringify(record));
    } catch (error) {
      report(stringify({ realm, origin, method: "unreportable", error: String(error) }));
    }
  };

  for (const method of ownKeys(SubtleCrypto.prototype)) {
    const descriptor = Object.getOwnPropertyDescriptor(SubtleCrypto.prototype, method);
    const original = descriptor?.value;
    if (typeof method !== "string" || typeof original !== "function" || method === "constructor") continue;
    // A method, not a function expression: no `prototype`, not a constructor, like the original.
    const replacement = {
      [method](...args) {
        const call = { realm, origin, sequence: ++sequence, method, args: describe(args) };
        const promise = apply(original, this, args);
        apply(then, promise, [
          (result) => emit({ ...call, result: describe(result) }),
          (error) => emit({ ...call, error: String(error?.name) }),
        ]);
        return promise;
      },
    }[method];
    Object.defineProperty(replacement, "length", { value: original.length, configurable: true });
    Object.defineProperty(SubtleCrypto.prototype, method, { ...descriptor, value: replacement });
  }

  // No CryptoKey ever crosses a message port: what is posted is looked through as well.
  const carriesKey = (value, seen = new Set()) => {
    if (value instanceof CryptoKey) return true;
    if (value === null || typeof value !== "object" || ArrayBuffer.isView(value) || seen.has(value))
      return false;
    seen.add(value);
    const inner =
      value instanceof Map
        ? [...value.keys(), ...value.values()]
        : value instanceof Set
          ? [...value]
          : Object.values(value);
    return inner.some((entry) => carriesKey(entry, seen));
  };
  const posters = [
    globalThis.MessagePort?.prototype,
    globalThis.Worker?.prototype,
    globalThis.BroadcastChannel?.prototype,
    globalThis,
  ];
  for (const holder of posters) {
    const descriptor = holder && Object.getOwnPropertyDescriptor(holder, "postMessage");
    const original = descriptor?.value;
    if (typeof original !== "function") continue;
    const replacement = {
      postMessage(...args) {
        emit({
          realm,
          origin,
          sequence: ++sequence,
          method: "postMessage",
          to: holder[Symbol.toStringTag],
          args: [describe(args[0])],
          carriesKey: carriesKey(args[0]),
        });
        return apply(original, this ?? globalThis, args);
      },
    }.postMessage;
    Object.defineProperty(holder, "postMessage", { ...descriptor, value: replacement });
  }
  // A window of another origin is posted to by a function that is no method of this realm: whoever gets it says so.
  if (realm !== "worker")
    globalThis.addEventListener(
      "message",
      ({ data }) =>
        emit({
          realm,
          origin,
          sequence: ++sequence,
          method: "message",
          args: [describe(data)],
          carriesKey: carriesKey(data),
        }),
      { capture: true },
    );
  emit({ realm, origin, sequence: 0, method: "instrumented", args: [] });
})();
