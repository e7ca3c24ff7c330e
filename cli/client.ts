/**
 * A custodian in Node: the same sign-in, data keys and documents as in the page, with the microservice in this process.
 */
import type { MessagePort as NodeMessagePort } from "node:worker_threads";
import { orderExport } from "#protocol/contract/index.ts";
import { CofferError } from "#protocol/error.ts";
import { delay, patiently } from "#protocol/patience.ts";
import { callJson } from "#web/client/call.ts";
import { Documents } from "#web/client/documents.ts";
import { DataKeys } from "#web/client/keys.ts";
import { Microservice } from "#web/client/microservice.ts";
import { errorFrom } from "#web/client/problem.ts";
import { RestClient } from "#web/client/rest.ts";
import { CustodianSession } from "#web/client/session.ts";
import type { Identity, PendingSignIn, SignIn, SignInStore } from "#web/client/store.ts";
import { startMicroservice } from "#web/hosts/node/index.ts";
import { loopbackFetch } from "./loopback-fetch.ts";

export interface ClientOptions {
  app: string;
  vault: string;
  /** Root CA's public key, DER. */
  rootKey: Uint8Array<ArrayBuffer>;
  /** Signs in by this name; works with a development edge only. */
  user: string;
  fetch?: typeof fetch;
  /** Milliseconds since 1970; default: this computer's clock. */
  now?: () => number;
  /** Called with how long a request waits because the server asked to retry later. */
  onWait?: (milliseconds: number) => void;
}

export interface Client {
  identity: Identity;
  documents: Documents;
  microservice: Microservice;
  /** Orders an export at the KMS, which records it. Resolves with the order's id. */
  orderExport(account: string, documents: string[]): Promise<string>;
  /** Ends the microservice; its keys are gone with it. */
  close(): void;
}

/** Signs in and makes the custodian. The microservice enrols when it is first used. Errors: `CofferError`. */
export async function connect({
  app,
  vault,
  rootKey,
  user,
  fetch = loopbackFetch,
  now = Date.now,
  onWait,
}: ClientOptions): Promise<Client> {
  const session = new CustodianSession({
    vault,
    app,
    client: app,
    redirectUri: `${app}/`,
    store: memorySignInStore(),
    fetch,
    now,
    locks: noLocks,
    onWait,
  });
  const { cookie, location } = await signInByName(fetch, await session.authorizationUrl(), user, onWait);
  const identity = await session.complete(location.searchParams);

  const rest = new RestClient({ origin: app, session, fetch, delay, onWait });
  const withCookie: typeof fetch = (input, init) =>
    fetch(input, {
      ...init,
      headers: { ...(init?.headers as Record<string, string>), origin: vault, cookie },
    });
  const microservice = new Microservice({
    async open() {
      const { port, close } = startMicroservice({ vault, origin: app, fetch: withCookie, rootKey, now });
      // A connection that waits for calls must not keep the process alive.
      (port as unknown as NodeMessagePort).unref?.();
      return { port, remove: close };
    },
    rest,
    custodian: () => identity.custodian.dn,
    now,
  });
  const keys = new DataKeys(rest, microservice);
  const documents = new Documents({
    rest,
    microservice,
    keys,
    tenant: () => identity.tenant,
    accounts: () => identity.accounts.map(({ id }) => id),
  });
  return {
    identity,
    documents,
    microservice,
    async orderExport(account, ids) {
      // An order that is repeated has a second entry, and does no more.
      const { order } = await callJson(rest, orderExport, {}, { account, documents: ids }, { tries: 3 });
      return order;
    },
    close: () => microservice.stop(),
  };
}

/** Posts the form of the vault's sign-in page: the answer has the cookie, and leads back to the app with a code. */
async function signInByName(
  fetch: typeof globalThis.fetch,
  authorization: string,
  name: string,
  onWait?: (milliseconds: number) => void,
): Promise<{ cookie: string; location: URL }> {
  const { origin, search } = new URL(authorization);
  const send = () =>
    fetch(new URL("/sign-in", origin), {
      method: "POST",
      headers: { origin, "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({ name, continue: search.slice(1) }).toString(),
      redirect: "manual",
    });
  const response = await patiently(send, { repeatable: true, delay, onWait }).catch((cause: unknown) => {
    throw new CofferError("offline", { cause });
  });
  if (response.status === 429 || response.status === 503) throw await errorFrom(response);
  await response.body?.cancel();
  const cookie = response.headers.get("set-cookie")?.split(";")[0];
  const location = response.headers.get("location");
  if (response.status !== 303 || !cookie || location === null || !URL.canParse(location))
    throw new CofferError("sign-in-refused");
  return { cookie, location: new URL(location) };
}

function memorySignInStore(): SignInStore {
  let signIn: SignIn | undefined;
  let pending: PendingSignIn | undefined;
  return {
    read: async () => signIn,
    async write(_vault, written) {
      signIn = written;
    },
    async clear() {
      signIn = undefined;
    },
    async begin(begun) {
      pending = begun;
    },
    async take(state) {
      const taken = pending?.state === state ? pending : undefined;
      pending = undefined;
      return taken;
    },
  };
}

/** One process, one user of the tokens. */
const noLocks = {
  request: async (_name: string, work: () => Promise<unknown>) => work(),
} as unknown as Pick<LockManager, "request">;
