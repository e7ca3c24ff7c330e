import { setImmediate as turn } from "node:timers/promises";
import { expect, it } from "vitest";
import { encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { CofferError, codeOf } from "#protocol/error.ts";
import { createPortClient, type PortHandler, refuseAll, servePort } from "#protocol/port/index.ts";
import { DocumentList } from "./document-list.ts";
import { inTurns } from "./in-turns.ts";
import { DataKeys } from "./keys.ts";
import { memoryUploadStore } from "./memory-upload-store.ts";
import { encodeMetadata } from "./metadata.ts";
import { UploadQueue, type UploadQueueOptions } from "./queue.ts";
import type { RestClient } from "./rest.ts";
import { Sharing } from "./sharing.ts";
import { VersionIndex } from "./version-index.ts";

const MANY = 100;
const CONTENT = { messageId: "m".repeat(43), headerDigest: "h".repeat(43) };
const idOf = (at: number) => `00000000-0000-8000-8000-${at.toString(16).padStart(12, "0")}`;
const jwsOf = (said: object) => `e30.${encodeBase64url(utf8(JSON.stringify(said)))}.c2ln`;

/** A microservice behind a real port, which takes its time for each call. */
async function enrolled(answers: Partial<PortHandler>) {
  const { port1, port2 } = new MessageChannel();
  const slow = Object.entries(answers).map(([name, answer]) => [
    name,
    async (params: never) => {
      await turn();
      return (answer as (params: never) => unknown)(params);
    },
  ]);
  servePort(port2, {
    ...refuseAll("key-missing"),
    hello: async () => ({ version: 1, measurement: "sha384-x", instance: null }),
    ...Object.fromEntries(slow),
  });
  const port = createPortClient(port1);
  await port.hello("CN=page");
  const instance = { id: "i", wrappingCertificate: "AAAA" };
  const use = async () => ({ port, instance, measurement: "sha384-x" }) as never;
  return { use, renew: use };
}

it("works on so many at a time, answers in order, and begins none after one that failed", async () => {
  let underWay = 0;
  let most = 0;
  const begun: number[] = [];
  const work = async (item: number) => {
    begun.push(item);
    most = Math.max(most, ++underWay);
    await turn();
    underWay--;
    if (item === 20) throw new CofferError("signed-out");
    return -item;
  };
  const items = Array.from({ length: 50 }, (_, at) => at);
  const ends = await Promise.allSettled(inTurns(items, 3, work));
  expect(most).toBe(3);
  expect(ends.slice(0, 20).map((end) => end.status === "fulfilled" && end.value)).toEqual(
    items.slice(0, 20).map((item) => -item),
  );
  expect(ends.at(-1)).toMatchObject({ status: "rejected", reason: { code: "signed-out" } });
  expect(begun.length).toBeLessThan(25);
});

it("M6 finds all of a hundred keys that are loaded, though a port serves no hundred calls at once", async () => {
  const microservice = await enrolled({ has: async () => ({ loaded: true }) });
  const rest = { json: () => Promise.reject(new CofferError("offline")) };
  const edks = Array.from({ length: MANY }, (_, at) => jwsOf({ at }));
  expect(await new DataKeys(rest, microservice).have(edks)).toEqual(new Set(edks));
});

it("M18 lists a hundred uploads that wait, each by its name", async () => {
  const store = memoryUploadStore();
  const microservice = await enrolled({
    has: async () => ({ loaded: true }),
    inspect: async ({ header }) => ({ edk: jwsOf({ at: new TextDecoder().decode(header) }), context: {} }),
  });
  const rest = { json: () => Promise.reject(new CofferError("offline")) } as unknown as RestClient;
  const named = async (_: unknown, sealed: Uint8Array) => ({
    metadata: { name: new TextDecoder().decode(sealed), type: "text/plain", size: 1 },
  });
  const options = { store, rest, microservice, keys: new DataKeys(rest, microservice), documents: { named } };
  const about = { owner: () => "t/ada", now: () => 1 };
  for (let at = 0; at < MANY; at++) {
    const row = { id: idOf(at), account: "one", created: 1, size: 1, content: CONTENT };
    await store.add("t/ada", { ...row, metadata: utf8(`${at}.txt`) }, new Blob(["-"]));
  }
  const queue = new UploadQueue({ ...options, ...about } as unknown as UploadQueueOptions);
  const listed = queue.list().then((all) => all.map(({ metadata }) => metadata?.name), codeOf);
  expect(await listed).toEqual(Array.from({ length: MANY }, (_, at) => `${at}.txt`));
});

it("names a hundred documents that others have shared by the account's own copies of their names", async () => {
  const edk = jwsOf({ purpose: "metadata" });
  const microservice = await enrolled({
    has: async () => ({ loaded: true }),
    inspect: async () => ({ edk, context: {} }),
    openAll: async ({ messages }) => ({ plain: messages.map(({ message }) => message) }),
  });
  const received = Array.from({ length: MANY }, (_, at) => {
    const record = { account: "other", name: "Other", document: idOf(at), ...CONTENT };
    const metadata = { name: `${at}.txt`, type: "text/plain", size: 1 };
    const times = { created: 1_700_000_000, expires: 4_000_000_000 };
    return {
      ...{ share: `s${at}`, account: "other", document: idOf(at), record: jwsOf({ record }), ...times },
      copy: encodeBase64url(encodeMetadata({ ...metadata, content: CONTENT })),
    };
  });
  const rest = {
    json: async () => ({ received }),
    send: () => Promise.reject(new CofferError("offline")),
  } as unknown as RestClient;
  const sharing = new Sharing({
    ...{ rest, microservice, keys: new DataKeys(rest, microservice) },
    documents: { keyOf: () => Promise.reject(new CofferError("not-found")) },
    ...{ tenant: () => "t", account: () => "one", accounts: () => ["one"] },
  });
  expect((await sharing.received()).map(({ metadata }) => metadata?.name)).toEqual(
    Array.from({ length: MANY }, (_, at) => `${at}.txt`),
  );
});

it("holds the list of each of a hundred accounts against its version index", async () => {
  const compared: string[] = [];
  const nothing = { hidden: [], unknown: [], changed: [], deleted: [] };
  const microservice = await enrolled({
    versions: async () => ({ sequence: 1, founded: true }),
    compare: async ({ account }) => {
      compared.push(account);
      // None of them is listed.
      return { ...nothing, hidden: [idOf(1)] };
    },
  });
  const rest = {
    json: async (_method: string, path: string) =>
      path.includes("/documents") ? { documents: [] } : { rows: [], sequence: 1, head: jwsOf({}) },
    send: () => Promise.reject(new CofferError("offline")),
  } as unknown as RestClient;
  const list = new DocumentList({
    ...{ rest, microservice, keys: new DataKeys(rest, microservice) },
    index: new VersionIndex(rest, microservice),
    context: (account, document, purpose) => ({ tenant: "t", account, document, purpose }),
    known: () => undefined,
    read: () => Promise.reject(new CofferError("not-found")),
  });
  const accounts = Array.from({ length: MANY }, (_, at) => `account-${at}`);
  const documents = await list.list(accounts);
  expect(new Set(compared)).toEqual(new Set(accounts));
  expect(documents.map(({ state }) => state)).toEqual(accounts.map(() => "hidden"));
});
