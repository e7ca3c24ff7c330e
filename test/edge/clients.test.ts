/** W9: application servers as clients of their own, on the real edge: what one may do, what it may not, and every misuse of its door. */

import { createHmac } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { connect } from "#cli/client.ts";
import { signKeyChange } from "#cli/key-change.ts";
import { makeRegisteredKey, readRegisteredKey } from "#cli/registered-key.ts";
import { encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { seconds } from "#protocol/clock.ts";
import { jwsInput, jwsParts, jwsToken } from "#protocol/jws.ts";
import { spkiFromJwk, thumbprint } from "#protocol/keys/index.ts";
import { createDpopKey, type DpopKey } from "#web/client/dpop.ts";
import { hold, withDoors } from "../support/doors.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { InstanceClient } from "../support/instance-client.ts";
import { RegisteredClient } from "../support/registered-client.ts";
import { readRows, useSystem } from "../system/index.ts";

vi.mock("#cli/parts/index.ts", async (original) => withDoors(await original()));

const system = useSystem({
  level: "master",
  otherApps: ["board"],
  otherTenants: ["umbrella"],
  admins: ["Ada"],
});
let ada: EdgeClient;
let dir: string;
beforeAll(async () => {
  ada = await EdgeClient.signedIn(system, "Ada");
  dir = await mkdtemp(join(tmpdir(), "coffer-clients-"));
});
afterAll(() => rm(dir, { recursive: true }));

const order = (client: EdgeClient) => ({ account: client.account, count: 1, purpose: "document" });
/** What the audit log has of an action. */
const rows = (action: string) =>
  readRows(system.edgeDir, "links")
    .map(({ entry }) => JSON.parse(String(entry)) as Record<string, string>)
    .filter((entry) => entry.action === action);

describe("W9 an application server as a client of its own", () => {
  it("W9 is registered by an admin, signs in by its key without a person or a cookie, and is a custodian of its app", async () => {
    const server = await RegisteredClient.ready(ada, "reports");
    const { tokens } = server;
    expect(tokens.custodian.dn).toBe(`CN=${server.id},OU=${system.appOrigin},O=development`);
    expect(tokens.user).toEqual({ id: server.id, name: "reports" });
    expect(tokens.accounts).toHaveLength(1);
    expect((await server.rest("POST", "/kms/data-keys", order(server))).status).toBe(201);
    const { clients } = json<{ clients: object[] }>(await ada.rest("GET", "/admin/clients"));
    expect(clients).toContainEqual(
      expect.objectContaining({ name: "reports", id: server.id, app: "page", since: expect.any(Number) }),
    );
    await expect.poll(() => rows("iam:client-token").length).toBeGreaterThan(0);
    const registered = { user: ada.tokens.user.id, resource: "client/reports", outcome: "allow" };
    await expect.poll(() => rows("iam:register-client")).toContainEqual(expect.objectContaining(registered));
  });

  it("W9 goes on under one DPoP key: its instances do not end when it asks for another token", async () => {
    const server = await RegisteredClient.ready(ada, "goes-on");
    const before = server.tokens;
    await server.authenticate();
    expect(server.tokens.access_token).not.toBe(before.access_token);
    expect(server.tokens.custodian).toEqual(before.custodian);
  });

  it("W9 has an instance that seals and opens, at level master, by the key in its file alone", async () => {
    const file = join(dir, "server.pem");
    const jwk = await makeRegisteredKey(file, "a passphrase of the server");
    const put = await ada.rest("PUT", "/admin/clients/sealing", { jwk });
    const { id } = json<{ id: string }>(put);
    const key = await readRegisteredKey(file, "a passphrase of the server");
    expect(await readFile(file, "utf8")).toContain("BEGIN ENCRYPTED PRIVATE KEY");
    const { appOrigin: app, vaultOrigin: vault, running } = system;
    const server = await connect({ app, vault, rootKey: running.rootKey, client: { id, key } });
    const { port, instance } = await server.microservice.use();
    expect(instance.level).toBe("master");
    const account = server.account();
    const context = { tenant: "development", account, document: crypto.randomUUID(), purpose: "document" };
    const sealed = await new Response(port.seal({ context }, utf8("by a server"))).blob();
    expect(await new Response(port.open({ context }, sealed)).text()).toBe("by a server");
    // It was not enrolled by a grant, which a cookie has to be shown with.
    expect((await server.life.instances()).map(({ method }) => method)).toEqual(["secret-zero"]);
    server.close();
  });

  it("W9 opens the account of a person who makes it a member, and no other", async () => {
    const bob = await EdgeClient.signedIn(system, "Bob");
    const server = await RegisteredClient.ready(ada, "member");
    expect(problem(await server.rest("POST", "/kms/data-keys", order(bob)))).toBe("403 forbidden");
    const members = `/accounts/${bob.account}/members`;
    expect((await bob.rest("POST", members, { user: server.id, role: "member" })).status).toBe(204);
    expect((await server.rest("POST", "/kms/data-keys", order(bob))).status).toBe(201);
    const cleo = await EdgeClient.signedIn(system, "Cleo");
    expect(problem(await server.rest("POST", "/kms/data-keys", order(cleo)))).toBe("403 forbidden");
  });

  it("W9 administers nothing, whatever role it was given, and registers no other", async () => {
    const server = await RegisteredClient.ready(ada, "no-admin");
    expect((await ada.rest("PUT", `/admin/roles/admin/${server.id}`)).status).toBe(204);
    const jwk = (await createDpopKey()).jwk;
    for (const [method, path, body] of [
      ["GET", "/admin/roles"],
      ["GET", "/admin/clients"],
      ["PUT", "/admin/clients/another", { jwk }],
      ["DELETE", "/admin/clients/reports"],
    ] as const)
      expect(problem(await server.rest(method, path, body)), path).toBe("403 forbidden");
  });

  it("W9 reads no audit but its own, whatever role it was given", async () => {
    const server = await RegisteredClient.ready(ada, "no-auditor");
    expect((await ada.rest("PUT", `/admin/roles/auditor/${server.id}`)).status).toBe(204);
    for (const about of ["", `?subject=${ada.tokens.user.id}`, `?subject=${ada.account}`])
      expect(problem(await server.rest("GET", `/audit${about}`)), about).toBe("403 forbidden");
    expect((await server.rest("GET", `/audit?subject=${server.id}`)).status).toBe(200);
    // Which it owns, and would be refused by the auditor's door.
    expect((await server.rest("GET", `/audit?subject=${server.account}`)).status).toBe(200);
  });

  it("W9 is removed: its tokens and instances end at once, and its key gets nothing any more", async () => {
    const server = await RegisteredClient.ready(ada, "removed");
    const instance = await InstanceClient.launched(server);
    expect(problem(await askKeys(instance, server))).toBe("200 undefined");
    expect((await ada.rest("DELETE", "/admin/clients/removed")).status).toBe(204);
    expect(problem(await server.rest("POST", "/kms/data-keys", order(server)))).toBe("401 invalid-token");
    expect(problem(await askKeys(instance, server))).toMatch(/^40[13] /);
    expect(problem(await instance.askToken(await instance.assertion()))).toMatch(/^40[03] /);
    expect(problem(await server.askToken(await server.assertion()))).toBe("400 invalid-client");
    // Asked again, since an answer may have been lost.
    expect((await ada.rest("DELETE", "/admin/clients/removed")).status).toBe(204);
    expect(problem(await ada.rest("DELETE", "/admin/clients/never-there"))).toBe("404 not-found");
    // Nobody makes it a member of anything.
    const member = { user: server.id, role: "member" };
    expect(problem(await ada.rest("POST", `/accounts/${ada.account}/members`, member))).toBe("404 not-found");
    // Under its name comes another client, be it by the same key; what was issued before stays ended.
    const { id, account } = server;
    await server.register(ada);
    expect(problem(await server.rest("POST", "/kms/data-keys", order(server)))).toBe("401 invalid-token");
    await server.authenticate();
    expect(server.id).not.toBe(id);
    expect(server.account).not.toBe(account);
  });

  it("W9 gives nothing of a client to whoever is registered under its name by another key", async () => {
    const bob = await EdgeClient.signedIn(system, "Bob");
    const server = await RegisteredClient.ready(ada, "successor");
    const members = `/accounts/${bob.account}/members`;
    expect((await bob.rest("POST", members, { user: server.id, role: "member" })).status).toBe(204);
    expect((await ada.rest("PUT", `/admin/roles/auditor/${server.id}`)).status).toBe(204);
    expect((await server.rest("POST", "/kms/data-keys", order(bob))).status).toBe(201);
    const { id, account, registered } = server;
    const instance = await InstanceClient.launched(server);
    server.registered = await createDpopKey();
    await server.register(ada);
    expect(server.id).not.toBe(id);
    // What was issued to the one before has ended by now, whoever asks, and its key gets nothing any more.
    expect(problem(await server.rest("GET", "/accounts"))).toBe("401 invalid-token");
    expect(problem(await askKeys(instance, server))).toMatch(/^40[13] /);
    await server.authenticate();
    expect(server.tokens.accounts.map((each) => each.id)).not.toContain(account);
    for (const of of [bob.account, account]) {
      const order = { account: of, count: 1, purpose: "document" };
      expect(problem(await server.rest("POST", "/kms/data-keys", order))).toBe("403 forbidden");
    }
    const standing = json<{ roles: string[] }>(await server.rest("GET", "/standing"));
    expect(standing.roles).toEqual([]);
    const before = Object.assign(Object.create(server) as RegisteredClient, { id, registered });
    expect(problem(await before.askToken(await before.assertion()))).toBe("400 invalid-client");
    // Nor does anybody name the one before by mistake.
    const member = { user: id, role: "member" };
    expect(problem(await ada.rest("POST", `/accounts/${ada.account}/members`, member))).toBe("404 not-found");
  });

  it("W9 is another client in another app, and what it was ends: nobody moves what it keeps apart (M13)", async () => {
    const server = await RegisteredClient.ready(ada, "moved");
    const { id, account } = server;
    await server.register(ada, system.origin("board"));
    expect(server.id).not.toBe(id);
    expect(problem(await server.rest("GET", "/accounts"))).toBe("401 invalid-token");
    const moved = Object.assign(server, { app: system.origin("board") });
    await moved.authenticate();
    expect(moved.tokens.accounts.map((each) => each.id)).not.toContain(account);
    // Told again, it stays what it is.
    const now = moved.id;
    await moved.register(ada, system.origin("board"));
    expect(moved.id).toBe(now);
  });

  it("W9 goes on by another key that the one before has signed for: what was issued by that ends, and it gets nothing any more", async () => {
    const bob = await EdgeClient.signedIn(system, "Bob");
    const server = await RegisteredClient.ready(ada, "rotated");
    const members = `/accounts/${bob.account}/members`;
    expect((await bob.rest("POST", members, { user: server.id, role: "member" })).status).toBe(204);
    const { id, account, registered: before } = server;
    server.registered = await createDpopKey();
    const change = await changeOf(server, before);
    await server.register(ada, undefined, change);
    // Its answer may have been lost.
    await server.register(ada, undefined, change);
    expect(server.id).toBe(id);
    expect(problem(await server.rest("POST", "/kms/data-keys", order(server)))).toBe("401 invalid-token");
    await server.authenticate();
    expect(server.account).toBe(account);
    expect((await server.rest("POST", "/kms/data-keys", order(bob))).status).toBe(201);
    const old = Object.assign(Object.create(server) as RegisteredClient, { registered: before });
    expect(problem(await old.askToken(await old.assertion()))).toBe("400 invalid-client");
  });

  it("W9 takes no key in a client's name that the one before has not signed for, now, once and for this client", async () => {
    const server = await RegisteredClient.ready(ada, "unsigned");
    const other = await RegisteredClient.registeredBy(ada, "unsigned-other");
    const next = await createDpopKey();
    const { registered } = server;
    const put = async (change: string, jwk = next.jwk) =>
      problem(await ada.rest("PUT", "/admin/clients/unsigned", { jwk, change }));
    const good = { id: server.id, vault: server.vault, to: next.jwk, now: Date.now() };
    for (const [what, change] of Object.entries({
      "another client's key": await signKeyChange(other.registered, good),
      "the new key itself": await signKeyChange(next, good),
      "of another client": await signKeyChange(registered, { ...good, id: other.id }),
      "for another tenant": await signKeyChange(registered, {
        ...good,
        vault: system.tenant("umbrella").vaultOrigin,
      }),
      "for another key": await signKeyChange(registered, { ...good, to: other.registered.jwk }),
      "of the day before yesterday": await signKeyChange(registered, {
        ...good,
        now: good.now - 2 * 86_400_000,
      }),
      "of tomorrow": await signKeyChange(registered, { ...good, now: good.now + 86_400_000 }),
      "an assertion": await server.assertion(),
    }))
      expect(await put(change), what).toBe("403 forbidden");
    expect(await put("a".repeat(5000))).toBe("400 bad-request");
    const nobody = await ada.rest("PUT", "/admin/clients/unsigned-nobody", {
      jwk: next.jwk,
      change: await signKeyChange(registered, good),
    });
    expect(problem(nobody)).toBe("403 forbidden");
    // It is who it was.
    expect((await server.rest("GET", "/accounts")).status).toBe(200);
    // There, back and there again: the first word was used, though its key is the registered one again.
    const there = await signKeyChange(registered, good);
    expect(await put(there)).toBe("200 undefined");
    const back = await signKeyChange(next, { ...good, to: registered.jwk });
    expect(await put(back, registered.jwk)).toBe("200 undefined");
    expect(await put(there)).toBe("403 forbidden");
    const bob = await EdgeClient.signedIn(system, "Bob");
    const byBob = { jwk: next.jwk, change: await signKeyChange(registered, good) };
    expect(problem(await bob.rest("PUT", "/admin/clients/unsigned", byBob))).toBe("403 forbidden");
  });
});

function changeOf({ id, vault, registered }: RegisteredClient, by: DpopKey): Promise<string> {
  return signKeyChange(by, { id, vault, to: registered.jwk, now: Date.now() });
}

function askKeys(instance: InstanceClient, { account }: RegisteredClient) {
  return instance.rest("POST", "/instances/key-identifiers", { account, purpose: "document" });
}

describe("W9 misuse of a client's door", () => {
  const refused = async (server: RegisteredClient, assertion: string, form = {}, app?: string) =>
    problem(await server.askToken(assertion, form, app));

  it("W9 takes an assertion once, whatever DPoP key shows it", async () => {
    const server = await RegisteredClient.ready(ada, "replay");
    const assertion = await server.assertion();
    expect((await server.askToken(assertion)).status).toBe(200);
    expect(await refused(server, assertion)).toBe("400 invalid-client");
    server.key = await createDpopKey();
    expect(await refused(server, assertion)).toBe("400 invalid-client");
    // Nor one that nobody has shown: it names the DPoP key that it was made for.
    const stolen = await server.assertion();
    server.key = await createDpopKey();
    expect(await refused(server, stolen)).toBe("400 invalid-client");
    const together = await server.assertion();
    const answers = await Promise.all([1, 2, 3, 4].map(() => server.askToken(together)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  it("W9 refuses what an assertion must not say", async () => {
    const server = await RegisteredClient.ready(ada, "claims");
    const now = seconds(Date.now());
    const other = await RegisteredClient.registeredBy(ada, "claims-of-another");
    for (const change of [
      { aud: system.appOrigin },
      { aud: [server.vault] },
      { aud: `${server.vault}/` },
      { iss: other.id },
      { iss: other.id, sub: other.id },
      { sub: ada.tokens.user.id, iss: ada.tokens.user.id },
      { sub: "a".repeat(32), iss: "a".repeat(32) },
      { iat: now - 3600, exp: now - 3540 },
      { exp: now + 3600 },
      { exp: now - 300 },
      { iat: now + 3600, exp: now + 3660 },
      { iat: undefined },
      { jti: undefined },
      { jti: "short" },
      { jti: "j".repeat(129) },
      { scope: "admin" },
      { cnf: undefined },
      { cnf: { jkt: "A".repeat(43) } },
      { cnf: { jkt: await thumbprint(server.registered.jwk) } },
    ])
      expect(await refused(server, await server.assertion(change)), JSON.stringify(change)).toBe(
        "400 invalid-client",
      );
    expect(await refused(server, await server.assertion())).toBe("200 undefined");
  });

  it("W9 refuses every other key, kid, type and algorithm", async () => {
    const server = await RegisteredClient.ready(ada, "algorithms");
    const other = await RegisteredClient.ready(ada, "algorithms-of-another");
    const good = await server.assertion();
    const { payload } = jwsParts(good);
    const said = JSON.parse(new TextDecoder().decode(payload)) as object;
    const kid = JSON.parse(new TextDecoder().decode(jwsParts(good).header)).kid as string;
    const typ = "client-authentication+jwt";
    // The public key as the secret of an HMAC.
    const mixed = jwsInput({ alg: "HS256", typ, kid }, said);
    const bySpki = createHmac("sha256", spkiFromJwk(server.registered.jwk)).update(mixed).digest();
    const byJwk = createHmac("sha256", JSON.stringify(server.registered.jwk)).update(mixed).digest();
    for (const [what, assertion] of Object.entries({
      "another client's key": await server.assertion({}, { key: other.registered }),
      "a key that nobody registered": await server.assertion({}, { key: await createDpopKey() }),
      "its DPoP key": await server.assertion({}, { key: server.key }),
      "an unknown kid": await server.assertion({}, { kid: "A".repeat(43) }),
      "another's kid": await server.assertion({}, { kid: await thumb(other) }),
      "a type of another use": await server.assertion({}, { typ: "JWT" }),
      none: `${jwsInput({ alg: "none", typ, kid }, said)}.`,
      "none, with a signature": jwsToken(jwsInput({ alg: "none", typ, kid }, said), new Uint8Array(64)),
      "HS256 by the public key": jwsToken(mixed, new Uint8Array(bySpki)),
      "HS256 by the JWK": jwsToken(mixed, new Uint8Array(byJwk)),
      "a key in the header": jwsToken(
        jwsInput({ alg: "ES256", typ, kid, jwk: other.registered.jwk }, said),
        jwsParts(good).signature,
      ),
      "an altered payload": jwsToken(
        jwsInput({ alg: "ES256", typ, kid }, { ...said, jti: crypto.randomUUID() }),
        jwsParts(good).signature,
      ),
    }))
      expect(await refused(server, assertion), what).toMatch(/^400 (invalid-client|bad-request)$/);
    expect(await refused(server, good)).toBe("200 undefined");
  });

  it("W9 refuses another app's origin, another tenant's client, and a request that names another client", async () => {
    const server = await RegisteredClient.ready(ada, "elsewhere");
    const board = system.origin("board");
    expect(await refused(server, await server.assertion(), {}, board)).toBe("400 invalid-client");
    const umbrella = system.tenant("umbrella");
    const there = { aud: umbrella.vaultOrigin };
    for (const change of [{}, there])
      expect(await refused(server, await server.assertion(change), {}, umbrella.appOrigin)).toBe(
        "400 invalid-client",
      );
    expect(await refused(server, await server.assertion(), { client_id: system.appOrigin })).toBe(
      "400 invalid-client",
    );
    expect(await refused(server, await server.assertion(), { client_id: server.id })).toBe("200 undefined");
    // Its token is of its own app and tenant.
    const elsewhere = Object.assign(Object.create(server) as RegisteredClient, { app: board });
    expect(problem(await elsewhere.rest("GET", "/accounts"))).toBe("401 invalid-token");
  });

  it("W9 takes nothing of a person's at a client's door, and nothing of a client's at a person's", async () => {
    const server = await RegisteredClient.ready(ada, "doors");
    const { access_token, refresh_token } = ada.tokens;
    for (const token of [access_token, refresh_token, "", "a.b.c"])
      expect(await refused(server, token)).toMatch(/^400 (bad-request|invalid-client)$/);
    for (const grant of ["refresh_token", "authorization_code", "password", ""])
      expect(await refused(server, await server.assertion(), { grant_type: grant })).toBe("400 bad-request");
    expect(await refused(server, await server.assertion(), { client_assertion_type: "jwt" })).toBe(
      "400 bad-request",
    );
    // A person's door knows no assertion, and no client's id.
    const assertion = await server.assertion();
    const forms: Record<string, string>[] = [
      { grant_type: "client_credentials", client_assertion: assertion },
      { grant_type: "refresh_token", refresh_token: assertion },
      { grant_type: "refresh_token", refresh_token: `${server.id}.${"A".repeat(43)}` },
    ];
    for (const form of forms)
      expect(problem(await ada.token(form))).toMatch(/^400 (bad-request|invalid-grant)$/);
    // Its token is a custodian's: no instance's, and of no other key.
    const stolen = Object.assign(Object.create(server) as RegisteredClient, { key: await createDpopKey() });
    expect(problem(await stolen.rest("GET", "/accounts"))).toBe("401 invalid-token");
    const asInstance = Object.assign(Object.create(server) as RegisteredClient, { app: server.vault });
    const key = { account: server.account, purpose: "document" };
    expect(problem(await asInstance.rest("POST", "/instances/key-identifiers", key))).toBe(
      "401 invalid-token",
    );
    // An instance's assertion is of another type of party.
    const instance = await InstanceClient.launched(server);
    expect(await refused(server, await instance.assertion())).toBe("400 invalid-client");
  });

  it("W9 refuses what is no registration, and what is too long", async () => {
    const { jwk } = await createDpopKey();
    const off = { ...jwk, x: encodeBase64url(new Uint8Array(32).fill(1)) };
    for (const [name, body] of [
      ["off-the-curve", { jwk: off }],
      ["private", { jwk: { ...jwk, d: jwk.x } }],
      ["another-kind", { jwk: { kty: "oct", k: "AAAA" } }],
      ["Upper", { jwk }],
      ["n".repeat(64), { jwk }],
      ["no-key", {}],
      ["long-app", { jwk, app: "a".repeat(513) }],
    ] as const)
      expect(problem(await ada.rest("PUT", `/admin/clients/${name}`, body)), name).toBe("400 bad-request");
    const app = "https://nobody.example";
    expect(problem(await ada.rest("PUT", "/admin/clients/app", { jwk, app }))).toBe("404 not-found");
    const bob = await EdgeClient.signedIn(system, "Bob");
    expect(problem(await bob.rest("PUT", "/admin/clients/bobs", { jwk }))).toBe("403 forbidden");
    const server = await RegisteredClient.ready(ada, "long");
    expect(await refused(server, `${await server.assertion()}${"A".repeat(5000)}`)).toBe("400 bad-request");
    expect(await refused(server, await server.assertion(), { more: "x".repeat(70_000) })).toBe(
      "413 too-large",
    );
  });
});

async function thumb(client: RegisteredClient): Promise<string> {
  return JSON.parse(new TextDecoder().decode(jwsParts(await client.assertion()).header)).kid as string;
}

it("W9 does not say that a client is removed before its own object has heard, and gets it there after a kill", async () => {
  const server = await RegisteredClient.ready(ada, "held");
  hold("IamPrincipalObject.registered");
  await system.restart();
  const asked = ada.rest("DELETE", "/admin/clients/held").catch(() => null);
  await expect.poll(() => system.log()).toContain("held IamPrincipalObject.registered");
  process.kill(system.pid, "SIGKILL");
  expect((await asked)?.status).not.toBe(204);
  hold();
  await system.restart();
  await expect
    .poll(async () => (await server.rest("GET", "/accounts")).status, { timeout: 60_000 })
    .toBe(401);
  expect(problem(await server.askToken(await server.assertion()))).toBe("400 invalid-client");
});

it("W9 does not say that a client is removed or replaced before the registration authority has ended its instances", async () => {
  const [removed, replaced] = await Promise.all(
    ["deaf-removed", "deaf-replaced"].map((name) => RegisteredClient.ready(ada, name)),
  );
  hold("RaForIam.ended");
  await system.restart();
  const { jwk } = await createDpopKey();
  const [removal, replacement] = await Promise.all([
    ada.rest("DELETE", `/admin/clients/${removed?.name}`),
    ada.rest("PUT", `/admin/clients/${replaced?.name}`, { jwk }),
  ]);
  expect([problem(removal), problem(replacement)]).toEqual(["500 internal", "500 internal"]);
  const again = () => ada.rest("DELETE", `/admin/clients/${removed?.name}`);
  // Nor while the client's own object has heard and says so again.
  for (let times = 0; times < 4; times++) {
    await pause(1500);
    expect(problem(await again())).toBe("500 internal");
  }
  hold();
  await system.restart();
  await expect.poll(async () => (await again()).status, { timeout: 60_000 }).toBe(204);
  const put = () => ada.rest("PUT", `/admin/clients/${replaced?.name}`, { jwk });
  await expect.poll(async () => (await put()).status, { timeout: 60_000 }).toBe(200);
}, 120_000);
