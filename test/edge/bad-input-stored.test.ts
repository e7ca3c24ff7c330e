/**
 * What stands in the stores of IAM and KMS altered, swapped, or as it was before: the edge starts on it. Each is refused with a code, by the
 * HSM, the KMS or the instance, and changes nothing; put back, it is as it was. And right answers of before, in the place of new ones.
 */

import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Client, type ClientOptions, connect } from "#cli/client.ts";
import { loopbackFetch } from "#cli/loopback-fetch.ts";
import { codeOf } from "#protocol/error.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json } from "../support/http.ts";
import { InstanceClient } from "../support/instance-client.ts";
import { type System, startSystem } from "../support/start.ts";
import { changeRows, type Row, readRows } from "../system/index.ts";

type Json = Record<string, unknown>;
type Identifier = { keyId: string; keyVersion: number; accountKey: { id: string; version: number } };
type Port = Awaited<ReturnType<Client["microservice"]["use"]>>["port"];
/** A change of one row, what undoes it, and what whoever needs the row hears meanwhile. */
type Case = { what: string; table: string; change: string; back: string; code: string };

const TABLES = ["account", "account_keys", "key_identifiers", "account_data_keys", "data_keys", "documents"];
const bytes = (value: unknown) => `x'${Buffer.from(value as Uint8Array).toString("hex")}'`;
const text = (value: unknown) => `'${String(value).replaceAll("'", "''")}'`;
const flipped = (value: unknown) =>
  Uint8Array.from(value as Uint8Array, (byte, at) => (at === 20 ? byte ^ 1 : byte));

/** Of a system: each case on the stores of an edge that stands still, one after the other, and all put back at the end. */
async function tryAll(
  system: System,
  cases: readonly Case[],
  attempt: () => Promise<unknown>,
): Promise<void> {
  const apply = (table: string, statement: string) =>
    expect(changeRows(system.edgeDir, table, statement)).toBe(1);
  const state = () => TABLES.map((table) => JSON.stringify(readRows(system.edgeDir, table)));
  let undo = () => {};
  try {
    for (const { what, table, change, back, code } of cases) {
      await system.restart(() => {
        undo();
        apply(table, change);
        undo = () => apply(table, back);
      });
      const before = state();
      expect(`${what}: ${await attempt()}`).toBe(`${what}: ${code}`);
      expect(state(), what).toEqual(before);
    }
  } finally {
    await system.restart(undo);
  }
}

/** Decisions of the audit that were refused with this code. */
const denied = (system: System, code: string) =>
  readRows(system.edgeDir, "links").filter(({ entry }) =>
    new RegExp(`"code":"${code}".*"outcome":"deny"`).test(String(entry)),
  ).length;

