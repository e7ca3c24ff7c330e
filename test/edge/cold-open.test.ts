/** W8: what it costs to open a document of which nothing is at hand, in round trips of the instance and in requests of the HSM, by release level. */

import { afterAll, expect, it } from "vitest";
import { type Client, connect } from "#cli/client.ts";
import { loopbackFetch } from "#cli/loopback-fetch.ts";
import { Engine } from "#emulator/hsm/server/engine.ts";
import { IDENTITY } from "#protocol/hierarchy/index.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json } from "../support/http.ts";
import { InstanceClient } from "../support/instance-client.ts";
import { useSystem } from "../system/index.ts";

const system = useSystem({ otherTenants: ["rung", "top"], levels: { rung: "account", top: "master" } });
const origins = (tenant: string | undefined) => (tenant === undefined ? system : system.tenant(tenant));

/** Requests of one client, in the order in which they were sent, and how many were answered by then. */
class Watched {
  readonly #sent: { path: string; after: number }[] = [];
  #answered = 0;
  readonly fetch: typeof fetch = async (input, init) => {
    const { pathname } = new URL(input instanceof Request ? input.url : String(input));
    this.#sent.push({ path: `${init?.method ?? "GET"} ${pathname}`, after: this.#answered });
    const answer = await loopbackFetch(input, init);
    this.#answered++;
    return answer;
  };

  /** Those for keys while `work` goes on. Those that were sent before one of them was answered are one round trip. */
  async keys(work: () => Promise<unknown>): Promise<{ roundTrips: number; asked: string[] }> {
    this.#sent.length = 0;
    this.#answered = 0;
    await work();
    const keys = this.#sent.filter(({ path }) => /\/(kms|instances)\//.test(path));
    return { roundTrips: new Set(keys.map(({ after }) => after)).size, asked: keys.map(({ path }) => path) };
  }
}

const open: Client[] = [];
afterAll(() => {
  for (const client of open) client.close();
});

async function start(tenant: string | undefined, user: string) {
  const watched = new Watched();
  const { appOrigin: app, vaultOrigin: vault } = origins(tenant);
  const { rootKey } = system.running;
  const client = await connect({ app, vault, rootKey, user, fetch: watched.fetch });
  open.push(client);
  const { port } = await client.microservice.use();
  return { client, port, watched, account: client.account() };
}
const bytes = new TextEncoder().encode("a letter");

async function sealedBy(tenant: string | undefined, user: string): Promise<string[]> {
  const { client, account } = await start(tenant, user);
  const one = await client.documents.seal(bytes, account, { name: "one.txt" });
  const two = await client.documents.seal(bytes, account, { name: "two.txt" });
  return [one.id, two.id];
}

/** Another instance, which has none of the keys. */
async function cold(tenant: string | undefined, user: string) {
  const started = await start(tenant, user);
  const { client, watched, account } = started;
  const opened = (id: string) =>
    watched.keys(async () => {
      const { stream } = await client.documents.open(id, { account });
      expect(await new Response(stream).text()).toBe("a letter");
    });
  return { ...started, opened };
}

it("W8 a cold open takes one round trip for keys at level data", async () => {
  const [one = ""] = await sealedBy(undefined, "Ada");
  const { opened } = await cold(undefined, "Ada");
  expect(await opened(one)).toEqual({ roundTrips: 1, asked: ["POST /kms/loads"] });
  // In the ring: none.
  expect(await opened(one)).toEqual({ roundTrips: 0, asked: [] });
});

it("W8 a cold open takes none at level account, where the EDK stands in the header and the instance has the account's key", async () => {
  const [one = "", two = ""] = await sealedBy("rung", "Bo");
  const { opened } = await cold("rung", "Bo");
  // The account's key comes once for all of its documents.
  const first = await opened(one);
  expect(first.asked.filter((path) => path !== "POST /instances/token")).toEqual([
    "POST /instances/account-key",
  ]);
  expect(await opened(two)).toEqual({ roundTrips: 0, asked: [] });
});

it("W8 a cold open takes two at level master, IAM and then KMS, and one where the account's list was prefetched", async () => {
  const [one = ""] = await sealedBy("top", "Cy");
  const { opened } = await cold("top", "Cy");
  const { roundTrips, asked } = await opened(one);
  expect(roundTrips).toBe(2);
  expect(asked[0]).toBe("POST /instances/key-identifiers");
  expect(
    asked
      .slice(1)
      .map((path) => path.replace(/accounts\/[^/]+/, "accounts/a").replace(/data-keys\/.*/, "data-keys/k"))
      .sort(),
  ).toEqual(["GET /instances/accounts/a/data-keys/k", "GET /instances/accounts/a/key"]);
  const ahead = await cold("top", "Cy");
  await ahead.port.prefetch(ahead.account);
  expect(await ahead.opened(one)).toEqual({ roundTrips: 1, asked: ["POST /instances/key-identifiers"] });
});

/** KMIP's operation Get, in a request. */
const GET = Buffer.from("42005c05000000040000000a", "hex");

it.each(["rung", "top"])(
  "W8 two hundred cold opens of one account at %s make one request of the HSM for its Enc(data)",
  async (tenant) => {
    const user = await EdgeClient.signedIn(origins(tenant), `Di of ${tenant}`);
    const instances = await Promise.all(Array.from({ length: 4 }, () => InstanceClient.ready(user)));
    const [first] = instances as [InstanceClient];
    const about = { account: first.account, purpose: "document" };
    const asked = await first.rest("POST", "/instances/key-identifiers", about);
    const { keyId, keyVersion } = json<{ keyId: string; keyVersion: number }>(asked);
    const path = `/instances/accounts/${first.account}/data-keys/${keyId}.${keyVersion}`;
    const { serve } = Engine.prototype;
    let gets = 0;
    Engine.prototype.serve = function (request, origin) {
      if (origin.identity === IDENTITY.kms && Buffer.from(request).includes(GET)) gets++;
      return serve.call(this, request, origin);
    };
    try {
      const answers = await Promise.all(
        Array.from({ length: 200 }, (_, n) => instances[n % instances.length]!.rest("GET", path)),
      );
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
      expect(new Set(answers.map((answer) => json<{ edk: string }>(answer).edk)).size).toBe(1);
    } finally {
      Engine.prototype.serve = serve;
    }
    expect(gets).toBe(1);
  },
);

it("W8 two hundred cold opens of one account's documents at level master, by eight instances, make one request of the HSM for its Enc(data)", async () => {
  const { client, port, account } = await start("top", "Ed");
  const { tenant } = client.identity;
  const context = { tenant, account, document: crypto.randomUUID(), purpose: "document" };
  const sealed = new Blob([await new Response(port.seal({ context }, new Blob(["a letter"]))).bytes()]);
  // The KMS has nothing at hand either.
  await system.restart();
  const ports = await Promise.all(Array.from({ length: 8 }, async () => (await start("top", "Ed")).port));
  const { serve } = Engine.prototype;
  let gets = 0;
  Engine.prototype.serve = function (request, origin) {
    if (origin.identity === IDENTITY.kms && Buffer.from(request).includes(GET)) gets++;
    return serve.call(this, request, origin);
  };
  try {
    const opened = Array.from({ length: 200 }, (_, n) =>
      new Response(ports[n % ports.length]!.open({ context }, sealed)).text(),
    );
    expect(new Set(await Promise.all(opened))).toEqual(new Set(["a letter"]));
  } finally {
    Engine.prototype.serve = serve;
  }
  expect(gets).toBe(1);
});
