/**
 * What ends while the HSM works on a key: nothing is released, whatever it was that ended. The HSM's answer is held up over
 * the real parts; what has no way of its own yet (disabling) is written into the objects' databases.
 */

import { setTimeout as pause } from "node:timers/promises";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { Engine } from "#emulator/hsm/server/engine.ts";
import { IDENTITY } from "#protocol/hierarchy/index.ts";
import { answerOf, callDoor, callerOf, withDoors } from "../support/doors.ts";
import { EdgeClient, newVerifier } from "../support/edge-client.ts";
import { type Answer, json, problem } from "../support/http.ts";
import { type EnrolmentAnswer, enrol, type Keys, makeKeys } from "../support/instance.ts";
import { addMember } from "../support/members.ts";
import { changeRows, readRows, useSystem } from "../system/index.ts";

vi.mock("#cli/parts/index.ts", async (original) => withDoors(await original()));

const system = useSystem();
let keys: Keys;
beforeAll(async () => {
  keys = await makeKeys();
});

/** KMIP's operations Sign and Import, in a request. */
const SIGN = Buffer.from("42005c050000000400000021", "hex");
const IMPORT = Buffer.from("42005c05000000040000002a", "hex");

/** Whether a request is of a kind. A batch that makes keys has names of its own; below an account key it imports that first. */
const ASKED = {
  kms: (bytes: Buffer) => bytes.includes("kms/") && bytes.includes(IMPORT),
  accountKey: (bytes: Buffer) => bytes.includes("kms/") && !bytes.includes(IMPORT),
  sign: (bytes: Buffer) => bytes.includes(SIGN),
};
type Asked = keyof typeof ASKED;

/** Holds the HSM's answers of a kind back until they are released; `reached` ends when the HSM has done the first one's work. */
function holdAnswer(kind: Asked): { reached: Promise<void>; release: () => void } {
  const { serve } = Engine.prototype;
  const { promise: released, resolve } = Promise.withResolvers<void>();
  const release = () => {
    Engine.prototype.serve = serve;
    resolve();
  };
  const reached = new Promise<void>((done) => {
    Engine.prototype.serve = async function (bytes, origin) {
      const answer = await serve.call(this, bytes, origin);
      if (!ASKED[kind](Buffer.from(bytes))) return answer;
      done();
      await released;
      return answer;
    };
  });
  return { reached, release };
}

/** A user of their own with an instance and a data key. */
async function person(name: string) {
  const client = await EdgeClient.signedIn(system, name);
  const { instance, wrappingCertificate } = json<EnrolmentAnswer>(await enrol(client, keys));
  const dataKeys = () =>
    client.rest("POST", "/kms/data-keys", { account: client.account, count: 1, purpose: "document" });
  const [edk] = json<{ edks: [string] }>(await dataKeys()).edks;
  const rewrap = () =>
    client.rest("POST", "/kms/loads", { way: "rewrap", edk, certificate: wrappingCertificate });
  return { client, instance, edk, dataKeys, rewrap };
}
type Person = Awaited<ReturnType<typeof person>>;

const change = (table: string, statement: string) =>
  expect(changeRows(system.edgeDir, table, statement)).toBeGreaterThan(0);
const keyIdOf = (edk: string) => JSON.parse(Buffer.from(edk.split(".")[1]!, "base64url").toString()).keyId;

const signOut = async ({ client }: Person) =>
  expect((await client.vaultPost("/sign-out", {})).status).toBe(204);
const leave = async ({ client }: Person) => {
  const { account } = client;
  addMember(system, account, await EdgeClient.signedIn(system, `one who stays with ${account}`));
  expect(
    await answerOf(callDoor(system, "IAM.removeMember", callerOf(client), account, client.tokens.user.id)),
  ).toBe("ok");
};
const shred = async ({ client }: Pick<Person, "client">) =>
  expect(
    await answerOf(
      callDoor(system, "IAM.scheduleDeletion", callerOf(client), client.account, { immediately: true }),
    ),
  ).toBe("ok");
const revoke = async ({ client, instance }: Person) =>
  expect((await client.rest("DELETE", `/ra/instances/${instance}`)).status).toBe(204);
const disable = async ({ edk }: Person) =>
  change("data_keys", `UPDATE data_keys SET state = 'disabled' WHERE id = '${keyIdOf(edk)}'`);

/** What is answered when `end` happens between the HSM's answer and the release. */
async function meanwhile<P>(
  who: P,
  ask: () => Promise<Answer>,
  end: (who: P) => Promise<void>,
  kind: Asked = "kms",
) {
  const held = holdAnswer(kind);
  try {
    const asked = ask();
    await held.reached;
    await end(who);
    held.release();
    return await asked;
  } finally {
    held.release();
  }
}

