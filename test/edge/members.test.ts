/** Several people on one account: a second device, a new colleague on what is there, one who only reads, one who leaves. */

import { describe, expect, it, vi } from "vitest";
import type { Level } from "#protocol/level.ts";
import { principalId } from "#protocol/principal.ts";
import { hold, withDoors } from "../support/doors.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { type Answer, json, problem as problemOf } from "../support/http.ts";
import { type EnrolmentAnswer, enrol, makeKeys } from "../support/instance.ts";
import { InstanceClient } from "../support/instance-client.ts";
import { readRows, useSystem } from "../system/index.ts";

vi.mock("#cli/parts/index.ts", async (original) => withDoors(await original()));

const system = useSystem({
  otherTenants: ["umbrella", "account", "master"],
  levels: { account: "account", master: "master" },
});
/** An answer without a problem has no body that says so. */
const problem = (answer: Answer) => (answer.status < 300 ? `${answer.status} ok` : problemOf(answer));
const signedIn = (name: string) => EdgeClient.signedIn(system, name);
const idOf = ({ tokens }: EdgeClient) => tokens.user.id;

/** With an instance of its own. */
const device = async (name: string) => enrolled(await signedIn(name));
async function enrolled(client: EdgeClient) {
  const { instance, wrappingCertificate: certificate } = json<EnrolmentAnswer>(
    await enrol(client, await makeKeys()),
  );
  return {
    client,
    instance,
    load: (edk: string) => client.rest("POST", "/kms/loads", { way: "rewrap", edk, certificate }),
  };
}

const firstEdks = new Map<string, string>();

/**
 * A device of a tenant of this release level. `keysOf`: what its instance hears when it asks for the keys of an account, as it does at
 * that level; at `data` its custodian asks for it, by the first EDK of the account.
 */
async function deviceAt(level: Level, name: string) {
  const client = await EdgeClient.signedIn(level === "data" ? system : system.tenant(level), name);
  if (level === "data") {
    const { instance, load } = await enrolled(client);
    return {
      client,
      instance,
      async keysOf(account: string, owner: EdgeClient) {
        const edk = firstEdks.get(account) ?? (await edkOf(owner));
        firstEdks.set(account, edk);
        return [problem(await load(edk))];
      },
    };
  }
  const instance = await InstanceClient.ready(client);
  return {
    client,
    instance: instance.enrolled.instance,
    async keysOf(account: string, owner: EdgeClient) {
      // Its owner's page says which key it is, where the device itself is told nothing.
      const { versions } = json<{ versions: { keyId: string; keyVersion: number }[] }>(
        await owner.rest("GET", `/accounts/${account}/data-keys`),
      );
      const { keyId, keyVersion } = versions[0]!;
      const challenge = Buffer.alloc(32).toString("base64url");
      const at = `/instances/accounts/${account}`;
      const asked = [
        await instance.rest("POST", "/instances/key-identifiers", { account, purpose: "document" }),
        await instance.rest("GET", `${at}/data-keys/${keyId}.${keyVersion}`),
        level === "master"
          ? await instance.rest("GET", `${at}/key`)
          : await instance.rest("POST", "/instances/account-key", { account, challenge }),
      ];
      return asked.map(problem);
    },
  };
}

async function makeKey(by: EdgeClient, account = by.account) {
  return by.rest("POST", "/kms/data-keys", { account, count: 1, purpose: "document" });
}
const edkOf = async (by: EdgeClient) => json<{ edks: [string] }>(await makeKey(by)).edks[0];
const put = (by: EdgeClient, account: string, user: string, role: string) =>
  by.rest("POST", `/accounts/${account}/members`, { user, role });
const remove = (by: EdgeClient, account: string, user: string) =>
  by.rest("DELETE", `/accounts/${account}/members/${user}`);
const membersOf = async (by: EdgeClient, account: string) =>
  json<{ members: { user: string; role: string; name: string }[] }>(
    await by.rest("GET", `/accounts/${account}/members`),
  ).members;

