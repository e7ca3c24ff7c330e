import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import { lockFolder } from "#files/index.ts";
import { type Seeding, systemRandom } from "../crypto/random.ts";
import type { Pki } from "../identity/pki.ts";
import { type Principal, Principals, principalOf } from "../identity/principals.ts";
import { fileLog, type Log } from "../log.ts";
import { OPERATIONS } from "../operations/index.ts";
import { LEASE_TIME } from "../operations/lease-time.ts";
import { OperationPolicies, type OperationPolicy } from "../policy/operation-policy.ts";
import { ObjectStore } from "../store/store.ts";
import { Engine } from "./engine.ts";
import { listenHttps } from "./https-listener.ts";
import type { ListenerOptions, Origin } from "./listener.ts";
import { refusalLog } from "./refused-connections.ts";
import { listenTtlv } from "./ttlv-listener.ts";

export interface HsmOptions {
  /** Where the store, its key file and the log are; made when absent. */
  dir: string;
  pki: Pki;
  /**
   * Certificates (PEM) of authorities beside that of the PKI whose clients are served; none by default. Names that begin
   * with `coffer-` they cannot give.
   */
  clientAuthorities?: readonly string[];
  /** Address to listen on; 127.0.0.1 by default. */
  host?: string;
  /** Ports; 0 takes a free one. */
  ttlvPort: number;
  httpsPort: number;
  now?: () => Date;
  random?: (length: number) => Uint8Array<ArrayBuffer>;
  /** Called with each line of the log; they are written to `logPath` too. */
  log?: Log;
  /** Longest request in bytes; 1 MiB by default. */
  limit?: number;
  /** Connections that are idle this long (ms) are closed; five minutes by default. */
  idleTimeout?: number;
  /** Clients that may name themselves by user name and password, in plain; nobody by default. */
  users?: Readonly<Record<string, string>>;
  /** Clients that may name themselves by these and other credentials, and the groups of those whom certificates name. */
  principals?: readonly Principal[];
  /** Operation policies by name, beside `default` and `public`: `parsePolicies` reads a file of them. */
  policies?: Readonly<Record<string, OperationPolicy>>;
  /** Root certificates (PEM) of the platforms whose attestation is accepted; none by default. */
  attestationRoots?: readonly string[];
  /** What becomes of seeds that clients bring; they are mixed in by default. */
  seeding?: Seeding;
  /**
   * Identities whose clients read the Key Value of a wrapped key only as a structure, as PyKMIP does; by the
   * specification it is a Byte String (KMIP 2.1 §3.2 Key Value). None by default.
   */
  structuredKeyValues?: readonly string[];
  /**
   * Identities whose clients are PyKMIP's: wrapped keys are structures to them, their objects may share a name, and Get
   * Attributes without names tells them what PyKMIP can decode. None by default.
   */
  pykmip?: readonly string[];
  /** Seconds that clients may use what they know of an object before they ask again; an hour by default, 0 without end. */
  leaseTime?: number;
}

/** One message on the wire, as encoded. */
export interface HsmMessage extends Origin {
  direction: "request" | "response";
  bytes: Uint8Array;
}

export interface Hsm {
  ttlvPort: number;
  httpsPort: number;
  logPath: string;
  /** Set to see the messages that pass: for tests that look for what must not be in them. */
  onMessage?: ((message: HsmMessage) => void) | undefined;
  close(): Promise<void>;
}

/**
 * Starts the HSM emulator: KMIP as TTLV over mutual TLS, and as `POST /kmip` over mutual TLS. One process at a time can
 * have a store, since each believes what it has read of it. Error: `folder-in-use`.
 */
export async function startHsm(options: HsmOptions): Promise<Hsm> {
  const lock = lockFolder(options.dir, "hsm");
  try {
    const hsm = await startAlone(options);
    const { close } = hsm;
    hsm.close = () => close().finally(lock.release);
    return hsm;
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** The same, in a folder that no other process has. */
async function startAlone(options: HsmOptions): Promise<Hsm> {
  const { dir, pki, host = "127.0.0.1", now = () => new Date(), random = systemRandom } = options;
  const { limit = 1024 * 1024, idleTimeout = 300_000 } = options;
  const { users = {}, principals: known = [], attestationRoots: pems = [], seeding = "mixed" } = options;
  const { structuredKeyValues = [], pykmip = [], clientAuthorities = [], leaseTime = LEASE_TIME } = options;
  const principals = new Principals([
    ...Object.entries(users).map(([name, password]) => principalOf(name, password)),
    ...known,
  ]);
  const policies = new OperationPolicies(OPERATIONS, options.policies);
  const attestationRoots = pems.map((pem) => new X509Certificate(pem).raw);
  const logPath = join(dir, "hsm.log");
  const file = fileLog(logPath, now);
  const log: Log = (line) => {
    file.log(line);
    options.log?.(line);
  };
  const store = new ObjectStore(dir, random);
  const engine = new Engine({
    store,
    now,
    random,
    log,
    limit,
    principals,
    policies,
    attestationRoots,
    seeding,
    structuredKeyValues,
    pykmip,
    leaseTime,
  });
  const hsm: Hsm = { ttlvPort: 0, httpsPort: 0, logPath, close: async () => {} };
  const serve = async (request: Uint8Array, origin: Origin) => {
    hsm.onMessage?.({ direction: "request", bytes: request, ...origin });
    const executed = await engine.serve(request, origin);
    hsm.onMessage?.({ direction: "response", bytes: executed.response, ...origin });
    return executed;
  };
  const refusals = refusalLog(log, now);
  const listening: ListenerOptions = {
    pki,
    clientAuthorities,
    refused: refusals.tell,
    serve,
    host,
    port: options.ttlvPort,
    limit,
    idleTimeout,
  };
  try {
    const ttlv = await listenTtlv(listening);
    const https = await listenHttps({ ...listening, port: options.httpsPort }).catch(async (error) => {
      await ttlv.close();
      throw error;
    });
    hsm.ttlvPort = ttlv.port;
    hsm.httpsPort = https.port;
    let closing: Promise<void> | undefined;
    const close = async () => {
      await Promise.all([ttlv.close(), https.close()]);
      engine.close();
      store.close();
      refusals.close();
      await file.close();
    };
    hsm.close = () => {
      closing ??= close();
      return closing;
    };
  } catch (error) {
    refusals.close();
    store.close();
    await file.close();
    throw error;
  }
  return hsm;
}