describe.each(["account", "master"] as const)("at level %s", (level) => {
  let system: System;
  let ada: Client;
  let letter: string;
  /** Instances as the edge sees them, of Ada and of Bob. */
  let own: InstanceClient;
  let bob: InstanceClient;
  /** What an answer becomes on its way to Ada's instance: by the end of its path. */
  let onTheWay: (path: string, answer: Json) => Json | undefined = () => undefined;

  const through: typeof fetch = async (input, init) => {
    const answer = await loopbackFetch(input, init);
    const { pathname } = new URL(input instanceof Request ? input.url : input);
    if (!pathname.startsWith("/instances/") || pathname === "/instances/token" || !answer.ok) return answer;
    const told = (await answer.json()) as Json;
    const became = onTheWay(pathname, told) ?? told;
    return new Response(JSON.stringify(became), { status: answer.status, headers: answer.headers });
  };
  const connected = (instance?: ClientOptions["instance"]) => {
    const { appOrigin: app, vaultOrigin: vault, running } = system;
    const of = { app, vault, rootKey: running.rootKey, user: "Ada", fetch: through };
    return connect({ ...of, ...(instance && { instance }) });
  };
  /** Another instance, which knows nothing yet. */
  async function begin(instance?: ClientOptions["instance"]): Promise<void> {
    ada.close();
    ada = await connected(instance);
    await ada.microservice.use();
  }
  const opened = async () => {
    const { stream } = await ada.documents.open(letter, { account: ada.account() });
    return new Response(stream).text();
  };
  /** What comes of sealing what nobody stores. */
  async function sealedBy(port: Port): Promise<string> {
    const of = { tenant: ada.identity.tenant, account: ada.account() };
    const context = { ...of, document: randomUUID(), purpose: "document" };
    const stream = port.seal({ context }, new TextEncoder().encode("a note"));
    return new Response(stream).bytes().then(() => "sealed", codeOf);
  }
  /** The same in an instance that knows nothing yet. */
  async function sealing(): Promise<string> {
    await begin();
    return sealedBy((await ada.microservice.use()).port);
  }
  const identifierOf = async (by: InstanceClient) =>
    json<Identifier>(
      await by.rest("POST", "/instances/key-identifiers", { account: by.account, purpose: "document" }),
    );
  const askMaster = (by: InstanceClient) =>
    by.rest("POST", "/instances/master-key", { challenge: Buffer.alloc(32).toString("base64url") });
  const rowOf = (table: string, is: (row: Row) => boolean): Row => {
    const [row, ...more] = readRows(system.edgeDir, table).filter(is);
    expect(more).toEqual([]);
    return row!;
  };

  beforeAll(async () => {
    system = await startSystem({ level });
    ada = await connected();
    const content = new TextEncoder().encode("Ada's letter");
    ({ id: letter } = await ada.documents.seal(content, ada.account(), { name: "letter.txt" }));
    own = await InstanceClient.ready(await EdgeClient.signedIn(system, "Ada"));
    bob = await InstanceClient.ready(await EdgeClient.signedIn(system, "Bob"));
    if (level === "master") for (const by of [own, bob]) expect((await askMaster(by)).status).toBe(200);
    // A second version of both, so that there is an older one to go back to.
    const at = `/instances/accounts/${own.account}`;
    expect((await own.rest("POST", `${at}/key`)).status).toBeLessThan(300);
    expect((await own.rest("POST", `${at}/data-keys`, { purpose: "document" })).status).toBeLessThan(300);
  }, 120_000);
  afterAll(async () => {
    ada?.close();
    await system?.close();
  });

  it("W1, W2 refuses rows of IAM and KMS that were altered, swapped or put back to an older version, and seals and opens once they are right again", async () => {
    const { keyId, keyVersion, accountKey } = await identifierOf(own);
    expect([keyVersion, accountKey.version]).toEqual([2, 2]);
    const bobs = await identifierOf(bob);
    const account = (version: number) => {
      const { account_key } = rowOf("key_identifiers", (row) => row.id === keyId && row.version === version);
      return rowOf("account_keys", ({ id }) => id === account_key);
    };
    const data = (of: Pick<Identifier, "keyId" | "keyVersion">) =>
      rowOf("account_data_keys", (row) => row.id === of.keyId && row.version === of.keyVersion);
    const [older, current] = [account(1), account(2)];
    const [olderData, currentData] = [data({ keyId, keyVersion: 1 }), data({ keyId, keyVersion })];
    /** `is`: the row's id meanwhile. */
    const setAccount = (
      what: string,
      code: string,
      of: { set: string; back: string; is?: string },
    ): Case => ({
      ...{ what, code, table: "account_keys" },
      change: `UPDATE account_keys SET ${of.set} WHERE id = ${text(current.id)}`,
      back: `UPDATE account_keys SET ${of.back} WHERE id = ${text(of.is ?? current.id)}`,
    });
    const setData = (what: string, code: string, column: string, value: unknown): Case => {
      const set = (to: unknown) =>
        `UPDATE account_data_keys SET ${column} = ${text(to)} WHERE id = ${text(keyId)} AND version = ${keyVersion}`;
      return {
        ...{ what, code, table: "account_data_keys" },
        ...{ change: set(value), back: set(currentData[column]) },
      };
    };
    const { edk, signature } = currentData;
    await tryAll(
      system,
      [
        setAccount("an older Enc(account) in the place of the current one", "key-refused", {
          ...{ set: `wrapped = ${bytes(older.wrapped)}`, back: `wrapped = ${bytes(current.wrapped)}` },
        }),
        setAccount("account keys as they were before the rotation", "not-found", {
          ...{ set: "id = 'gone', version = 0", back: `id = ${text(current.id)}, version = 2`, is: "gone" },
        }),
        setData("another account's Enc(data)", "key-refused", "hsm", data(bobs).hsm),
        setData("an older version's Enc(data)", "key-refused", "hsm", olderData.hsm),
        setData("an Enc(data) that the HSM has not", "not-found", "hsm", randomUUID()),
        setData("an older version's signature", "key-refused", "signature", olderData.signature),
        setData(
          "an altered signature",
          "key-refused",
          "signature",
          String(signature).replace(/^./, (first) => (first === "A" ? "B" : "A")),
        ),
        setData(
          "another purpose of the key",
          "key-refused",
          "edk",
          String(edk).replace("document", "documents"),
        ),
      ],
      sealing,
    );
    await expect.poll(() => denied(system, "not-found"), { timeout: 60_000 }).toBeGreaterThan(0);
    // By the KMS, which verifies what it has put together: each of the five that are not what was signed.
    await expect.poll(() => denied(system, "key-refused"), { timeout: 60_000 }).toBeGreaterThanOrEqual(5);
    expect(await sealing()).toBe("sealed");
    expect(await opened()).toBe("Ada's letter");
  }, 300_000);

  it.runIf(level === "master")(
    "W2 an instance that has seen the newest version refuses the table of key identifiers as it was before it",
    async () => {
      await begin();
      const { port } = await ada.microservice.use();
      const seal = () => sealedBy(port);
      expect(await seal()).toBe("sealed");
      const { keyId } = await identifierOf(own);
      const set = (set: string, is: string) =>
        `UPDATE key_identifiers SET ${set} WHERE id = ${text(keyId)} AND version = ${is}`;
      await tryAll(
        system,
        [
          {
            ...{ what: "key identifiers of before", table: "key_identifiers", code: "key-superseded" },
            ...{ change: set("version = 0", "2"), back: set("version = 2", "0") },
          },
        ],
        // For a minute it goes by what the IAM has told it.
        async () => {
          let came = "sealed";
          const asks = async () => {
            came = await seal();
            return came;
          };
          await expect.poll(asks, { timeout: 90_000, interval: 2000 }).not.toBe("sealed");
          return came;
        },
      );
      expect(await seal()).toBe("sealed");
    },
    180_000,
  );

  const released = level === "master" ? "/instances/master-key" : "/instances/account-key";
  it(`W9 an instance takes no Enc(${level}) of before, with its receipt, for one that it asks for now`, async () => {
    await begin({ timeToLive: 200, copiesTimeToLive: 400 });
    let first: Json | undefined;
    onTheWay = (path, answer) => {
      if (path !== released) return undefined;
      first ??= answer;
      return first;
    };
    expect(await opened()).toBe("Ada's letter");
    const again = () => opened().catch(codeOf);
    await expect.poll(again, { timeout: 30_000, interval: 300 }).toBe("key-refused");
    onTheWay = () => undefined;
    expect(await opened()).toBe("Ada's letter");
  }, 60_000);

  it.runIf(level === "master")(
    "W1 refuses another instance's Enc(master) in the place of its own at the KMS, and opens again when it is put back",
    async () => {
      await begin({ timeToLive: 200, copiesTimeToLive: 400 });
      expect(await opened()).toBe("Ada's letter");
      const { instance } = await ada.microservice.use();
      const hsmOf = (id: string) => rowOf("encrypted_masters", (row) => row.instance === id).hsm;
      const [mine, others] = [hsmOf(instance.id), hsmOf(bob.enrolled.instance)];
      const set = (hsm: unknown) =>
        `UPDATE encrypted_masters SET hsm = ${text(hsm)} WHERE instance = ${text(instance.id)}`;
      const table = "encrypted_masters";
      await tryAll(
        system,
        [{ what: "another's", table, code: "key-refused", change: set(others), back: set(mine) }],
        () => opened().catch(codeOf),
      );
      expect(await opened()).toBe("Ada's letter");
    },
    120_000,
  );
});

