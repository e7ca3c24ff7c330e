/**
 * Records every call to SubtleCrypto in page, iframes and Workers without changing a byte of their code: each target is
 * held by the DevTools protocol before its first script, `instrument.js` runs in it, and only then it goes on.
 */

import { readFileSync } from "node:fs";
import type { Cdp } from "./cdp.ts";

export type KeySummary = {
  type: "secret" | "private" | "public";
  extractable: boolean;
  algorithm: { name: string; [parameter: string]: unknown };
  usages: string[];
};

/** A value in a call: a key, bytes (in full up to 64 KiB), or plain data. */
export type Recorded = { key: KeySummary } | { bytes: number; hex?: string } | unknown;

export type Call = {
  realm: "page" | "iframe" | "worker";
  origin: string;
  /** The target that the realm belongs to: one for each Worker, one for a page with all its frames of one process. */
  target: string;
  /** Counts within one realm. */
  sequence: number;
  /** A method of SubtleCrypto, `postMessage`, `message` (what a window was sent), or `instrumented` (once a realm). */
  method: string;
  /** What `postMessage` was called on: `MessagePort`, `Worker`, `BroadcastChannel` or the realm's own global. */
  to?: string;
  args: Recorded[];
  result?: Recorded;
  error?: string;
  carriesKey?: boolean;
};

export type Recorder = {
  calls: Call[];
  /** The calls to SubtleCrypto alone. */
  crypto(): Call[];
  /** What went wrong while instrumenting; a test asserts that it is empty. */
  failures: string[];
  /** Has the clock of all workers go forward by so many milliseconds from now on. */
  forward(milliseconds: number): Promise<void>;
};

const BINDING = "__record";
const INSTRUMENT = readFileSync(new URL("./instrument.js", import.meta.url), "utf8").replaceAll(
  "REPORT",
  BINDING,
);
const ATTACH = { autoAttach: true, waitForDebuggerOnStart: true, flatten: true };

/**
 * Begins to record; pages opened from now on are instrumented in all their realms. `lacking`: methods of SubtleCrypto that the engine is not to
 * have there, as an older one has not.
 */
export async function recordSubtleCrypto(cdp: Cdp, lacking: readonly string[] = []): Promise<Recorder> {
  const source =
    lacking
      .map((method) => `delete globalThis.SubtleCrypto?.prototype[${JSON.stringify(method)}];\n`)
      .join("") + INSTRUMENT;
  const calls: Call[] = [];
  const failures: string[] = [];
  const workers = new Set<string>();
  const gone = new Set<string>();
  cdp.onEvent(({ method, params, session }) => {
    if (method === "Runtime.bindingCalled" && params.name === BINDING) {
      calls.push({ ...(JSON.parse(String(params.payload)) as Call), target: String(session) });
    } else if (method === "Target.attachedToTarget") {
      const { type, url } = params.targetInfo as { type: string; url: string };
      prepare(String(params.sessionId), type).catch((error: unknown) =>
        failures.push(`${type} ${url}: ${error}`),
      );
    } else if (method === "Target.detachedFromTarget") {
      workers.delete(String(params.sessionId));
      gone.add(String(params.sessionId));
    } else if (method === "Debugger.paused") {
      // A worker that was ended where it stood has run nothing.
      enter(String(session)).catch(
        (error: unknown) => gone.has(String(session)) || failures.push(`paused: ${error}`),
      );
    }
  });

  async function prepare(session: string, type: string) {
    const send = (method: string, params?: object) => cdp.send(method, params, session);
    if (type === "page" || type === "iframe") {
      // Commands of one session are carried out in order: no need to wait for each.
      await Promise.all([
        send("Runtime.enable"),
        send("Runtime.addBinding", { name: BINDING }),
        send("Page.enable"),
        send("Page.addScriptToEvaluateOnNewDocument", { source, runImmediately: true }),
        send("Target.setAutoAttach", ATTACH),
        send("Runtime.runIfWaitingForDebugger"),
      ]);
    } else if (type === "worker" || type === "shared_worker" || type === "service_worker") {
      await Promise.all([
        send("Runtime.enable"),
        send("Runtime.addBinding", { name: BINDING }),
        send("Debugger.enable"),
        send("Debugger.setInstrumentationBreakpoint", { instrumentation: "beforeScriptExecution" }),
        ...(type === "worker" ? [send("Target.setAutoAttach", ATTACH)] : []),
        send("Runtime.runIfWaitingForDebugger"),
      ]);
    } else {
      await send("Runtime.runIfWaitingForDebugger").catch(() => {});
    }
  }

  /** A worker stands before its first statement. */
  async function enter(session: string) {
    const { exceptionDetails } = await cdp.send("Runtime.evaluate", { expression: source }, session);
    if (exceptionDetails) failures.push(`worker: ${JSON.stringify(exceptionDetails)}`);
    workers.add(session);
    await cdp.send("Debugger.disable", {}, session);
  }

  await cdp.send("Target.setAutoAttach", ATTACH);
  return {
    calls,
    failures,
    async forward(milliseconds) {
      const expression = `{ const now = Date.now; Date.now = () => now() + ${milliseconds}; }`;
      for (const session of workers) await cdp.send("Runtime.evaluate", { expression }, session);
    },
    crypto: () => calls.filter(({ method }) => !["postMessage", "message", "instrumented"].includes(method)),
  };
}
