/** What the edge really answers, on workerd, against the contract that it publishes. */

import { createHash } from "node:crypto";
import { beforeAll, expect, it } from "vitest";
import { EmulatedAuthenticator } from "#emulator/enclave/index.ts";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { utf8 } from "#protocol/bytes.ts";
import { contract, type OperationId, problems, problemsOf, type Route } from "#protocol/contract/index.ts";
import { jwsParts } from "#protocol/jws.ts";
import type { Edk, KeyAlgorithm } from "#protocol/keys/index.ts";
import { createDpopKey } from "#web/client/dpop.ts";
import { sayOperations } from "../hosts/caas.ts";
import { kindOf } from "../hosts/kind.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { type Answer, json, send } from "../support/http.ts";
import { type EnrolmentAnswer, enrol, makeKeys, redemption, renewalOf } from "../support/instance.ts";
import { InstanceClient } from "../support/instance-client.ts";
import { mistakes } from "../support/json-schema.ts";
import { presentation } from "../support/presentation.ts";
import { RegisteredClient } from "../support/registered-client.ts";
import { retainedRequest } from "../support/retained.ts";
import { openChannel, sealSeed, seedOrder } from "../support/seed.ts";
import { changeRows, useSystem } from "../system/index.ts";

type Described = { content?: Record<string, { schema?: Record<string, unknown> }> };
type Published = {
  paths: Record<string, Record<string, { responses: Record<string, Described>; requestBody?: Described }>>;
};

const system = useSystem({
  otherTenants: ["ladder", "rung"],
  levels: { ladder: "master", rung: "account" },
  admins: ["Ann"],
});
let ann: EdgeClient;
let published: Published;
const seen = new Map<OperationId, Set<number>>();

beforeAll(async () => {
  ann = await EdgeClient.signedIn(system, "Ann");
  published = json(await send(`${ann.app}/openapi.json`));
});

function operationOf(id: OperationId) {
  const { path, method } = contract[id];
  return published.paths[path]![method.toLowerCase()]!;
}

/** Holds an answer against what is published for its operation; nothing may be in it that is not named there. */
function hold(id: OperationId, answer: Answer, ...statuses: number[]): Answer {
  const { status, headers, bytes } = answer;
  const what = `${id} ${status} ${bytes.subarray(0, 300)}`;
  expect(statuses, what).toContain(status);
  const described = operationOf(id).responses[status];
  expect(described, what).toBeDefined();
  const [type, { schema } = {}] = Object.entries(described!.content ?? {})[0] ?? [];
  expect(headers["content-type"], what).toBe(type);
  if (type === undefined) expect(bytes.length, what).toBe(0);
  if (schema) expect(mistakes(published, schema, json(answer), { closed: true }), what).toEqual([]);
  seen.set(id, (seen.get(id) ?? new Set()).add(status));
  return answer;
}

/** A request of the contract's own shape, so that what the tests send is what is published. */
function asPublished<T extends object>(id: OperationId, body: T): T {
  const { schema } = Object.values(operationOf(id).requestBody!.content!)[0]!;
  expect(mistakes(published, schema!, body), id).toEqual([]);
  return body;
}

const get = (url: string, headers: Record<string, string> = {}) => send(url, { headers });

