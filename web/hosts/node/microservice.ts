import { CofferError } from "#protocol/error.ts";
import { servePort } from "#protocol/port/index.ts";
import {
  type AppKeyStore,
  type Attester,
  captureCrypto,
  createMicroservice,
  type HostKeys,
  memoryStore,
  restAuthorities,
  restKeyServer,
  restRegistration,
  unwrapEnveloped,
  type Watch,
} from "../../microservice/index.ts";
import { type KeyLimits, withKeyLimits } from "./key-limits.ts";

export interface NodeMicroserviceOptions {
  /** Origin of the vault, whose registration authority it enrols with. */
  vault: string;
  /** Origin of the one custodian that it serves. */
  origin: string;
  /** Carries the vault session's cookie, with which alone a grant is taken; without one the host says whom it serves. */
  fetch: typeof fetch;
  /** Distinguished Name of the custodian whom it serves, where there is no cookie (secret zero, attestation). */
  custodian?: string;
  /** Root CA's public key, DER SubjectPublicKeyInfo: what load receipts and certificates must lead to. */
  rootKey: Uint8Array<ArrayBuffer>;
  /** Milliseconds since 1970; default: this computer's clock. */
  now?: () => number;
  /** SHA-384 of the code, `sha384-…`, where what started this process has measured it. */
  measurement?: string;
  /**
   * Whether its custodian has to prove by its certificate who it is (M14); default: no, as nobody outside this process has the port.
   */
  mutual?: boolean;
  /** The platform of the enclave that this process runs in, where it runs in one. */
  attester?: Attester;
  /**
   * The app-specific key, where one is kept (`openAppKey`) or a device has it, such as a PKCS#11 token; default: one that lives
   * as long as this process.
   */
  appKey?: () => Promise<HostKeys>;
  /** Where a symmetric app-specific key is kept over restarts (`keepSymmetricKey`), with an `appKey` that is; default: nowhere. */
  symmetricKey?: AppKeyStore;
  /** Milliseconds that a decrypted key stays in memory after its last use. Default: ten minutes. */
  timeToLive?: number;
  /** How much is made under a loaded key before the KMS has to release it again. Default: as much as anybody wants, while it is there. */
  limits?: KeyLimits;
  /** Milliseconds that encrypted keys are used after they came, at level `master`. Default: one hour. */
  copiesTimeToLive?: number;
  /** Told of every message and key, in order, at level `master`. */
  watch?: Watch;
}

/** Starts a microservice in this process and returns the port on which it serves its one custodian, and how to end it. */
export function startMicroservice({
  vault,
  origin,
  fetch,
  custodian,
  rootKey,
  now = Date.now,
  limits,
  ...more
}: NodeMicroserviceOptions): {
  port: MessagePort;
  close(): void;
} {
  const { port1, port2 } = new MessageChannel();
  const microservice = createMicroservice({
    crypto: captureCrypto(globalThis.crypto),
    store: memoryStore(),
    registration: {
      ...restRegistration(fetch, vault),
      ...(custodian !== undefined && { session: async () => ownerOf(custodian) }),
    },
    keyServer: restKeyServer(fetch, vault),
    openEnveloped: unwrapEnveloped,
    authorities: (of) => restAuthorities({ ...of, fetch, vault }),
    rootKey,
    origin,
    // By default nobody stands beside this code who could have measured it.
    measurement: "unmeasured",
    now,
    schedule: (task, delay) => void setTimeout(task, delay).unref(),
    ...more,
  });
  const stop = servePort(port1, limits ? withKeyLimits(microservice, limits) : microservice);
  return {
    port: port2,
    close() {
      microservice.clear();
      stop();
    },
  };
}

/** Of a Distinguished Name as the IAM forms it. No session: the instance ends with its certificates, and when its custodian's sign-in does. */
function ownerOf(custodian: string) {
  const [, user, tenant] = /^CN=([a-z0-9-]+),OU=[^,]+,O=([a-z0-9-]+)$/.exec(custodian) ?? [];
  if (user === undefined || tenant === undefined) throw new CofferError("foreign-custodian");
  return { user, tenant, session: "launched" };
}
