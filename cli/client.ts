/**
 * A custodian in Node: the same sign-in, data keys and documents as in the page, with the microservice in this process.
 */
import type { MessagePort as NodeMessagePort } from "node:worker_threads";
import {
  type AnswerOf,
  type BodyOf,
  issueGrant,
  issueSecretZero,
  openAttestation,
  orderExport,
} from "#protocol/contract/index.ts";
import type { Enrol, MethodName } from "#protocol/enrolment.ts";
import { CofferError } from "#protocol/error.ts";
import { Administration } from "#web/client/administration.ts";
import { callJson } from "#web/client/call.ts";
import { ClientSession, type RegisteredKey } from "#web/client/client-session.ts";
import { Custodian } from "#web/client/custodian.ts";
import { CustodianSession, type Identity, type ListStore, memorySignInStore } from "#web/client/index.ts";
import type { Members } from "#web/client/members.ts";
import type { CertifiedKey } from "#web/client/mutual.ts";
import type { UploadQueue } from "#web/client/queue.ts";
import { Rotation } from "#web/client/rotation.ts";
import { bySecretZero } from "#web/client/secret-zero.ts";
import type { Session } from "#web/client/session.ts";
import type { UploadStore } from "#web/client/upload-store.ts";
import type { Vault } from "#web/client/vault.ts";
import {
  type LaunchOptions,
  launch,
  type NextAppKey,
  type NodeMicroserviceOptions,
  startMicroservice,
} from "#web/hosts/node/index.ts";
import { loopbackFetch } from "./loopback-fetch.ts";
import { ManagedKeys } from "./managed-keys.ts";
import { signIn } from "./sign-in.ts";

export interface ClientOptions {
  app: string;
  vault: string;
  /** Root CA's public key, DER. */
  rootKey: Uint8Array<ArrayBuffer>;
  /** Whom it signs in as: a person by this name at the development provider, which a development edge alone has, or an application server. */
  user?: string;
  client?: RegisteredKey;
  fetch?: typeof fetch;
  /** Milliseconds since 1970; default: this computer's clock. */
  now?: () => number;
  /** Called with how long a request waits because the server asked to retry later. */
  onWait?: (milliseconds: number) => void;
  /** Where uploads wait for the network: `uploadFolder`, or `memoryUploadStore` for as long as the process lives. Default: none can. */
  uploads?: () => UploadStore;
  /** Where lists of documents are kept, sealed, for the next client of the same user. */
  lists?: () => Promise<ListStore>;
  /** What the microservice does otherwise than by default. */
  instance?: Pick<
    NodeMicroserviceOptions,
    "appKey" | "symmetricKey" | "timeToLive" | "copiesTimeToLive" | "watch"
  > & {
    /** What the `appKey` is rotated by (`keepAppKey`). */
    nextAppKey?: NextAppKey;
  };
  /**
   * Code of a microservice that runs in a process of its own, in the place of the one in this process. It is read at each start:
   * `microservice.update()` changes over to what it is by then (M21).
   */
  code?: () => Promise<Uint8Array>;
  /** The enclave that this code is to run in, where there is one. */
  enclave?: (code: Uint8Array) => Promise<NonNullable<LaunchOptions["enclave"]>>;
}

export interface Client
  extends Pick<
    Custodian,
    "documents" | "keys" | "loadByGrant" | "loadBySeed" | "microservice" | "sharing" | "versions"
  > {
  identity: Identity;
  /** Uploads that wait for the network. Error: `internal` without `uploads`. */
  queue(): UploadQueue;
  /** The account to seal for: the user's first. Error: `no-account`. */
  account(): string;
  administration: Administration;
  members: Members;
  /** Orders an export at the KMS, which records it. Resolves with the order's id. */
  orderExport(account: string, documents: string[]): Promise<string>;
  /** Accounts, their keys, and the user's instances; with `nextAppKey` another app-specific key is kept in the place of the one of now. */
  life: Custodian["life"];
  /** Data keys of an account, as the KMS manages them (M17). */
  managed: ManagedKeys;
  /** The rotation of the tenant's master key (W12). */
  rotation: Rotation;
  /** M2: a credential by which one microservice of this custodian may enrol. Errors: `CofferError`. */
  secretZero(order: BodyOf<typeof issueSecretZero>): Promise<AnswerOf<typeof issueSecretZero>>;
  /** What a microservice that is launched for this custodian enrols by; with a grant, the vault's cookie. Errors: `CofferError`. */
  enrolment(method: MethodName): Promise<{ handed: Enrol; cookie?: string }>;
  /** The custodian's certified key, with which it proves who it is to a microservice that was launched for it (M14). */
  certifiedKey(): Promise<CertifiedKey>;
  /** Ends the microservice; its keys are gone with it, and none is started again (`port-closed`). */
  close(): void;
}

