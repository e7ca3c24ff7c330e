/** Two tenants in one worker: everything of one is foreign to the other. */

import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type Client, connect } from "#cli/client.ts";
import { type Hsm, openHsm } from "#edge/hsm/index.ts";
import { getWrapped, toRecipient, underParent } from "#edge/hsm/keys/release.ts";
import { retire } from "#edge/hsm/keys/retire.ts";
import { type AccessTokenClaims, signAccessToken } from "#edge/iam/access-token.ts";
import { tlsTransport } from "#kmip-node/index.ts";
import { decodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { seconds } from "#protocol/clock.ts";
import { IDENTITY, type Identity, KEY, type KeyClass, TRUST_LIST, USAGE } from "#protocol/hierarchy/index.ts";
import { type Edk, thumbprint } from "#protocol/keys/index.ts";
import type { RequestItem } from "#protocol/kmip/index.ts";
import { createProof } from "#web/client/dpop.ts";
import { auditThat } from "../support/audit.ts";
import { answerOf, callDoor, withDoors } from "../support/doors.ts";
import { EdgeClient, newVerifier } from "../support/edge-client.ts";
import { json, problem, send } from "../support/http.ts";
import {
  askGrant,
  type EnrolmentAnswer,
  enrol,
  makeKeys,
  openSession,
  redemption,
} from "../support/instance.ts";
import { readRows, useSystem } from "../system/index.ts";

vi.mock("#cli/parts/index.ts", async (original) => withDoors(await original()));

const system = useSystem({
  otherTenants: ["umbrella"],
  vars: { COFFER_DATA_KEYS_PER_HOUR: "64", COFFER_AUDIT_SECONDS: "1" },
});
/** The same name at each: two people. */
let ann: EdgeClient;
let una: EdgeClient;
let anns: EnrolmentAnswer;
let unas: EnrolmentAnswer;

beforeAll(async () => {
  [ann, una] = await Promise.all([
    EdgeClient.signedIn(system, "Ann"),
    EdgeClient.signedIn(system.tenant("umbrella"), "Ann"),
  ]);
  [anns, unas] = (await Promise.all(
    [ann, una].map(async (client) => json<EnrolmentAnswer>(await enrol(client, await makeKeys()))),
  )) as [EnrolmentAnswer, EnrolmentAnswer];
});

/** `client` with all that it has, at the hosts of the tenant of `host`. */
function at(host: EdgeClient, client: EdgeClient): EdgeClient {
  const there = new EdgeClient({ appOrigin: host.app, vaultOrigin: host.vault });
  there.key = client.key;
  there.tokens = client.tokens;
  there.cookie = there.vaultCookie(client.cookie.split("=")[1]!);
  return there;
}

async function newEdk(client: EdgeClient): Promise<string> {
  const body = { account: client.account, count: 1, purpose: "document" };
  return json<{ edks: string[] }>(await client.rest("POST", "/kms/data-keys", body)).edks[0]!;
}

const claims = (edk: string): Edk => JSON.parse(Buffer.from(edk.split(".")[1]!, "base64url").toString());

const rewrap = (client: EdgeClient, edk: string, certificate: string) =>
  client.rest("POST", "/kms/loads", { way: "rewrap", edk, certificate });

/** A document of nine bytes, all `byte`, under that id. */
async function sealed(client: EdgeClient, id: string, byte: number): Promise<void> {
  const opened = await client.rest("POST", client.documents, { id });
  expect(opened.status).toBe(201);
  const part = json(
    await client.rest("PUT", `${client.documents}/${id}/parts/1`, new Uint8Array(9).fill(byte)),
  );
  await client.rest("PUT", `${client.documents}/${id}/metadata`, new Uint8Array(9).fill(byte));
  const done = await client.rest("POST", `${client.documents}/${id}/complete`, { parts: [part], size: 9 });
  expect(done.status).toBe(200);
}

/** The HSM as a domain of the edge reaches it. */
async function withHsm<T>(identity: Identity, use: (hsm: Hsm) => Promise<T>): Promise<T> {
  const { hsm, pki } = system.running;
  const port = hsm.ttlvPort;
  const transport = tlsTransport({ host: "127.0.0.1", port, ca: pki.serverCa, ...pki.clients[identity] });
  const fetch = async (_: unknown, init?: { body?: unknown }) =>
    new Response(new Uint8Array(await transport.exchange(init?.body as Uint8Array)));
  try {
    return await use(openHsm({ fetch } as never, "https://hsm/kmip"));
  } finally {
    await transport.close();
  }
}

describe("hosts", () => {
  it("tell every origin what is its own tenant's, and nothing of the other", async () => {
    for (const [own, other] of [
      [ann, una],
      [una, ann],
    ] as const) {
      for (const [origin, path] of [
        [own.app, "/"],
        [own.vault, "/"],
        [own.vault, `/authorize?${await own.query(newVerifier())}`],
        [own.vault, "/account"],
        [own.vault, "/configuration.json"],
        [own.vault, "/.well-known/oauth-authorization-server"],
        [own.app, "/.well-known/oauth-protected-resource"],
        [own.app, "/openapi.json"],
      ] as const) {
        const { status, headers, text } = await send(origin + path, { headers: { cookie: own.cookie } });
        expect(status, path).toBe(200);
        const told = JSON.stringify(headers) + (path === "/" ? "" : text);
        expect(told.includes(other.app) || told.includes(other.vault), origin + path).toBe(false);
        if (path !== "/account")
          expect(told.includes(own.app) || told.includes(own.vault), origin + path).toBe(true);
      }
    }
  });

  it("lead no app of the other tenant to a code", async () => {
    const query = await ann.query(newVerifier());
    expect((await una.authorize(query)).status).toBe(400);
    const form = { continue: query, ticket: "" };
    const posted = await una.form(`${una.vault}/authorize`, form, { origin: una.vault, cookie: una.cookie });
    expect(posted.headers.location).toBeUndefined();
    const left = { method: "POST", headers: { origin: ann.app, cookie: una.cookie } };
    expect(problem(await send(`${una.vault}/sign-out`, left))).toBe("403 foreign-origin");
    expect((await send(`${una.vault}/session`, { headers: { cookie: una.cookie } })).status).toBe(200);
  });
});

describe("people", () => {
  it("of one name are two, with accounts of their own", () => {
    expect([ann, una].map(({ tokens }) => tokens.tenant)).toEqual(["development", "umbrella"]);
    expect(ann.tokens.user.id).not.toBe(una.tokens.user.id);
    expect(ann.account).not.toBe(una.account);
    expect(una.tokens.custodian.dn).toBe(`CN=${una.tokens.user.id},OU=${una.app},O=umbrella`);
  });

  it("have a session at their own vault alone", async () => {
    const there = at(una, ann);
    const asked = { headers: { cookie: there.cookie } };
    expect(problem(await send(`${una.vault}/session`, asked))).toBe("401 no-session");
    expect(problem(await there.vaultPost("/ra/enrolments", {}))).toBe("401 no-session");
    expect((await there.authorize(await una.query(newVerifier()))).text).not.toContain("Continue as");
    expect((await una.authorize(await una.query(newVerifier()))).text).toContain("Continue as");
    // Ends nothing at home.
    await send(`${una.vault}/sign-out`, { method: "POST", headers: { ...asked.headers, origin: una.vault } });
    const home = json(await send(`${ann.vault}/session`, { headers: { cookie: ann.cookie } }));
    expect(home).toMatchObject({ tenant: "development", user: ann.tokens.user.id });
  });
});

describe("tokens", () => {
  it.each<[method: string, path: string, body?: object]>([
    ["GET", "/ra/instances"],
    ["POST", "/ra/grants", {}],
    ["GET", "/accounts/x/documents"],
    ["POST", "/kms/data-keys", { account: "x", count: 1, purpose: "document" }],
  ])("of one open nothing of the other: %s %s", async (method, path, body) => {
    expect(problem(await at(una, ann).rest(method, path, body))).toBe("401 invalid-token");
    expect(problem(await at(ann, una).rest(method, path, body))).toBe("401 invalid-token");
  });

  it("name the tenant of the host, whatever else is right about them", async () => {
    const claimed = async (tenant: string): Promise<string> => {
      const iat = seconds(Date.now());
      const { user, custodian } = una.tokens;
      const granted: AccessTokenClaims = {
        ...{ iss: una.vault, aud: una.app, sub: user.id, client_id: "page", iat, exp: iat + 60 },
        ...{ jti: crypto.randomUUID(), cnf: { jkt: await thumbprint(una.key.jwk) }, tenant },
        custodian: custodian.dn,
      };
      const there = at(una, una);
      const access_token = await withHsm(IDENTITY.iam, (hsm) => signAccessToken(hsm, granted));
      there.tokens = { ...una.tokens, access_token };
      const answer = await there.rest("GET", "/ra/instances");
      return answer.status === 200 ? "200" : problem(answer);
    };
    expect(await claimed("umbrella")).toBe("200");
    expect(await claimed("development")).toBe("401 invalid-token");
    expect(await claimed("nobody")).toBe("401 invalid-token");
  });

  it("are not given for the other's code, which stays good at home", async () => {
    const verifier = newVerifier();
    const code = await ann.code(verifier);
    const there = at(una, ann);
    const home = `${ann.app}/`;
    expect(problem(await there.exchange(code, verifier))).toBe("400 invalid-grant");
    for (const client_id of ["page", una.app])
      expect(problem(await there.exchange(code, verifier, { client_id, redirect_uri: home }))).toBe(
        "400 invalid-grant",
      );
    expect(problem(await there.exchange(code, verifier, { client_id: ann.app }))).toBe("400 invalid-client");
    expect((await ann.exchange(code, verifier)).status).toBe(200);
  });

  it("are not given for the other's refresh token, which stays good at home", async () => {
    const there = at(una, ann);
    const { refresh_token } = ann.tokens;
    expect(problem(await there.refresh(refresh_token))).toBe("400 invalid-grant");
    const again = await ann.refresh(refresh_token);
    expect(again.status).toBe(200);
    ann.tokens = json(again);
  });

  it("come with a proof for this tenant's address", async () => {
    const accessToken = una.tokens.access_token;
    const dpop = await createProof(una.key, { method: "GET", url: `${ann.app}/ra/instances`, accessToken });
    expect(problem(await una.rest("GET", "/ra/instances", undefined, { dpop }))).toBe("401 invalid-proof");
  });
});

describe("enrolment", () => {
  it("takes no grant of the other, which stays good at home", async () => {
    const grant = await askGrant(ann);
    const there = await openSession(una);
    const keys = await makeKeys();
    const body = await redemption(grant, there.nonce, keys);
    expect(problem(await una.vaultPost(`/ra/enrolments/${there.id}`, body))).toBe("403 foreign-custodian");
    const home = await openSession(ann);
    const again = await redemption(grant, home.nonce, keys);
    expect((await ann.vaultPost(`/ra/enrolments/${home.id}`, again)).status).toBe(200);
  });

  it("takes no session of the other", async () => {
    const [grant, { id, nonce }] = [await askGrant(una), await openSession(ann)];
    const body = await redemption(grant, nonce, await makeKeys());
    expect(problem(await una.vaultPost(`/ra/enrolments/${id}`, body))).toBe("400 invalid-grant");
  });

  it("lists and ends instances of its own tenant alone", async () => {
    const listed = json<{ instances: { id: string }[] }>(await una.rest("GET", "/ra/instances"));
    expect(listed.instances.map(({ id }) => id)).toEqual([unas.instance]);
    expect(problem(await una.rest("DELETE", `/ra/instances/${anns.instance}`))).toBe("404 not-found");
    expect((await rewrap(ann, await newEdk(ann), anns.wrappingCertificate)).status).toBe(200);
  });
});

describe("keys", () => {
  it("are released by their own tenant to its own instances alone", async () => {
    const [edkOfAnn, edkOfUna] = [await newEdk(ann), await newEdk(una)];
    expect([edkOfAnn, edkOfUna].map((edk) => claims(edk).tenant)).toEqual(["development", "umbrella"]);
    expect(problem(await rewrap(una, edkOfAnn, unas.wrappingCertificate))).toBe("403 forbidden");
    expect(problem(await rewrap(una, edkOfAnn, anns.wrappingCertificate))).toBe("403 forbidden");
    expect(problem(await rewrap(una, edkOfUna, anns.wrappingCertificate))).toBe("403 not-recipient");
    expect(problem(await rewrap(ann, edkOfAnn, unas.wrappingCertificate))).toBe("403 not-recipient");
    expect((await rewrap(una, edkOfUna, unas.wrappingCertificate)).status).toBe(200);
  });

  it("are made, exported and stored for accounts of its own tenant alone", async () => {
    const { account } = ann;
    for (const [method, path, body] of [
      ["POST", "/kms/data-keys", { account, count: 1, purpose: "document" }],
      ["POST", "/kms/exports", { account, documents: [crypto.randomUUID()] }],
      ["POST", `/accounts/${account}/documents`, {}],
      ["GET", `/accounts/${account}/documents`],
    ] as const)
      expect(problem(await una.rest(method, path, body)), path).toBe("403 forbidden");
  });

  it("are not wrapped by the HSM to a recipient of the other, even for code that holds the KMS's identity", async () => {
    const { accountKey, wrappedKey } = claims(await newEdk(ann));
    const [{ wrapped, master }] = readRows(system.edgeDir, "account_keys").filter(
      ({ id }) => id === accountKey!.id,
    ) as unknown as [{ wrapped: Uint8Array; master: string }];
    const dataKey = decodeBase64url(wrappedKey);
    const to = (instance: string) =>
      withHsm(IDENTITY.kms, async (hsm) => {
        const [account, data] = [crypto.randomUUID(), crypto.randomUUID()];
        const row = readRows(system.edgeDir, "instances").find(({ id }) => id === instance)!;
        const answers = await hsm.batch(
          [
            importWrapped(account, new Uint8Array(wrapped), master, "account"),
            importWrapped(data, dataKey, account, "data"),
            getWrapped(toRecipient(String(row.hsm_key)), data),
            ...retire(data),
            ...retire(account),
          ],
          { batchErrorContinuationOption: "Continue", batchOrderOption: true },
        );
        return answers.map(({ resultStatus, resultReason }) => resultReason ?? resultStatus);
      });
    const done = Array(7).fill("Success");
    expect(await to(anns.instance)).toEqual(done);
    expect(await to(unas.instance)).toEqual(done.with(2, "PermissionDenied"));
  });

  it("are signed with the deployment's keys, which the one trust list names", async () => {
    const list = await withHsm(IDENTITY.kms, (hsm) => hsm.opaque(TRUST_LIST));
    expect([anns.trust, unas.trust]).toEqual([new TextDecoder().decode(list), anns.trust]);
  });
});

describe("documents", () => {
  const id = crypto.randomUUID().replace(/^(.{14})4/, "$18");

  it("are nobody's at the other tenant, and one id is two documents", async () => {
    await sealed(ann, id, 1);
    const all = [
      ["GET", "content"],
      ["GET", "metadata"],
      ["PUT", "metadata", new Uint8Array(5)],
      ["PUT", "parts/1", new Uint8Array(5)],
      ["POST", "complete", { parts: [{ part: 1, etag: "x" }], size: 9 }],
      ["DELETE", ""],
    ] as const;
    for (const [account, answer] of [
      [una, "404 not-found"],
      [ann, "403 forbidden"],
    ] as const)
      for (const [method, what, body] of all) {
        const path = `${account.documents}/${id}/${what}`.replace(/\/$/, "");
        expect(problem(await una.rest(method, path, body)), `${method} ${path}`).toBe(answer);
      }
    await sealed(una, id, 2);
    const content = async (client: EdgeClient) =>
      (await client.rest("GET", `${client.documents}/${id}/content`)).bytes;
    expect([...(await content(ann))]).toEqual(Array(9).fill(1));
    expect([...(await content(una))]).toEqual(Array(9).fill(2));
    expect((await una.rest("DELETE", `${una.documents}/${id}`)).status).toBe(204);
    expect([...(await content(ann))]).toEqual(Array(9).fill(1));
    const listed = json<{ documents: unknown[] }>(await una.rest("GET", una.documents));
    expect(listed.documents).toEqual([]);
  });
});

describe("bounds", () => {
  it("of one are not used up by the other", async () => {
    const [eve, eva] = await Promise.all([
      EdgeClient.signedIn(system, "Eve"),
      EdgeClient.signedIn(system.tenant("umbrella"), "Eve"),
    ]);
    const ask = (client: EdgeClient) =>
      client.rest("POST", "/kms/data-keys", { account: client.account, count: 16, purpose: "document" });
    for (let i = 0; i < 4; i++) expect((await ask(eve)).status).toBe(201);
    expect(problem(await ask(eve))).toBe("429 too-many-requests");
    expect((await ask(eva)).status).toBe(201);
  });
});

describe("audit", () => {
  it("keeps each tenant's decisions in chains and a log of its own, whose signed root names it", async () => {
    for (const [tenant, own, other] of [
      ["development", ann, una],
      ["umbrella", una, ann],
    ] as const) {
      await newEdk(own);
      const { text, verified } = await auditThat(system, tenant, (entries) =>
        entries.some(({ action, user }) => action === "kms:data-keys" && user === own.tokens.user.id),
      );
      expect(verified).toMatchObject({ tenant, root: { tenant } });
      expect(text).toContain(own.account);
      for (const foreign of [other.tokens.user.id, `O=${other.tokens.tenant}`])
        expect(text.includes(foreign), `${foreign} in the audit of ${tenant}`).toBe(false);
    }
  });

  it("has no chain for what is no tenant's name", async () => {
    const row = { outbox: 1, time: "t", action: "a", resource: "r", outcome: "allow", requestId: "q" };
    for (const tenant of ["", "Umbrella", "umbrella/x", "a,O=b"]) {
      const batch = { tenant, source: "gateway/x", epoch: crypto.randomUUID(), rows: [row] };
      expect(await answerOf(callDoor(system, "AUDIT_GATEWAY.append", batch)), tenant).toBe("forbidden");
    }
  });
});

describe("the kit", () => {
  const clients: Client[] = [];
  const open = async (origins: { appOrigin: string; vaultOrigin: string }) => {
    const { appOrigin: app, vaultOrigin: vault } = origins;
    const client = await connect({ app, vault, rootKey: system.running.rootKey, user: "Kit" });
    clients.push(client);
    return client;
  };
  afterAll(() => {
    for (const client of clients) client.close();
  });
  const seal = (client: Client, text: string) => {
    const options = { name: `${text}.txt`, type: "text/plain", size: text.length };
    return client.documents.seal(new Blob([utf8(text)]).stream(), client.identity.accounts[0]!.id, options);
  };
  const read = async (client: Client, id: string) =>
    new Response((await client.documents.open(id)).stream).text();

  it("loads no key with a receipt of the other tenant", async () => {
    const { port } = await (await open(system.tenant("umbrella"))).microservice.use();
    const edk = await newEdk(ann);
    const released = json<{ wrappedKey: string; receipt: string }>(
      await rewrap(ann, edk, anns.wrappingCertificate),
    );
    await expect(port.load({ way: "rewrap", edk, ...released })).rejects.toMatchObject({
      code: "key-refused",
    });
  });

  it("seals and opens at each, after a restart too, and at the other not at all", async () => {
    const [one, two] = await Promise.all([open(system), open(system.tenant("umbrella"))]);
    const [first, second] = [await seal(one, "first"), await seal(two, "second")];
    await system.restart();
    const [one2, two2] = await Promise.all([open(system), open(system.tenant("umbrella"))]);
    expect([one2, two2].map(({ identity }) => identity.user.id)).toEqual(
      [one, two].map(({ identity }) => identity.user.id),
    );
    expect([await read(one2, first.id), await read(two2, second.id)]).toEqual(["first", "second"]);
    await expect(read(two2, first.id)).rejects.toMatchObject({ code: "not-found" });
    await expect(read(one2, second.id)).rejects.toMatchObject({ code: "not-found" });
  });
});

/** As the KMS imports a key, but under a random name alone. */
function importWrapped(
  uniqueIdentifier: string,
  keyMaterial: Uint8Array<ArrayBuffer>,
  wrappedBy: string,
  keyClass: KeyClass,
) {
  const keyWrappingData = underParent(wrappedBy);
  return {
    operation: "Import",
    payload: {
      ...{ uniqueIdentifier, objectType: "SymmetricKey", replaceExisting: false, keyWrapType: "NotWrapped" },
      attributes: {
        ...KEY,
        cryptographicUsageMask: [...USAGE[keyClass]],
        sensitive: true,
        activationDate: new Date(Date.now() - 300_000),
      },
      object: {
        symmetricKey: {
          keyBlock: { keyFormatType: "Raw", keyValue: { keyMaterial }, ...KEY, keyWrappingData },
        },
      },
    },
  } satisfies RequestItem as RequestItem;
}
