/**
 * What is not the instance's own, or not as the HSM gave it, at levels `account` and `master`: by a request, on the way from the edge, and in what is
 * stored. Each is refused with a code of its own, is in the audit log where the edge refuses it, and changes nothing.
 */

import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Client, connect } from "#cli/client.ts";
import { loopbackFetch } from "#cli/loopback-fetch.ts";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { codeOf } from "#protocol/error.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { InstanceClient } from "../support/instance-client.ts";
import { type System, startSystem } from "../support/start.ts";
import { changeRows, readRows } from "../system/index.ts";

type Json = Record<string, unknown>;
type Identifier = { keyId: string; keyVersion: number; accountKey: { id: string; version: number } };

const flipped = (text: unknown) => {
  const bytes = decodeBase64url(String(text));
  bytes[20] = (bytes[20] ?? 0) ^ 1;
  return encodeBase64url(bytes);
};
/** A compact JWS whose payload says something else. */
const said = (jws: unknown, change: (payload: Json) => Json) => {
  const [header, payload = "", signature] = String(jws).split(".");
  const other = change(JSON.parse(new TextDecoder().decode(decodeBase64url(payload))));
  return [header, encodeBase64url(new TextEncoder().encode(JSON.stringify(other))), signature].join(".");
};

describe.each(["account", "master"] as const)("at level %s", (level) => {
  let system: System;
  let ada: Client;
  let letter: string;
  /** Instances as the edge sees them: of Ada, of Bob in the same tenant, of Eve in another. */
  let own: InstanceClient;
  let bob: InstanceClient;
  let eve: InstanceClient;
  let keys: { own: Identifier; bob: Identifier; eve: Identifier };
  /** What an answer becomes on its way to Ada's instance: by the end of its path. */
  let onTheWay: (path: string, answer: Json) => Json | Promise<Json> | undefined = () => undefined;

  const through: typeof fetch = async (input, init) => {
    const answer = await loopbackFetch(input, init);
    const { pathname } = new URL(input instanceof Request ? input.url : input);
    if (!pathname.startsWith("/instances/") || pathname === "/instances/token" || !answer.ok) return answer;
    const told = (await answer.json()) as Json;
    const path = pathname.replaceAll(/[\da-f]{8}-[\da-f-]{27}/g, "…").replace(/…\.\d+$/, "KI");
    const became = (await onTheWay(path, told)) ?? told;
    return new Response(JSON.stringify(became), { status: answer.status, headers: answer.headers });
  };
  const connected = () => {
    const { appOrigin: app, vaultOrigin: vault, running } = system;
    return connect({ app, vault, rootKey: running.rootKey, user: "Ada", fetch: through });
  };
  const identifierOf = async (by: InstanceClient, account = by.account) =>
    json<Identifier>(await by.rest("POST", "/instances/key-identifiers", { account, purpose: "document" }));
  const named = ({ keyId, keyVersion }: Identifier) => `${keyId}.${keyVersion}`;
  const opened = async () => {
    const { stream } = await ada.documents.open(letter, { account: ada.account() });
    return new Response(stream).text();
  };
  const TABLES = [
    "account",
    "account_keys",
    "key_identifiers",
    "account_data_keys",
    "data_keys",
    "documents",
  ];
  const state = () => TABLES.map((table) => JSON.stringify(readRows(system.edgeDir, table)));
  const rows = () => readRows(system.edgeDir, "links").map(({ entry }) => String(entry));

  beforeAll(async () => {
    system = await startSystem({ level, levels: { umbrella: level }, otherTenants: ["umbrella"] });
    ada = await connected();
    const bytes = new TextEncoder().encode("Ada's letter");
    ({ id: letter } = await ada.documents.seal(bytes, ada.account(), { name: "letter.txt" }));
    own = await InstanceClient.ready(await EdgeClient.signedIn(system, "Ada"));
    bob = await InstanceClient.ready(await EdgeClient.signedIn(system, "Bob"));
    eve = await InstanceClient.ready(await EdgeClient.signedIn(system.tenant("umbrella"), "Eve"));
    keys = { own: await identifierOf(own), bob: await identifierOf(bob), eve: await identifierOf(eve) };
  }, 120_000);
  afterAll(async () => {
    ada?.close();
    await system?.close();
  });

  const challenge = encodeBase64url(new Uint8Array(32));
  it("W2 refuses and records what is nobody's, another's, a foreign tenant's, and what does not belong together", async () => {
    const unknown = randomUUID();
    const ki = (account: string, key?: string): [string, string, Json] => [
      ...(["POST", "/instances/key-identifiers"] as const),
      { account, purpose: "document", ...(key !== undefined && { key }) },
    ];
    const accountKey = (account: string, id = ""): [string, string] => [
      "GET",
      `/instances/accounts/${account}/key${id}`,
    ];
    const dataKey = (account: string, of: Identifier): [string, string] => [
      ...(["GET", `/instances/accounts/${account}/data-keys/${named(of)}`] as const),
    ];
    const release = (account: string): [string, string, Json] => [
      "POST",
      "/instances/account-key",
      { account, challenge },
    ];
    const TABLE: [string, [string, string, Json?], string][] = [
      ["KI of an unknown account", ki(unknown), "403 forbidden"],
      ["Enc(account) of an unknown account", accountKey(unknown), "403 forbidden"],
      ["Enc(data) of an unknown account", dataKey(unknown, keys.own), "403 forbidden"],
      ["an unknown account's key, of the KMS", release(unknown), "403 forbidden"],
      ["KI of another's account", ki(bob.account), "403 forbidden"],
      ["Enc(account) of another's account", accountKey(bob.account), "403 forbidden"],
      ["Enc(data) of another's account", dataKey(bob.account, keys.bob), "403 forbidden"],
      ["another's account key, of the KMS", release(bob.account), "403 forbidden"],
      ["KI of a foreign tenant's account", ki(eve.account), "403 forbidden"],
      ["Enc(account) of a foreign tenant's account", accountKey(eve.account), "403 forbidden"],
      ["Enc(data) of a foreign tenant's account", dataKey(eve.account, keys.eve), "403 forbidden"],
      ["a foreign tenant's account key, of the KMS", release(eve.account), "403 forbidden"],
      ["a foreign tenant's KI for the own account", ki(own.account, named(keys.eve)), "404 not-found"],
      ["Enc(data) by a foreign tenant's KI", dataKey(own.account, keys.eve), "404 not-found"],
      ["another account's KI for the own account", ki(own.account, named(keys.bob)), "404 not-found"],
      ["Enc(data) by another account's KI", dataKey(own.account, keys.bob), "404 not-found"],
      [
        "Enc(account) by the id of another's",
        accountKey(own.account, `?id=${keys.bob.accountKey.id}`),
        "404 not-found",
      ],
    ];
    const before = state();
    const ids = new Map<string, string>();
    for (const [what, request, code] of TABLE) {
      const answer = await own.rest(...request);
      expect(`${what}: ${problem(answer)}`).toBe(`${what}: ${code}`);
      ids.set(json<{ instance: string }>(answer).instance.slice("urn:uuid:".length), what);
    }
    expect(ids.size).toBe(TABLE.length);
    const unrecorded = () => {
      const denied = rows()
        .filter((row) => row.includes('"outcome":"deny"'))
        .join();
      return [...ids].filter(([id]) => !denied.includes(id)).map(([, what]) => what);
    };
    await expect.poll(unrecorded, { timeout: 60_000, interval: 2000 }).toEqual([]);
    expect(state()).toEqual(before);
  }, 120_000);

  const released = level === "master" ? "/instances/master-key" : "/instances/account-key";
  const enc = level === "master" ? "/instances/accounts/…/key" : released;
  const KI = "/instances/key-identifiers";
  const dataKey = "/instances/accounts/…/data-keys/KI";
  const bobsAccountKey = async () =>
    json<Json>(
      level === "master"
        ? await bob.rest("GET", `/instances/accounts/${bob.account}/key`)
        : await bob.rest("POST", released, { account: bob.account, challenge }),
    );
  const bobsEdk = async () => {
    const at = `/instances/accounts/${bob.account}/data-keys/${named(keys.bob)}`;
    return json<Json>(await bob.rest("GET", at));
  };
  type Change = (answer: Json) => Json | Promise<Json>;
  const atMaster: [string, string, Change][] = [
    ["altered Enc(account)", enc, (answer) => ({ ...answer, wrapped: flipped(answer.wrapped) })],
    [
      "another account's Enc(account) under the id of the own",
      enc,
      async (answer) => ({ ...answer, wrapped: (await bobsAccountKey()).wrapped }),
    ],
  ];
  const ON_THE_WAY: [string, string, Change][] = [
    [`altered Enc(${level})`, released, (answer) => ({ ...answer, wrappedKey: flipped(answer.wrappedKey) })],
    [
      `a receipt for Enc(${level}) with another recipient`,
      released,
      (answer) => ({
        ...answer,
        receipt: said(answer.receipt, (of) => ({ ...of, recipient: "A".repeat(43) })),
      }),
    ],
    ...(level === "master" ? atMaster : []),
    ["another account's key in place of the own", enc, bobsAccountKey],
    [
      "altered Enc(data)",
      dataKey,
      ({ edk }) => ({ edk: said(edk, (of) => ({ ...of, wrappedKey: flipped(of.wrappedKey) })) }),
    ],
    ["another account's Enc(data) in place of the own", dataKey, bobsEdk],
    ["another account's KI in place of the own", KI, () => keys.bob],
  ];

  it("W2 an instance refuses what became of an answer on its way, and another one opens and seals by what is right", async () => {
    const before = state();
    for (const [what, at, change] of ON_THE_WAY) {
      await begin();
      onTheWay = (path, answer) => (path === at ? change(answer) : undefined);
      const code = await sealed().catch(codeOf);
      onTheWay = () => undefined;
      expect(`${what}: ${code}`).toBe(`${what}: ${at === KI ? "not-found" : "key-refused"}`);
      expect(state(), what).toEqual(before);
    }
    await begin();
    expect(await opened()).toBe("Ada's letter");
    expect(await sealed()).toBeGreaterThan(0);
  }, 240_000);

  it("W2 an instance refuses the KI of an older version than it has seen, and seals under the newest", async () => {
    const before = keys.own;
    await begin();
    const { port } = await ada.microservice.use();
    const account = ada.account();
    expect(await port.renew(account)).toMatchObject({ keyVersion: before.keyVersion + 1 });
    onTheWay = (path) => (path === KI ? before : undefined);
    const code = await sealed().catch(codeOf);
    onTheWay = () => undefined;
    expect(code).toBe("key-superseded");
    expect(await sealed()).toBeGreaterThan(0);
  });

  const hex = (bytes: unknown) => `x'${Buffer.from(bytes as Uint8Array).toString("hex")}'`;
  const wrappedOf = (id: string) =>
    readRows(system.edgeDir, "account_keys").find((row) => row.id === id)?.wrapped as Uint8Array;
  const put = (id: string, wrapped: Uint8Array) =>
    system.restart(() => {
      const change = `UPDATE account_keys SET wrapped = ${hex(wrapped)} WHERE id = '${id}'`;
      expect(changeRows(system.edgeDir, "account_keys", change)).toBe(1);
    });
  it.each(["altered", "another account's"])(
    "W1 refuses Enc(account) that was %s in the IAM, and opens again when it is put back",
    async (what) => {
      const { id } = keys.own.accountKey;
      const good = wrappedOf(id);
      const bad =
        what === "altered"
          ? Uint8Array.from(good, (byte, at) => (at === 20 ? byte ^ 1 : byte))
          : wrappedOf(keys.bob.accountKey.id);
      await put(id, bad);
      // At level account the HSM unwraps it, at level master the instance.
      const byHsm = level === "account" && what === "altered";
      const denied = () => rows().filter((row) => /"code":"hsm-refused".*"outcome":"deny"/.test(row)).length;
      const known = denied();
      await begin();
      const before = state();
      expect(await opened().catch(codeOf)).toBe(byHsm ? "hsm-refused" : "key-refused");
      if (byHsm) await expect.poll(denied, { timeout: 30_000 }).toBeGreaterThan(known);
      expect(state()).toEqual(before);
      await put(id, good);
      await begin();
      expect(await opened()).toBe("Ada's letter");
    },
    90_000,
  );

  /** Another instance, which knows nothing yet. */
  async function begin(): Promise<void> {
    ada.close();
    ada = await connected();
  }

  /** Length of what the instance seals, and nobody stores. */
  async function sealed(): Promise<number> {
    const { port } = await ada.microservice.use();
    const context = {
      ...{ tenant: ada.identity.tenant, account: ada.account(), document: randomUUID(), purpose: "document" },
    };
    const stream = port.seal({ context }, new TextEncoder().encode("a note"));
    return (await new Response(stream).arrayBuffer()).byteLength;
  }
});