/** Signs in and makes the custodian. The microservice enrols when it is first used. Errors: `CofferError`. */
export async function connect(options: ClientOptions): Promise<Client> {
  const { app, vault, rootKey, fetch = loopbackFetch, now = Date.now, onWait, instance, uploads } = options;
  const { session, identity, cookie } = await signedIn({ ...options, fetch, now });
  const asVault: typeof fetch = (input, init) =>
    fetch(input, {
      ...init,
      headers: { ...(init?.headers as Record<string, string>), origin: vault, ...(cookie && { cookie }) },
    });
  const { dn } = identity.custodian;
  let closed = false;
  const openVault = async (appKey = instance?.appKey) => {
    // What goes on in the background would start another one, which nobody ends: the process would never be over.
    if (closed) throw new CofferError("port-closed");
    if (options.code) {
      const of = { vault, origin: app, custodian: dn, ...(cookie !== undefined && { cookie }) };
      const code = await options.code();
      const enclave = await options.enclave?.(code);
      const { port, stop } = await launch({ ...of, code, ...(enclave && { enclave }) });
      return { port: unreferenced(port), mutual: true, remove: stop };
    }
    const of = { vault, origin: app, fetch: asVault, rootKey, now, ...(!cookie && { custodian: dn }) };
    const { port, close } = startMicroservice({ ...of, ...instance, ...(appKey && { appKey }) });
    return { port: unreferenced(port), remove: close };
  };
  const next = instance?.nextAppKey;
  const nextAppKey = next && rotated(next, instance.appKey, openVault);
  // A grant is taken with the vault's cookie, which an application server has none of.
  const enrolment = cookie === undefined ? () => bySecretZero(rest, dn) : undefined;
  const custodian = new Custodian({
    ...{ session, app, fetch, now, enrolment, onWait, nextAppKey },
    ...(options.lists && { lists: options.lists }),
    openVault: () => openVault(),
    uploads,
    // The host knows when there is other code, and says so.
    releases: Number.POSITIVE_INFINITY,
  });
  const { rest, documents, keys, microservice } = custodian;
  return {
    identity,
    documents,
    keys,
    microservice,
    loadByGrant: (ids, of) => custodian.loadByGrant(ids, of),
    loadBySeed: (seed, of) => custodian.loadBySeed(seed, of),
    queue: () => custodian.queue,
    get sharing() {
      return custodian.sharing;
    },
    get versions() {
      return custodian.versions;
    },
    life: custodian.life,
    managed: new ManagedKeys(rest, microservice),
    rotation: new Rotation(rest),
    administration: new Administration(rest),
    members: custodian.members,
    account: () => custodian.account(),
    async orderExport(account, ids) {
      // An order that is repeated has a second entry, and does no more.
      const { order } = await callJson(rest, orderExport, {}, { account, documents: ids }, { tries: 3 });
      return order;
    },
    // One of a lost answer is presented by nobody, and ends soon.
    secretZero: (order) => callJson(rest, issueSecretZero, {}, order, { tries: 3 }),
    async enrolment(method) {
      if (method === "grant") {
        const { grant } = await callJson(rest, issueGrant, {}, undefined, { tries: 3 });
        return { handed: { method, grant }, ...(cookie !== undefined && { cookie }) };
      }
      if (method === "secret-zero") return { handed: await bySecretZero(rest, dn) };
      const opened = await callJson(rest, openAttestation, {}, { custodian: dn }, { tries: 3 });
      const { enrolment, nonce, accepts } = opened;
      return { handed: { method, enrolment, nonce, accepts } };
    },
    certifiedKey: () => session.certifiedKey(),
    close() {
      closed = true;
      microservice.stop();
    },
  };
}

/** A connection that waits for calls must not keep the process alive. */
function unreferenced(port: MessagePort & Partial<Pick<NodeMessagePort, "unref">>): MessagePort {
  port.unref?.();
  return port;
}

/** A microservice that begins with the next key goes on with it, as the host's own, once it is that. */
function rotated(
  next: NextAppKey,
  own: NonNullable<ClientOptions["instance"]>["appKey"],
  openVault: (appKey: NextAppKey["open"]) => Promise<Vault>,
): { openVault: () => Promise<Vault>; take(): Promise<void> } {
  let isOwn = false;
  return {
    openVault() {
      isOwn = false;
      return openVault(() => (isOwn && own ? own() : next.open()));
    },
    async take() {
      await next.take();
      isOwn = true;
    },
  };
}

type SignedIn = { session: Session; identity: Identity; cookie?: string };

/** A person, with the vault's cookie, or an application server, without. */
async function signedIn(
  options: ClientOptions & Required<Pick<ClientOptions, "fetch" | "now">>,
): Promise<SignedIn> {
  const { app, vault, user = "", client, fetch, now, onWait } = options;
  if (client !== undefined) {
    const session = new ClientSession({ app, vault, client, fetch, now, onWait });
    return { session, identity: await session.connect() };
  }
  const session = new CustodianSession({
    vault,
    app,
    fetch,
    now,
    // One process, one user of the tokens.
    lock: (_name, work) => work(),
    store: memorySignInStore(),
    onWait,
  });
  const { cookie, location } = await signIn(fetch, await session.authorizationUrl(), user, onWait);
  return { session, identity: await session.complete(location.searchParams), cookie };
}