it("M16 has a page for people with every route and every code of a problem, without a script", async () => {
  const { status, headers, bytes } = await get(`${ann.app}/openapi.html`);
  expect(status).toBe(200);
  expect(headers["content-type"]).toBe("text/html; charset=UTF-8");
  const page = bytes.toString();
  const style = /<style>([^<]*)<\/style>/.exec(page)?.[1] ?? "";
  const hash = createHash("sha256").update(style).digest("base64");
  const policy = String(headers["content-security-policy"]).split("; ");
  expect(policy).toEqual(expect.arrayContaining(["default-src 'none'", `style-src 'sha256-${hash}'`]));
  expect(policy.filter((directive) => directive.startsWith("script-src"))).toEqual([]);
  expect(page).not.toMatch(/<script|<iframe|<link|\ssrc=|\son[a-z]+=|\sstyle=/i);
  for (const [id, { method, path }] of Object.entries<Route>(contract)) {
    const [, section = ""] = page.split(`<section id="${id}">`);
    expect(section.slice(0, 200), id).toContain(`<h2><code>${method} ${path}</code></h2>`);
    for (const code of problemsOf(contract[id as OperationId]))
      expect(section.split("</section>", 1)[0], id).toContain(`<a href="#problem-${code}">${code}</a>`);
  }
  for (const [code, { status, title }] of Object.entries(problems)) {
    const [, row = ""] = page.split(`<tr id="problem-${code}">`);
    expect(row.split("</tr>", 1)[0], code).toContain(
      `<td>${status}</td><td>${title.replaceAll("'", "&#39;")}</td>`,
    );
  }
  const ids = new Set([...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
  const links = [...page.matchAll(/ href="#([^"]+)"/g)].map(([, id]) => id);
  expect(links.length).toBeGreaterThan(ids.size);
  expect(links.filter((id) => !ids.has(id))).toEqual([]);
  expect((await send(`${ann.vault}/openapi.html`)).status).toBe(404);
});

it("tells clients where to go", async () => {
  hold("openApi", await get(`${ann.app}/openapi.json`), 200);
  hold("protectedResource", await get(`${ann.app}/.well-known/oauth-protected-resource`), 200);
  hold("authorizationServer", await get(`${ann.vault}/.well-known/oauth-authorization-server`), 200);
  hold("vaultConfiguration", await get(`${ann.vault}/configuration.json`), 200);
  hold("readFirstRevocationList", await get(`${ann.vault}/ra/revocations`), 404);
  const lists = json<{ lists: string[] }>(
    hold("listRevocationLists", await get(`${ann.vault}/ra/revocation-lists`), 200),
  );
  hold("readRevocationList", await get(lists.lists[255]!), 200);
  hold("readRevocationList", await get(`${ann.vault}/ra/revocations/256`), 400);
  // As in a folder of an earlier release, whose certificates name it.
  changeRows(system.edgeDir, "split", "INSERT INTO split VALUES (unixepoch(), 3600)");
  hold("readFirstRevocationList", await get(`${ann.vault}/ra/revocations`), 200);
  hold("openApi", await get(`${ann.app}/openapi.json?${"x".repeat(9000)}`), 414);
});

it("signs in and out", async () => {
  const bob = await EdgeClient.signedIn(system, "Bob");
  hold("session", await get(`${bob.vault}/session`, { cookie: bob.cookie }), 200);
  hold("session", await get(`${bob.vault}/session`), 401);
  hold("session", await get(`${bob.vault}/session`, { origin: bob.app, cookie: bob.cookie }), 403);
  const refreshed = hold("token", await bob.refresh(bob.tokens.refresh_token), 200);
  expect(json(refreshed).token_type).toBe("DPoP");
  hold("token", await bob.refresh("none"), 400);
  hold("token", await bob.refresh(""), 400);
  const own = { origin: bob.app };
  hold("token", await bob.form(`${bob.app}/token`, { grant_type: "password" }, own), 400);
  const form = { grant_type: "refresh_token", client_id: bob.app, refresh_token: "x" };
  hold("token", await bob.form(`${bob.app}/token`, asPublished("token", form), own), 401);
  hold("token", await send(`${bob.app}/token`, { method: "POST" }), 415);
  hold("signOut", await bob.vaultPost("/sign-out", {}, { origin: "https://evil.example" }), 403);
  hold("signOut", await bob.vaultPost("/sign-out", {}), 204);
});

it("enrols, makes keys and rewraps them", async () => {
  const keys = await makeKeys();
  const { grant } = json<{ grant: string }>(
    hold("issueGrant", await ann.rest("POST", "/ra/grants", {}), 201),
  );
  hold("issueGrant", await send(`${ann.app}/ra/grants`, { method: "POST" }), 401);
  const custodian = JSON.parse(
    Buffer.from(ann.tokens.access_token.split(".")[1]!, "base64url").toString(),
  ).custodian;
  const order = asPublished("issueSecretZero", { custodian, life: 60 });
  hold("issueSecretZero", await ann.rest("POST", "/ra/secret-zeros", order), 201);
  hold("issueSecretZero", await ann.rest("POST", "/ra/secret-zeros", { custodian: "CN=nobody" }), 403);
  hold("issueSecretZero", await ann.rest("POST", "/ra/secret-zeros", {}), 400);
  const attested = asPublished("openAttestation", { custodian });
  hold("openAttestation", await ann.rest("POST", "/ra/attestations", attested), 201);
  hold("openAttestation", await ann.rest("POST", "/ra/attestations", { custodian: "CN=nobody" }), 403);
  const page = { vault: ann.vault, app: ann.app };
  const device = new EmulatedAuthenticator();
  const { challenge } = json<{ challenge: string }>(
    hold("openPasskey", await ann.vaultPost("/ra/passkeys/challenges", {}), 201),
  );
  hold("openPasskey", await ann.vaultPost("/ra/passkeys/challenges", {}, { cookie: "" }), 401);
  const passkeyMade = await device.register(challenge, page);
  const passkey = asPublished("registerPasskey", { challenge, ...passkeyMade });
  hold("registerPasskey", await ann.vaultPost("/ra/passkeys", passkey), 201);
  hold("registerPasskey", await ann.vaultPost("/ra/passkeys", passkey), 400);
  hold("registerPasskey", await ann.vaultPost("/ra/passkeys", passkey, { origin: ann.app }), 403);
  hold("listPasskeys", await ann.rest("GET", "/ra/passkeys"), 200);
  hold("removePasskey", await ann.rest("DELETE", `/ra/passkeys/${passkeyMade.id}`), 204);
  hold("removePasskey", await ann.rest("DELETE", `/ra/passkeys/${passkeyMade.id}`), 404);
  const opened = hold("openEnrolment", await ann.vaultPost("/ra/enrolments", {}), 201);
  hold("openEnrolment", await ann.vaultPost("/ra/enrolments", {}, { cookie: "" }), 401);
  hold("openEnrolment", await ann.vaultPost("/ra/enrolments", {}, { origin: ann.app }), 403);
  const { id, nonce } = json<{ id: string; nonce: string }>(opened);
  const body = asPublished("redeemEnrolment", await redemption(grant, nonce, keys));
  hold("redeemEnrolment", await ann.vaultPost(`/ra/enrolments/${id}`, { ...body, more: 1 }), 400);
  const enrolled = hold("redeemEnrolment", await ann.vaultPost(`/ra/enrolments/${id}`, body), 200);
  hold("redeemEnrolment", await ann.vaultPost(`/ra/enrolments/${id}`, body), 400);
  const { wrappingCertificate, identityCertificate, instance } = json<{
    wrappingCertificate: string;
    identityCertificate: string;
    instance: string;
  }>(enrolled);
  const name = (certificate: string) => ann.rest("PUT", `/iam/instances/${instance}`, { certificate });
  const renewal = asPublished("renewEnrolment", await renewalOf(json(enrolled), keys));
  hold("renewEnrolment", await ann.vaultPost("/ra/renewals", { ...renewal, more: 1 }), 400);
  hold("renewEnrolment", await ann.vaultPost("/ra/renewals", renewal), 400);
  // As it were later in its life, and ended before the sign-in does.
  const later = "UPDATE instances SET enrolled = enrolled - 90000, not_after = not_after - 3600";
  changeRows(system.edgeDir, "instances", later);
  hold("renewEnrolment", await ann.vaultPost("/ra/renewals", renewal, { cookie: "" }), 200);
  hold("nameInstance", await name(identityCertificate), 204);
  hold("nameInstance", await name(wrappingCertificate), 400);
  hold("listInstances", await ann.rest("GET", "/ra/instances"), 200);

  const wanted = asPublished("makeDataKeys", { account: ann.account, count: 2, purpose: "document" });
  const made = hold("makeDataKeys", await ann.rest("POST", "/kms/data-keys", wanted), 201);
  hold("makeDataKeys", await ann.rest("POST", "/kms/data-keys", { ...wanted, count: 17 }), 400);
  hold("makeDataKeys", await ann.rest("POST", "/kms/data-keys", { ...wanted, account: "other" }), 403);
  const managed = `/kms/accounts/${ann.account}/keys`;
  const listed = json<{ keys: { key: string }[] }>(hold("listKeys", await ann.rest("GET", managed), 200));
  hold("listKeys", await ann.rest("GET", `${managed}?state=lost`), 400);
  const kept = `/kms/accounts/${ann.account}/kept-keys`;
  hold("readKeptKeys", await ann.rest("GET", kept), 200);
  hold("readKeptKeys", await ann.rest("GET", `${kept}?instance=another`), 403);
  hold("readKeptKeys", await ann.rest("GET", "/kms/accounts/other/kept-keys"), 403);
  const one = `${managed}/${listed.keys[0]?.key}`;
  hold("describeKey", await ann.rest("GET", one), 200);
  hold("describeKey", await ann.rest("GET", `${managed}/none.1`), 404);
  hold("changeKey", await ann.rest("PUT", one, asPublished("changeKey", { tags: { matter: "1" } })), 200);
  hold("changeKey", await ann.rest("PUT", one, { state: "lost" }), 400);
  const owned = await ann.rest("POST", "/kms/data-keys", { count: 1, purpose: "document" });
  const own = jwsParts(json<{ edks: string[] }>(owned).edks[0]!).payload;
  const { keyId, keyVersion } = JSON.parse(new TextDecoder().decode(own)) as Edk;
  const end = `/kms/own-keys/${keyId}.${keyVersion}`;
  hold("listOwnKeys", await ann.rest("GET", "/kms/own-keys"), 200);
  hold("listOwnKeys", await ann.rest("GET", "/kms/own-keys?state=lost"), 400);
  hold("describeOwnKey", await ann.rest("GET", end), 200);
  hold("describeOwnKey", await ann.rest("GET", "/kms/own-keys/none.1"), 404);
  hold("changeOwnKey", await ann.rest("PUT", end, asPublished("changeOwnKey", { ends: null })), 200);
  hold("changeOwnKey", await ann.rest("PUT", end, { ends: 1 }), 409);
  hold("changeOwnKey", await ann.rest("PUT", "/kms/own-keys/none.1", { ends: null }), 404);
  const edk = json<{ edks: string[] }>(made).edks[0]!;
  const asked = asPublished("loadKey", { way: "rewrap", edk, certificate: wrappingCertificate });
  hold("loadKey", await ann.rest("POST", "/kms/loads", asked), 200);
  hold("loadKey", await ann.rest("POST", "/kms/loads", { ...asked, edk: "x" }), 400);
  hold("loadKey", await ann.rest("POST", "/kms/loads", { ...asked, certificate: "AAAA" }), 403);
  const certificate = wrappingCertificate;
  const several = asPublished("loadKey", { way: "several", edks: [edk], certificate });
  hold("loadKey", await ann.rest("POST", "/kms/loads", several), 200);
  const wantedGrant = asPublished("grantKeys", { edks: [edk], certificate });
  const granted = hold("grantKeys", await ann.rest("POST", "/kms/grants", wantedGrant), 201);
  hold("grantKeys", await ann.rest("POST", "/kms/grants", { ...wantedGrant, certificate: "AAAA" }), 403);
  hold("grantKeys", await ann.rest("POST", "/kms/grants", { ...wantedGrant, edks: [] }), 400);
  const instanceOf = { keys, enrolled: json<EnrolmentAnswer>(enrolled) };
  const presented = await presentation(instanceOf, json<{ grant: string }>(granted).grant, [edk]);
  const shown = asPublished("presentGrant", presented.body);
  hold("presentGrant", await ann.vaultPost("/presentations", shown), 200);
  hold("presentGrant", await ann.vaultPost("/presentations", shown), 400);
  hold("presentGrant", await ann.vaultPost("/presentations", shown, { origin: ann.app }), 403);
  const seed = utf8("a seed for the contract");
  const seeding = { account: ann.account, count: 1, purpose: "document", seed: await seedOrder(seed) };
  const ordered = await ann.rest("POST", "/kms/data-keys", asPublished("makeDataKeys", seeding));
  const { edks } = json<{ edks: string[] }>(hold("makeDataKeys", ordered, 201));
  const seeds = { client: ann, ...instanceOf };
  const channel = await openChannel(seeds, edks);
  asPublished("openSeedChannel", channel.made.body);
  hold("openSeedChannel", channel.answer, 200);
  hold("openSeedChannel", await ann.vaultPost("/seed-channels", channel.made.body), 400);
  const sealed = asPublished("presentSeed", await sealSeed(seeds, channel, seed));
  hold("presentSeed", await ann.vaultPost("/seed-presentations", sealed), 200);
  hold("presentSeed", await ann.vaultPost("/seed-presentations", sealed), 400);
  const retaining = asPublished("makeDataKeys", {
    ...{ account: ann.account, count: 1, purpose: "document", custody: "kms" },
  });
  hold("makeDataKeys", await ann.rest("POST", "/kms/data-keys", retaining), 201);
  const wantedKeys = asPublished("loadRetainedKeys", await retainedRequest({ client: ann, ...instanceOf }));
  hold("loadRetainedKeys", await ann.vaultPost("/retained-keys", wantedKeys), 200);
  hold("loadRetainedKeys", await ann.vaultPost("/retained-keys", wantedKeys), 400);
  hold("loadRetainedKeys", await ann.vaultPost("/retained-keys", { ...wantedKeys, instance: "x" }), 403);
  const documents = [crypto.randomUUID()];
  const wantedExport = asPublished("orderExport", { account: ann.account, documents });
  hold("orderExport", await ann.rest("POST", "/kms/exports", wantedExport), 201);
  hold("orderExport", await ann.rest("POST", "/kms/exports", { ...wantedExport, account: "other" }), 403);

  hold("beginRotation", await ann.rest("POST", "/kms/rotation"), 200);
  hold("readRotation", await ann.rest("GET", "/kms/rotation"), 200);

  hold("revokeInstance", await ann.rest("DELETE", `/ra/instances/${instance}`), 204);
  hold("revokeInstance", await ann.rest("DELETE", "/ra/instances/none"), 404);
});

it("keeps documents", async () => {
  const wanted = asPublished("openUpload", { id: crypto.randomUUID() });
  const { id } = json<{ id: string }>(hold("openUpload", await ann.rest("POST", ann.documents, wanted), 201));
  hold("openUpload", await ann.rest("POST", ann.documents, { ...wanted, id: "x" }), 400);
  hold("openUpload", await ann.rest("POST", "/accounts/other/documents", wanted), 403);
  const short = asPublished("storeDocument", { content: "AAAA", metadata: "BBBB" });
  const other = `${id.slice(0, -1)}${id.endsWith("0") ? "1" : "0"}`;
  hold("storeDocument", await ann.rest("PUT", `${ann.documents}/${other}`, short), 201);
  const changed = { ...short, content: "AAAB" };
  hold("storeDocument", await ann.rest("PUT", `${ann.documents}/${other}`, changed), 409);
  hold("storeDocument", await ann.rest("PUT", `/accounts/other/documents/${other}`, short), 403);
  const at = `${ann.documents}/${id}`;
  const part = hold("uploadPart", await ann.rest("PUT", `${at}/parts/1`, new Uint8Array(9)), 200);
  hold("uploadPart", await ann.rest("PUT", `${at}/parts/0`, new Uint8Array(9)), 400);
  hold("uploadPart", await ann.rest("PUT", `${ann.documents}/none/parts/1`, new Uint8Array(9)), 404);
  const completion = asPublished("completeUpload", {
    parts: [json<{ part: number; etag: string }>(part)],
    size: 9,
  });
  hold("completeUpload", await ann.rest("POST", `${at}/complete`, completion), 409);
  hold("putMetadata", await ann.rest("PUT", `${at}/metadata`, new Uint8Array(9)), 204);
  hold("putMetadata", await ann.rest("PUT", `${at}/metadata`, new Uint8Array(65_537)), 413);
  hold("putMetadata", await ann.rest("PUT", `${at}/metadata`, {}), 415);
  const { edk } = json<{ edk: string }>(
    hold("metadataKey", await ann.rest("POST", `/kms/accounts/${ann.account}/metadata-key`), 200),
  );
  hold("metadataKey", await ann.rest("POST", "/kms/accounts/other/metadata-key"), 403);
  const listed = asPublished("putListed", { edk, documents: [{ id, sealed: "AAAA" }] });
  const names = `/accounts/${ann.account}/listed-metadata`;
  hold("putListed", await ann.rest("PUT", names, listed), 204);
  hold("putListed", await ann.rest("PUT", names, { ...listed, edk: "none" }), 400);
  hold("putListed", await ann.rest("PUT", "/accounts/other/listed-metadata", listed), 403);
  const versions = `/kms/accounts/${ann.account}/document-versions`;
  const version = { document: id, version: 1, messageId: "A".repeat(43), headerDigest: "A".repeat(43) };
  const change = asPublished("putVersions", { rows: [version], founded: true });
  hold("putVersions", await ann.rest("POST", versions, change), 200);
  hold("putVersions", await ann.rest("POST", versions, { rows: [{ ...version, version: 3 }] }), 200);
  hold("putVersions", await ann.rest("POST", versions, { rows: [{ ...version, version: 0 }] }), 400);
  hold("putVersions", await ann.rest("POST", "/kms/accounts/other/document-versions", change), 403);
  hold("readVersions", await ann.rest("GET", `${versions}?after=0`), 200);
  hold("readVersions", await ann.rest("GET", `${versions}?after=x`), 400);
  hold("readVersions", await ann.rest("GET", "/kms/accounts/other/document-versions"), 403);
  hold("readContent", await ann.rest("GET", `${at}/content`), 409);
  hold("readUpload", await ann.rest("GET", `/accounts/other/uploads/${id}`), 403);
  hold("readUpload", await ann.rest("GET", `/accounts/${ann.account}/uploads/${id}`), 200);
  hold("readUpload", await ann.rest("GET", `/accounts/${ann.account}/uploads/none`), 404);
  hold("readMetadata", await ann.rest("GET", `${at}/metadata`), 200);
  hold("readContent", await ann.rest("GET", `${ann.documents}/none/content`), 404);
  hold("completeUpload", await ann.rest("POST", `${at}/complete`, completion), 200);
  hold("readUpload", await ann.rest("GET", `/accounts/${ann.account}/uploads/${id}`), 409);
  hold("listDocuments", await ann.rest("GET", ann.documents), 200);
  hold("listDocuments", await ann.rest("GET", `/accounts/${"x".repeat(65)}/documents`), 400);
  hold("listDocuments", await ann.rest("GET", "/accounts/other/documents"), 403);
  hold("readContent", await ann.rest("GET", `${at}/content`), 200);
  hold("readContent", await ann.rest("GET", `${at}/content`, undefined, { range: "bytes=2-3" }), 206);
  hold("readContent", await ann.rest("GET", `${at}/content`, undefined, { range: "bytes=99-" }), 416);
  hold("readMetadata", await ann.rest("GET", `${at}/metadata`), 200);
  hold("scheduleDocumentDeletion", await ann.rest("POST", `${at}/deletion`, { days: 3 }), 200);
  hold("scheduleDocumentDeletion", await ann.rest("POST", `${at}-none/deletion`, {}), 404);
  const deleted = `/accounts/${ann.account}/deleted-documents`;
  hold("listDeletedDocuments", await ann.rest("GET", deleted), 200);
  hold("listDeletedDocuments", await ann.rest("GET", "/accounts/other/deleted-documents"), 403);
  hold("cancelDocumentDeletion", await ann.rest("DELETE", `${at}/deletion`), 204);
  hold("cancelDocumentDeletion", await ann.rest("DELETE", `${at}-none/deletion`), 404);
  hold("deleteDocument", await ann.rest("DELETE", at), 204);
  hold("deleteDocument", await ann.rest("DELETE", at), 404);
});

it("shares documents", async () => {
  const bob = await EdgeClient.signedIn(system, "Bob");
  const id = crypto.randomUUID();
  const whole = { content: "AAAA", metadata: "BBBB" };
  expect((await ann.rest("PUT", `${ann.documents}/${id}`, whole)).status).toBe(201);
  const version = { document: id, version: 1, messageId: "A".repeat(43), headerDigest: "A".repeat(43) };
  const versions = `/kms/accounts/${ann.account}/document-versions`;
  expect((await ann.rest("POST", versions, { rows: [version] })).status).toBe(200);
  const order = { account: ann.account, count: 1, purpose: "document" };
  const { edks } = json<{ edks: string[] }>(await ann.rest("POST", "/kms/data-keys", order));
  const shares = `/kms/accounts/${ann.account}/shares`;
  const asked = asPublished("makeShare", { document: id, to: bob.account, edk: edks[0] });
  const made = hold("makeShare", await ann.rest("POST", shares, asked), 201);
  hold("makeShare", await ann.rest("POST", shares, { ...asked, to: "nobody" }), 404);
  hold("makeShare", await ann.rest("POST", shares, { ...asked, document: "x" }), 400);
  hold("makeShare", await bob.rest("POST", shares, asked), 403);
  hold("listShares", await ann.rest("GET", `${shares}?document=${id}`), 200);
  hold("listShares", await bob.rest("GET", shares), 403);
  const { share, record, expires } = json<{ share: string; record: string; expires: number }>(made);
  const at = `${ann.documents}/${id}/shares/${share}`;
  const put = asPublished("putShare", { to: bob.account, record, expires });
  hold("putShare", await ann.rest("PUT", at, put), 204);
  hold("putShare", await ann.rest("PUT", at, { ...put, to: "nobody" }), 404);
  hold("putShare", await ann.rest("PUT", at, { ...put, to: ann.account }), 409);
  hold("putShare", await bob.rest("PUT", at, put), 403);
  const received = `/accounts/${bob.account}/received`;
  hold("listReceived", await bob.rest("GET", received), 200);
  hold("listReceived", await bob.rest("GET", `${received}?after=x`), 400);
  hold("listReceived", await ann.rest("GET", received), 403);
  const copy = asPublished("putReceivedCopy", { copy: "AAAA" });
  hold("putReceivedCopy", await bob.rest("PUT", `${received}/${share}/copy`, copy), 204);
  hold("putReceivedCopy", await bob.rest("PUT", `${received}/${crypto.randomUUID()}/copy`, copy), 404);
  hold("listReceived", await bob.rest("GET", received), 200);
  const content = `${received}/${share}/content`;
  hold("readReceivedContent", await bob.rest("GET", content), 200);
  hold("readReceivedContent", await bob.rest("GET", content, undefined, { range: "bytes=1-1" }), 206);
  hold("readReceivedContent", await bob.rest("GET", content, undefined, { range: "bytes=9-" }), 416);
  hold("readReceivedMetadata", await bob.rest("GET", `${received}/${share}/metadata`), 200);
  hold("withdrawShare", await ann.rest("DELETE", `${shares}/${share}`), 204);
  hold("withdrawShare", await bob.rest("DELETE", `${shares}/${share}`), 403);
  hold("deleteShare", await bob.rest("DELETE", at), 403);
  hold("deleteShare", await ann.rest("DELETE", at), 204);
  hold("readReceivedContent", await bob.rest("GET", content), 403, 404);
  hold("readReceivedMetadata", await bob.rest("GET", `${received}/${share}/metadata`), 403, 404);
  hold("deleteReceived", await bob.rest("DELETE", `${received}/${share}`), 204);
  hold("deleteReceived", await ann.rest("DELETE", `${received}/${share}`), 403);
});

it("makes accounts", async () => {
  const wanted = asPublished("createAccount", { name: "Another", nonce: crypto.randomUUID() });
  hold("createAccount", await ann.rest("POST", "/accounts", wanted), 201);
  hold("createAccount", await ann.rest("POST", "/accounts", { name: "Another" }), 400);
  const at = `/accounts/${ann.account}`;
  hold("readAccount", await ann.rest("GET", at), 200);
  hold("readAccount", await ann.rest("GET", "/accounts/other"), 403);
  hold("listAccountStates", await ann.rest("GET", "/account-states"), 200);
  hold("renewAccountKey", await ann.rest("POST", `${at}/key`), 201);
  hold("listKeyVersions", await ann.rest("GET", `${at}/data-keys`), 200);
  hold("addKeyVersion", await ann.rest("POST", `${at}/data-keys`), 409);
  const deletion = asPublished("scheduleAccountDeletion", { days: 7 });
  hold("scheduleAccountDeletion", await ann.rest("POST", `${at}/deletion`, { days: 31 }), 400);
  hold("scheduleAccountDeletion", await ann.rest("POST", `${at}/deletion`, deletion), 200);
  hold("listDocuments", await ann.rest("GET", ann.documents), 403);
  hold("readAccount", await ann.rest("GET", at), 200);
  hold("cancelAccountDeletion", await ann.rest("DELETE", `${at}/deletion`), 204);
});

it("answers an instance that asks for itself", async () => {
  const eve = await EdgeClient.signedIn(system.tenant("ladder"), "Eve");
  const app = await InstanceClient.enrolled(eve);
  const assertion = await app.assertion();
  hold("instanceToken", await app.askToken(assertion), 200);
  hold("instanceToken", await app.askToken(assertion), 401);
  await app.authenticate();
  const challenge = encodeBase64url(new Uint8Array(32));
  const wanted = asPublished("loadMasterKey", { challenge });
  const released = hold("loadMasterKey", await app.rest("POST", "/instances/master-key", wanted), 200);
  const { wrappedKey: encMaster } = json<{ wrappedKey: string }>(released);
  hold("loadMasterKey", await app.rest("POST", "/instances/master-key", {}), 400);
  const { account } = app;
  const key = asPublished("loadAccountKey", { account, challenge });
  hold("loadAccountKey", await app.rest("POST", "/instances/account-key", key), 403);
  const lower = await InstanceClient.ready(await EdgeClient.signedIn(system.tenant("rung"), "Finn"));
  const own = { account: lower.account, challenge };
  hold("loadAccountKey", await lower.rest("POST", "/instances/account-key", own), 200);
  const asked = asPublished("findKeyIdentifier", { account, purpose: "document" });
  const found = hold("findKeyIdentifier", await app.rest("POST", "/instances/key-identifiers", asked), 200);
  const { keyId, keyVersion } = json<{ keyId: string; keyVersion: number }>(found);
  const at = `/instances/accounts/${account}`;
  const one = `${at}/data-keys/${keyId}.${keyVersion}`;
  hold("readAccountKey", await app.rest("GET", `${at}/key`), 200);
  hold("readAccountKey", await app.rest("GET", "/instances/accounts/other/key"), 403);
  hold("rotateAccountKey", await app.rest("POST", `${at}/key`), 201);
  const current = json<{ id: string; master: string }>(await app.rest("GET", `${at}/key`));
  const made = asPublished("keepAccountKey", {
    wrapped: await app.makeAccountKey(decodeBase64url(encMaster)),
    master: current.master,
    replaces: current.id,
  });
  hold("keepAccountKey", await app.rest("PUT", `${at}/key`, made), 201);
  hold("keepAccountKey", await app.rest("PUT", `${at}/key`, made), 409);
  hold("listDataKeys", await app.rest("GET", `${at}/data-keys`), 200);
  hold("readDataKey", await app.rest("GET", one), 200);
  hold("readDataKey", await app.rest("GET", `${at}/data-keys/none.1`), 404);
  const versions = `/accounts/${account}/data-keys`;
  hold("addKeyVersion", await eve.rest("POST", versions), 201);
  hold("listKeyVersions", await eve.rest("GET", versions), 200);
  const first = `${versions}/${keyId}.${keyVersion}/deletion`;
  hold("scheduleKeyDeletion", await eve.rest("POST", first, { days: 7 }), 200);
  hold("readDataKey", await app.rest("GET", one), 403);
  hold("cancelKeyDeletion", await eve.rest("DELETE", first), 204);
  hold("cancelKeyDeletion", await eve.rest("DELETE", `${versions}/none.1/deletion`), 404);
  const renewal = asPublished("renewDataKey", { purpose: "document" });
  hold("renewDataKey", await app.rest("POST", `${at}/data-keys`, renewal), 201);
  // Another instance may seal under it still.
  hold("deleteDataKey", await app.rest("DELETE", one), 409);
  hold("scheduleKeyDeletion", await eve.rest("POST", first, { immediately: true }), 409);
  await system.restart(() => {
    changeRows(system.edgeDir, "key_identifiers", "UPDATE key_identifiers SET created = created - 60");
  });
  hold("deleteDataKey", await app.rest("DELETE", one), 204);
});

it("operates in the HSM where the officer allows it", async () => {
  const order = (algorithm: KeyAlgorithm) => ({ account: ann.account, count: 1, ...kindOf(algorithm) });
  const make = async (algorithm: KeyAlgorithm) =>
    json<{ edks: [string] }>(await ann.rest("POST", "/kms/data-keys", order(algorithm))).edks[0];
  const [key, macKey] = [
    await make("AES-256-GCM-HKDF-SHA512-COMMIT-KEY"),
    await make("HMAC-SHA256-HKDF-SHA512"),
  ];
  const context = { tenant: ann.tokens.tenant, account: ann.account, purpose: "data" };
  const data = encodeBase64url(utf8("a letter"));
  const call = (operation: string, body: object) => ann.rest("POST", `/caas/operations/${operation}`, body);
  const asked = asPublished("caasEncrypt", { key, context, data });
  hold("caasEncrypt", await call("encrypt", asked), 403);
  await sayOperations(system, true);
  const { message } = json<{ message: string }>(hold("caasEncrypt", await call("encrypt", asked), 200));
  hold("caasEncrypt", await call("encrypt", { ...asked, context: {} }), 422);
  hold("caasDecrypt", await call("decrypt", asPublished("caasDecrypt", { context, message })), 200);
  hold("caasDecrypt", await call("decrypt", { context: {}, message }), 422);
  const { mac } = json<{ mac: string }>(
    hold("caasMac", await call("mac", asPublished("caasMac", { key: macKey, data })), 200),
  );
  hold("caasMac", await call("mac", { key: "e30.e30.c2ln", data }), 409);
  const verify = asPublished("caasMacVerify", { key: macKey, data, mac });
  hold("caasMacVerify", await call("macVerify", verify), 200);
  const signKey = await make("ES256");
  hold(
    "rotateKey",
    await ann.rest("POST", "/kms/key-versions", asPublished("rotateKey", { edk: macKey })),
    201,
  );
  hold("rotateKey", await ann.rest("POST", "/kms/key-versions", { edk: macKey }), 409);
  const toSign = asPublished("caasSign", { key: signKey, data });
  const { signature } = json<{ signature: string }>(hold("caasSign", await call("sign", toSign), 200));
  const signed = asPublished("caasVerify", { key: signKey, data, signature });
  hold("caasVerify", await call("verify", signed), 200);
  const half = asPublished("caasPublicKey", { key: signKey });
  hold("caasPublicKey", await call("publicKey", half), 200);
  const digest = asPublished("caasHash", { algorithm: "SHA-256", data });
  hold("caasHash", await call("hash", digest), 200);
  hold("caasRandom", await call("random", asPublished("caasRandom", { length: 16 })), 200);
  hold("caasRandom", await call("random", { length: 0 }), 400);
  hold("caasOpenApi", await ann.rest("GET", "/caas/openapi.json"), 200);
  hold("caasDescribe", await ann.rest("GET", "/caas/instance"), 200);
  hold("caasLock", await ann.rest("POST", "/caas/locks", asPublished("caasLock", {})), 201);
  hold("caasLock", await ann.rest("POST", "/caas/locks", { more: 1 }), 400);
  await sayOperations(system, false);
});

it("administers", async () => {
  const bob = await EdgeClient.signedIn(system, "Bob");
  const user = bob.tokens.user.id;
  hold("readStanding", await ann.rest("GET", "/standing"), 200);
  hold("grantRole", await ann.rest("PUT", `/admin/roles/auditor/${user}`), 204);
  hold("grantRole", await bob.rest("PUT", `/admin/roles/auditor/${user}`), 403);
  hold("grantRole", await ann.rest("PUT", `/admin/roles/owner/${user}`), 400);
  hold("listRoles", await ann.rest("GET", "/admin/roles"), 200);
  hold("withdrawRole", await ann.rest("DELETE", `/admin/roles/auditor/${user}`), 204);
  hold("addToGroup", await ann.rest("PUT", `/admin/groups/staff/${user}`), 204);
  hold("listGroups", await ann.rest("GET", "/admin/groups"), 200);
  hold("listGroup", await ann.rest("GET", "/admin/groups/staff"), 200);
  hold("listGroup", await bob.rest("GET", "/admin/groups/staff"), 403);
  hold("listPolicies", await ann.rest("GET", "/admin/policies"), 200);
  hold("listPolicies", await bob.rest("GET", "/admin/policies"), 403);
  const bobs = await enrol(bob, await makeKeys());
  const { instance } = json<EnrolmentAnswer>(bobs);
  const instances = `/admin/users/${user}/instances`;
  hold("listUserInstances", await ann.rest("GET", instances), 200);
  hold("listUserInstances", await bob.rest("GET", instances), 403);
  hold("revokeUserInstance", await ann.rest("DELETE", `${instances}/${instance}`), 204);
  hold("revokeUserInstance", await ann.rest("DELETE", `${instances}/unknown`), 404);
  hold("revokeUserInstance", await bob.rest("DELETE", `${instances}/${instance}`), 403);
  const owned = await bob.rest("POST", "/kms/data-keys", { count: 1, purpose: "document" });
  const own = jwsParts(json<{ edks: string[] }>(owned).edks[0]!).payload;
  const { keyId, keyVersion } = JSON.parse(new TextDecoder().decode(own)) as Edk;
  const keys = `/admin/users/${user}/keys`;
  hold("listUserKeys", await ann.rest("GET", keys), 200);
  hold("listUserKeys", await bob.rest("GET", keys), 403);
  const end = `${keys}/${keyId}.${keyVersion}`;
  hold("describeUserKey", await ann.rest("GET", end), 200);
  hold("describeUserKey", await ann.rest("GET", `${keys}/none.1`), 404);
  hold("describeUserKey", await bob.rest("GET", end), 403);
  hold("changeUserKey", await ann.rest("PUT", end, asPublished("changeUserKey", { ends: null })), 200);
  hold("changeUserKey", await ann.rest("PUT", end, { ends: 1 }), 409);
  hold("changeUserKey", await ann.rest("PUT", `${keys}/none.1`, { ends: null }), 404);
  hold("changeUserKey", await bob.rest("PUT", end, { ends: null }), 403);
  const quota = `/admin/accounts/${bob.account}/quota`;
  const few = asPublished("setQuota", { documents: 10 });
  hold("setQuota", await ann.rest("PUT", quota, few), 204);
  hold("setQuota", await ann.rest("PUT", quota, { documents: 10 ** 12 }), 403);
  hold("setQuota", await ann.rest("PUT", quota, { documents: -1 }), 400);
  hold("readQuota", await ann.rest("GET", quota), 200);
  hold("readQuota", await ann.rest("GET", "/admin/accounts/unknown/quota"), 404);
  hold("readQuota", await bob.rest("GET", quota), 403);
  const none = asPublished("putPolicy", { version: 0, policy: null });
  hold("putPolicy", await ann.rest("POST", "/admin/policies", none), 200);
  hold("putPolicy", await ann.rest("POST", "/admin/policies", none), 409);
  const { jwk } = await createDpopKey();
  const order = asPublished("registerClient", { jwk });
  hold("registerClient", await bob.rest("PUT", "/admin/clients/server", order), 403);
  hold("registerClient", await ann.rest("PUT", "/admin/clients/server", { jwk: {} }), 400);
  hold("registerClient", await ann.rest("PUT", "/admin/clients/server", { jwk, app: "another" }), 404);
  const server = await RegisteredClient.registeredBy(ann, "server");
  hold("registerClient", await ann.rest("PUT", "/admin/clients/server", { jwk: server.registered.jwk }), 200);
  hold("listClients", await ann.rest("GET", "/admin/clients"), 200);
  hold("clientToken", await server.askToken(await server.assertion()), 200);
  hold("clientToken", await server.askToken(await server.assertion({ aud: server.app })), 400);
  hold("removeClient", await ann.rest("DELETE", "/admin/clients/server"), 204);
  hold("removeClient", await ann.rest("DELETE", "/admin/clients/nobody"), 404);
  hold("removeFromGroup", await ann.rest("DELETE", `/admin/groups/staff/${user}`), 204);
});

it("says who may act for an account", async () => {
  const bob = await EdgeClient.signedIn(system, "Bob");
  const [at, user] = [`/accounts/${ann.account}/members`, bob.tokens.user.id];
  hold("readAudit", await ann.rest("GET", `/audit?subject=${ann.account}`), 200);
  hold("readAudit", await bob.rest("GET", `/audit?subject=${ann.account}`), 403);
  hold("readAudit", await bob.rest("GET", "/audit?before=1"), 400);
  hold("listAccounts", await ann.rest("GET", "/accounts"), 200);
  hold("listMembers", await bob.rest("GET", at), 403);
  hold("putMember", await ann.rest("POST", at, asPublished("putMember", { user, role: "reader" })), 204);
  hold("putMember", await ann.rest("POST", at, { user: "x".repeat(32), role: "reader" }), 404);
  hold("listMembers", await bob.rest("GET", at), 200);
  hold("putMember", await bob.rest("POST", at, { user, role: "owner" }), 403);
  hold("removeMember", await ann.rest("DELETE", `${at}/${ann.tokens.user.id}`), 409);
  hold("removeMember", await ann.rest("DELETE", `${at}/${user}`), 204);
});

it("every route was answered as it is published, in each way that is no problem", () => {
  for (const [id, { answer }] of Object.entries<Route>(contract)) {
    const statuses = "octets" in answer && answer.ranges ? [200, 206] : [answer.status];
    expect([...(seen.get(id as OperationId) ?? [])], id).toEqual(expect.arrayContaining(statuses));
  }
});