describe.each(["data", "account", "master"] as const)("at level %s", (level) => {
  /** Each of them, as this level has it. */
  const all = (answer: string) => Array.from({ length: level === "data" ? 1 : 3 }, () => answer);
  const had = all("200 ok");

  it("W11 a second device of the same person has the keys of the account, and one that was revoked does not", async () => {
    const [first, second] = [await deviceAt(level, "Ann"), await deviceAt(level, "Ann")];
    const { account } = first.client;
    const keys = (of: typeof first) => of.keysOf(account, first.client);
    expect(await keys(second)).toEqual(had);
    expect((await first.client.rest("DELETE", `/ra/instances/${second.instance}`)).status).toBe(204);
    expect(await keys(second)).toEqual(all("403 not-recipient"));
    expect(await keys(first)).toEqual(had);
  });

  it("W11 a new colleague has the keys of what was sealed before, and nothing from the moment of leaving on", async () => {
    const [ann, bob, cleo] = [
      await deviceAt(level, "Ann"),
      await deviceAt(level, "Bob"),
      await deviceAt(level, "Cleo"),
    ];
    const { account } = ann.client;
    const keys = (of: typeof bob) => of.keysOf(account, ann.client);
    expect(await keys(ann)).toEqual(had);
    expect(await keys(bob)).toEqual(all("403 forbidden"));
    for (const { client } of [bob, cleo])
      expect((await put(ann.client, account, idOf(client), "member")).status).toBe(204);
    expect(await keys(bob)).toEqual(had);
    expect((await bob.client.rest("GET", `/accounts/${account}/documents`)).status).toBe(200);
    const { accounts } = json<{ accounts: { id: string; name: string }[] }>(
      await bob.client.rest("GET", "/accounts"),
    );
    expect(accounts).toHaveLength(2);
    expect(accounts).toContainEqual({ id: account, name: "Ann" });
    // Tokens name it too, from the next on.
    const refreshed = json<EdgeClient["tokens"]>(await bob.client.refresh(bob.client.tokens.refresh_token));
    expect(refreshed.accounts).toEqual(accounts);
    const listed = (await membersOf(bob.client, account)).map(({ name, role }) => `${name} ${role}`);
    expect(listed.toSorted()).toEqual(["Ann owner", "Bob member", "Cleo member"]);
    expect((await remove(ann.client, account, idOf(bob.client))).status).toBe(204);
    expect(await keys(bob)).toEqual(all("403 forbidden"));
    expect(problem(await bob.client.rest("GET", `/accounts/${account}/documents`))).toBe("403 forbidden");
    expect(problem(await bob.client.rest("GET", `/accounts/${account}/members`))).toBe("403 forbidden");
    const left = json<{ accounts: object[] }>(await bob.client.rest("GET", "/accounts"));
    expect(left.accounts).toHaveLength(1);
    expect(await keys(cleo)).toEqual(had);
    // Asked for again it is the same; and who left may come again.
    expect((await remove(ann.client, account, idOf(bob.client))).status).toBe(204);
    expect((await put(ann.client, account, idOf(bob.client), "member")).status).toBe(204);
    expect(await keys(bob)).toEqual(had);
    // Cleo leaves without being asked.
    expect((await remove(cleo.client, account, idOf(cleo.client))).status).toBe(204);
    expect(await keys(cleo)).toEqual(all("403 forbidden"));
  });
});

it("W11 a reader opens, and changes nothing", async () => {
  const [dan, eve] = [await device("Dan"), await device("Eve")];
  const { account } = dan.client;
  const edk = await edkOf(dan.client);
  const { id } = json<{ id: string }>(await dan.client.rest("POST", dan.client.documents, {}));
  expect((await put(dan.client, account, idOf(eve.client), "reader")).status).toBe(204);
  const { receipt } = json<{ receipt: string }>(await eve.load(edk));
  const { policy } = JSON.parse(Buffer.from(receipt.split(".")[1]!, "base64url").toString());
  expect(policy.operations).toEqual(["decrypt"]);
  const at = dan.client.documents;
  expect((await eve.client.rest("GET", at)).status).toBe(200);
  const { keys } = json<{ keys: { key: string }[] }>(
    await eve.client.rest("GET", `/kms/accounts/${account}/keys`),
  );
  const writes = [
    await eve.client.rest("PUT", `/kms/accounts/${account}/keys/${keys[0]!.key}`, { state: "disabled" }),
    await eve.client.rest("POST", `/accounts/${account}/deletion`, { days: 7 }),
    await makeKey(eve.client, account),
    await eve.client.rest("POST", at, {}),
    await eve.client.rest("PUT", `${at}/${id}/parts/1`, new Uint8Array(9)),
    await eve.client.rest("PUT", `${at}/${id}/metadata`, new Uint8Array(9)),
    await eve.client.rest("POST", `${at}/${id}/complete`, { parts: [{ part: 1, etag: "e" }], size: 9 }),
    await eve.client.rest("DELETE", `${at}/${id}`),
    await put(eve.client, account, idOf(eve.client), "owner"),
    await remove(eve.client, account, idOf(dan.client)),
  ];
  expect(writes.map(problem)).toEqual(writes.map(() => "403 forbidden"));
  // Made a member, Eve writes at once; made a reader again, not even a part of an upload under way.
  expect((await put(dan.client, account, idOf(eve.client), "member")).status).toBe(204);
  expect((await eve.client.rest("PUT", `${at}/${id}/parts/1`, new Uint8Array(9))).status).toBe(200);
  expect((await put(dan.client, account, idOf(eve.client), "reader")).status).toBe(204);
  expect(problem(await eve.client.rest("PUT", `${at}/${id}/parts/2`, new Uint8Array(9)))).toBe(
    "403 forbidden",
  );
});