describe("a load", () => {
  it("is answered when nothing ends meanwhile (positive control)", async () => {
    const who = await person("Ada");
    expect((await meanwhile(who, who.rewrap, async () => {})).status).toBe(200);
  });

  it.each([
    ["signs out", signOut, "401 invalid-token"],
    ["leaves the account", leave, "403 forbidden"],
    ["has the account shredded", shred, "403 forbidden"],
    ["revokes the instance", revoke, "403 not-recipient"],
    ["has the key disabled", disable, "403 forbidden"],
  ] as const)(
    "releases nothing to a user who %s between the HSM's answer and the release",
    async (what, end, refusal) => {
      const who = await person(`user who ${what}`);
      const answer = await meanwhile(who, who.rewrap, end);
      expect(problem(answer)).toBe(refusal);
      expect(answer.text).not.toContain("wrappedKey");
      expect(problem(await who.rewrap())).toBe(refusal);
    },
  );
});

describe("new data keys", () => {
  it("are given when nothing ends meanwhile (positive control)", async () => {
    const who = await person("Bob");
    expect((await meanwhile(who, who.dataKeys, async () => {})).status).toBe(201);
  });

  it.each([
    ["signs out", signOut, "401 invalid-token"],
    ["leaves the account", leave, "403 forbidden"],
    ["has the account shredded", shred, "403 forbidden"],
  ] as const)(
    "are given to nobody, and kept nowhere, when the user %s between the HSM's answer and the release",
    async (what, end, refusal) => {
      const who = await person(`owner who ${what}`);
      const kept = () =>
        readRows(system.edgeDir, "data_keys").filter(({ account }) => account === who.client.account).length;
      const before = kept();
      const answer = await meanwhile(who, who.dataKeys, end);
      expect(problem(answer)).toBe(refusal);
      expect(answer.text).not.toContain("edks");
      expect(kept()).toBe(end === shred ? 0 : before);
    },
  );
});

it("M11 W11 keys that the HSM is to retain are left nowhere, when the user has the account shredded while they are made", async () => {
  const who = await person("owner of keys that are retained");
  const order = { account: who.client.account, count: 2, purpose: "document", custody: "kms" };
  const answer = await meanwhile(who, () => who.client.rest("POST", "/kms/data-keys", order), shred);
  expect(problem(answer)).toBe("403 forbidden");
  // A row goes when the HSM has destroyed what it names.
  const left = () => readRows(system.edgeDir, "retained_keys").length;
  await expect.poll(left, { timeout: 60_000 }).toBe(0);
});

describe("tokens", () => {
  const endUser = async ({ client }: Pick<Person, "client">) => {
    const of = { tenant: "development", user: client.tokens.user.id, requestId: crypto.randomUUID() };
    expect(await answerOf(callDoor(system, "IAM_ADMINISTRATION.endUser", of))).toBe("ok");
  };
  const out = (who: Pick<Person, "client">) => signOut(who as Person);
  const refreshed = async (name: string) => {
    const client = await EdgeClient.signedIn(system, name);
    return { client, ask: () => client.refresh(client.tokens.refresh_token) };
  };
  const exchanged = async (name: string) => {
    const client = await EdgeClient.signedIn(system, name);
    const verifier = newVerifier();
    const code = await client.code(verifier);
    return { client, ask: () => client.exchange(code, verifier) };
  };
  const ways = [
    ["a refresh token", refreshed],
    ["a code", exchanged],
  ] as const;

  it.each(ways)("are given for %s when nothing ends meanwhile (positive control)", async (_, way) => {
    const who = await way("Carol");
    expect((await meanwhile(who, who.ask, async () => {}, "sign")).status).toBe(200);
  });

  const ends = [
    ["signs out", out],
    ["has all sign-ins ended", endUser],
  ] as const;
  it.each(ways.flatMap(([what, way]) => ends.map(([how, end]) => [what, how, way, end] as const)))(
    "are given to nobody for %s when the user %s while the HSM signs",
    async (what, how, way, end) => {
      const who = await way(`holder of ${what} who ${how}`);
      const answer = await meanwhile(who, who.ask, end, "sign");
      expect(problem(answer)).toBe("400 invalid-grant");
      expect(answer.text).not.toContain('token"');
    },
  );
});