describe("at level data", () => {
  let system: System;
  let letters: { first: string; second: string };
  /** By a client of Ada's that has no key yet. */
  const asAda = async <T>(work: (client: Client) => Promise<T>): Promise<T> => {
    const { appOrigin: app, vaultOrigin: vault, running } = system;
    const client = await connect({ app, vault, rootKey: running.rootKey, user: "Ada" });
    return work(client).finally(() => client.close());
  };
  const open = (id: string) =>
    asAda(async (client) => {
      const { stream } = await client.documents.open(id, { account: client.account() });
      return new Response(stream).text();
    });
  const seal = (said: string) =>
    asAda(async (client) => {
      const about = { name: "letter.txt" };
      return (await client.documents.seal(new TextEncoder().encode(said), client.account(), about)).id;
    });

  beforeAll(async () => {
    system = await startSystem();
    const first = await seal("the first letter");
    const custodian = await EdgeClient.signedIn(system, "Ada");
    expect((await custodian.rest("POST", `/accounts/${custodian.account}/key`)).status).toBeLessThan(300);
    letters = { first, second: await seal("the second letter") };
    const bob = await EdgeClient.signedIn(system, "Bob");
    const order = { account: bob.account, count: 1, purpose: "document" };
    expect((await bob.rest("POST", "/kms/data-keys", order)).status).toBe(201);
  }, 120_000);
  afterAll(() => system?.close());

  it("W1 refuses Enc(account) that was altered, swapped or put back to an older version in the IAM; it is in the audit, and opens again when it is right", async () => {
    const keys = readRows(system.edgeDir, "account_keys");
    const current = keys.find(({ version }) => version === 2)!;
    const set = (wrapped: unknown) =>
      `UPDATE account_keys SET wrapped = ${bytes(wrapped)} WHERE id = ${text(current.id)}`;
    const back = set(current.wrapped);
    const of = { table: "account_keys", code: "hsm-refused", back };
    // Ada's own before it, and Bob's.
    const others = keys.filter(({ version }) => version === 1);
    expect(others).toHaveLength(2);
    const known = denied(system, "hsm-refused");
    await tryAll(
      system,
      [
        { ...of, what: "altered", change: set(flipped(current.wrapped)) },
        ...others.map(({ id, wrapped }) => ({ ...of, what: `that of ${id}`, change: set(wrapped) })),
      ],
      () => open(letters.second).catch(codeOf),
    );
    await expect.poll(() => denied(system, "hsm-refused"), { timeout: 60_000 }).toBeGreaterThan(known + 2);
    expect(await open(letters.second)).toBe("the second letter");
    expect(await open(letters.first)).toBe("the first letter");
  }, 180_000);
});