it("W11 owners alone say who is a member, and an account keeps an owner", async () => {
  const [fay, gil, hal] = [await signedIn("Fay"), await signedIn("Gil"), await signedIn("Hal")];
  const { account } = fay;
  expect((await put(fay, account, idOf(gil), "member")).status).toBe(204);
  expect(problem(await put(gil, account, idOf(hal), "member"))).toBe("403 forbidden");
  expect(problem(await put(hal, account, idOf(hal), "owner"))).toBe("403 forbidden");
  expect(problem(await put(fay, crypto.randomUUID(), idOf(hal), "owner"))).toBe("403 forbidden");
  expect(problem(await remove(gil, account, idOf(fay)))).toBe("403 forbidden");
  expect(problem(await remove(fay, account, idOf(fay)))).toBe("409 conflict");
  expect(problem(await put(fay, account, idOf(fay), "reader"))).toBe("409 conflict");
  const stranger = await principalId({
    tenant: "development",
    issuer: "urn:coffer:development",
    subject: "Nobody",
  });
  expect(problem(await put(fay, account, stranger, "member"))).toBe("404 not-found");
  const elsewhere = await EdgeClient.signedIn(system.tenant("umbrella"), "Fay");
  expect(problem(await put(fay, account, idOf(elsewhere), "member"))).toBe("404 not-found");
  expect(problem(await elsewhere.rest("GET", `/accounts/${account}/members`))).toBe("403 forbidden");
  for (const role of ["admin", "", "OWNER"])
    expect(problem(await put(fay, account, idOf(hal), role))).toBe("400 bad-request");
  // With another owner the first one may go.
  expect((await put(fay, account, idOf(gil), "owner")).status).toBe(204);
  expect((await remove(fay, account, idOf(fay))).status).toBe(204);
  expect(await membersOf(gil, account)).toMatchObject([{ user: idOf(gil), role: "owner" }]);
  const rows = () =>
    readRows(system.edgeDir, "links")
      .map(({ entry }) => JSON.parse(String(entry)) as Record<string, string>)
      .filter(({ action, outcome }) => action === "iam:remove-member" && outcome === "allow");
  await expect
    .poll(() => rows().map(({ resource }) => resource))
    .toContain(`account/${account}/member/${idOf(fay)}`);
});

it.each(["IamPrincipalObject.joined", "after IamPrincipalObject.joined"])(
  "W11 a colleague is a member after a kill at %s",
  async (method) => {
    const [ivy, jon] = [await signedIn(`Ivy ${method}`), await signedIn(`Jon ${method}`)];
    hold(method);
    await system.restart();
    const asked = put(ivy, ivy.account, idOf(jon), "member").catch(() => {});
    await expect.poll(() => system.log()).toContain(`held ${method}`);
    process.kill(system.pid, "SIGKILL");
    await asked;
    hold();
    await system.restart();
    const accounts = async () => json<{ accounts: object[] }>(await jon.rest("GET", "/accounts")).accounts;
    await expect.poll(async () => (await accounts()).length, { timeout: 60_000 }).toBe(2);
    expect((await jon.rest("GET", `/accounts/${ivy.account}/documents`)).status).toBe(200);
  },
);

it("M20 a stranger who reads what an account is leaves a row there", async () => {
  const [ann, stranger] = [await signedIn("Ann"), await signedIn("Stranger")];
  expect(problem(await stranger.rest("GET", `/accounts/${ann.account}`))).toBe("403 forbidden");
  const row = { action: "iam:read-account", user: idOf(stranger), resource: `account/${ann.account}` };
  await expect
    .poll(() => readRows(system.edgeDir, "links").map(({ entry }) => JSON.parse(String(entry))))
    .toContainEqual(expect.objectContaining({ ...row, outcome: "deny" }));
});

it("M20 an owner who adds somebody that cannot be added leaves a row", async () => {
  const ann = await signedIn("Ann");
  const nobody = await principalId({ tenant: "development", issuer: "https://nobody.example", subject: "x" });
  expect(problem(await put(ann, ann.account, nobody, "member"))).toBe("404 not-found");
  const row = { action: "iam:put-member", user: idOf(ann), code: "not-found", outcome: "deny" };
  await expect
    .poll(() => readRows(system.edgeDir, "links").map(({ entry }) => JSON.parse(String(entry))))
    .toContainEqual(expect.objectContaining({ ...row, resource: `account/${ann.account}/member/${nobody}` }));
});
