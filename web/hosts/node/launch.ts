import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { CofferError } from "#protocol/error.ts";
import type { Tier } from "#protocol/policy/index.ts";
import type { Attested } from "../../microservice/index.ts";
import type { Evidence, FromMicroservice, ToMicroservice } from "./messages.ts";

export interface LaunchOptions {
  /** The microservice (`node/microservice.js` of what is built for a deployment): these bytes run, and no file is read again. */
  code: Uint8Array;
  /** Origins of the vault, whose registration authority it enrols with, and of the custodian. */
  vault: string;
  origin: string;
  /** Distinguished Name of the one custodian that it serves. */
  custodian: string;
  /** The vault's cookie, with which alone a grant is taken. */
  cookie?: string;
  /** The enclave that the code is to run in, where there is one: its platform has measured the code. */
  enclave?: {
    environment: Tier;
    attest(asked: Attested): Promise<Evidence>;
    /** A document that names this public key, of a platform that makes such. */
    attestKey?(spki: Uint8Array<ArrayBuffer>): Promise<Uint8Array>;
  };
}

export interface Launched {
  /** The custodian's port. */
  port: MessagePort;
  pid: number;
  /** SHA-384 of the code, `sha384-<base64>`. */
  measurement: string;
  /** Ends it; its keys are gone with it. */
  stop(): void;
  /** Resolves with its exit code, or null where a signal ended it. */
  ended: Promise<number | null>;
}

/** ML-KEM is experimental in Node 24: its warning says nothing that a reader can act on. */
const QUIET = ["--disable-warning=ExperimentalWarning"];

/** Starts a microservice as a process of its own, with an empty environment. Throws `CofferError` where no process can be started. */
export async function launch(options: LaunchOptions): Promise<Launched> {
  const { vault, origin, custodian, cookie, enclave } = options;
  // A copy: who launches cannot change it between measuring and running.
  const code = options.code.slice();
  const measurement = `sha384-${createHash("sha384").update(code).digest("base64")}`;
  const child = spawn(process.execPath, [...QUIET, "--input-type=module", "-"], {
    env: {},
    stdio: ["pipe", "ignore", "inherit", "ipc"],
    serialization: "advanced",
  });
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (cause) => reject(new CofferError("internal", { cause })));
  });
  child.stdin?.on("error", () => {}).end(code);
  const { port1, port2 } = new MessageChannel();
  const tell = (message: ToMicroservice) => {
    if (child.connected) child.send(message, () => {});
  };
  port1.onmessage = ({ data }) => tell({ type: "port", message: data });
  child.on("message", async (message: FromMicroservice) => {
    if (message.type === "port") port1.postMessage(message.message);
    if (!("id" in message)) return;
    const { id } = message;
    if (message.type === "environment")
      return tell({ type: "environment", id, environment: enclave?.environment ?? "software" });
    if (message.type === "attest-key") {
      const document = await enclave?.attestKey?.(message.spki).catch(() => null);
      return tell({ type: "attested-key", id, document: document ?? null });
    }
    const evidence = await enclave?.attest(message.asked).catch(() => null);
    tell({ type: "evidence", id, evidence: evidence ?? null });
  });
  void ended.then(() => port1.close());
  const of = { vault, origin, custodian, measurement };
  tell({ type: "start", ...of, ...(cookie !== undefined && { cookie }) });
  return { port: port2, pid: child.pid ?? 0, measurement, stop: () => void child.kill(), ended };
}