describe("a key's next version", () => {
  const hmac = { purpose: "data", algorithm: "HMAC-SHA256-HKDF-SHA512" };
  /** A key of this user's account, and what asks for its next version. */
  async function ordered(name: string, more: object = {}) {
    const client = await EdgeClient.signedIn(system, name);
    const { instance, wrappingCertificate: certificate } = json<EnrolmentAnswer>(await enrol(client, keys));
    const order = { account: client.account, count: 1, ...hmac, ...more };
    const [edk] = json<{ edks: [string] }>(await client.rest("POST", "/kms/data-keys", order)).edks;
    const rotate = () => client.rest("POST", "/kms/key-versions", { edk, certificate });
    const of = `/kms/accounts/${client.account}/keys/${keyIdOf(edk)}`;
    const operations = async (version: number) =>
      json<{ operations?: string[] }>(await client.rest("GET", `${of}.${version}`)).operations;
    return { client, instance, edk, rotate, operations } as unknown as Person & {
      rotate: typeof rotate;
      operations: typeof operations;
    };
  }

  it("M17 M12 is given to nobody when the instance, whose tier the policy asks for, is revoked while the HSM makes it", async () => {
    const policy = { operations: ["mac", "macVerify"], tier: "software" };
    const who = await ordered("rotates and revokes", { policy });
    expect(problem(await meanwhile(who, who.rotate, revoke))).toBe("403 not-recipient");
    expect(await who.operations(1)).toEqual(["mac", "macVerify"]);
    expect(await who.operations(2)).toBeUndefined();
  });

  it("M11 M17 is made at the next try, of a key that the KMS retains, where the HSM went away before it kept it", async () => {
    const who = await ordered("rotates what is retained", { custody: "kms" });
    const { serve } = Engine.prototype;
    Engine.prototype.serve = function (bytes, origin) {
      if (Buffer.from(bytes).includes(keyIdOf(who.edk))) throw new Error("The HSM went away");
      return serve.call(this, bytes, origin);
    };
    try {
      expect(problem(await who.rotate())).toBe("503 hsm-unavailable");
    } finally {
      Engine.prototype.serve = serve;
    }
    expect(await who.operations(1)).toEqual(["mac", "macVerify"]);
    const rotated = await who.rotate();
    expect(rotated.status, rotated.text).toBe(201);
    const { edk } = json<{ edk: string }>(rotated);
    const { keyVersion } = JSON.parse(Buffer.from(edk.split(".")[1]!, "base64url").toString());
    // The name of the second may be the HSM's by now.
    expect(keyVersion).toBe(3);
    expect(await who.operations(1)).toEqual(["macVerify"]);
    expect(await who.operations(3)).toEqual(["mac", "macVerify"]);
  });
});

/** What the objects have recorded, as JSON. */
function recorded(): string[] {
  const rows = ["audit_outbox", "links"].flatMap((table) => readRows(system.edgeDir, table));
  return rows.map(({ row, entry }) => String(row ?? entry));
}

const keysOfAccounts = () => readRows(system.edgeDir, "account_keys").map(({ id }) => String(id));

/** Somebody whose account has no key yet, as one has that an earlier release began and nobody has used. */
async function withoutKey(name: string): Promise<EdgeClient> {
  const before = keysOfAccounts();
  const client = await EdgeClient.signedIn(system, name);
  const made = () => keysOfAccounts().filter((id) => !before.includes(id));
  await expect.poll(made).toHaveLength(1);
  change("account_keys", `DELETE FROM account_keys WHERE id = '${made()[0]}'`);
  return client;
}

describe("an account's first key", () => {
  it("W9 is ordered from the KMS, which records it; the IAM asks the HSM for nothing of it", async () => {
    const before = keysOfAccounts();
    const { serve } = Engine.prototype;
    const makers: string[] = [];
    Engine.prototype.serve = function (bytes, origin) {
      const asked = Buffer.from(bytes);
      if (ASKED.accountKey(asked) || asked.includes("iam/")) makers.push(origin.identity);
      return serve.call(this, bytes, origin);
    };
    let client: EdgeClient;
    try {
      client = await EdgeClient.signedIn(system, "first who has it ordered");
      await expect.poll(() => keysOfAccounts().length).toBe(before.length + 1);
    } finally {
      Engine.prototype.serve = serve;
    }
    // What went before may be swept meanwhile, by who made it.
    expect(new Set(makers)).toEqual(new Set([IDENTITY.kms]));
    const orders = recorded().filter(
      (row) => row.includes("kms:account-key") && row.includes(client.account),
    );
    // A row on its way to the chain is in both tables for a moment.
    const requests = orders.map((row) => /"requestId":"([^"]+)"/.exec(row)?.[1]);
    expect([...new Set(requests)]).toEqual([expect.any(String)]);
  });

  it("is not made, and nothing is recorded, for a member who has signed out", async () => {
    const client = await withoutKey("signed out before the first key");
    await signOut({ client } as Person);
    const before = keysOfAccounts();
    const order = { account: client.account, count: 1, purpose: "document" };
    expect(problem(await client.rest("POST", "/kms/data-keys", order))).toBe("401 invalid-token");
    // The KMS takes the first refusal: what was asked beside it would be done a little later.
    await pause(500);
    expect(keysOfAccounts()).toEqual(before);
    const made = recorded().filter((row) => row.includes(client.account) && row.includes("iam:account-key"));
    expect(made.filter((row) => row.includes('"allow"'))).toEqual([]);
  });

  it.each([
    ["leaves the account", leave, 1],
    ["has the account shredded", shred, 0],
  ] as const)("is given to nobody when the user %s while the HSM makes it", async (what, end, kept) => {
    const client = await withoutKey(`first who ${what}`);
    const ask = () =>
      client.rest("POST", "/kms/data-keys", { account: client.account, count: 1, purpose: "document" });
    // Somebody else comes too, who stays.
    const others = what === "leaves the account" ? 1 : 0;
    const before = keysOfAccounts().length;
    const answer = await meanwhile({ client } as Person, ask, end, "accountKey");
    expect(problem(answer)).toBe("403 forbidden");
    await expect.poll(() => keysOfAccounts().length - before - others).toBe(kept);
    expect(problem(await ask())).toBe("403 forbidden");
  });
});
