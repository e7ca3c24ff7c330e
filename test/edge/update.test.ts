/** M21 on the real edge: a new release beside the old one, in processes of their own, by signed releases and a floor. */

import { createHash, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { emulatedEnclave, makePlatform } from "#emulator/enclave/index.ts";
import { encodeBase64url } from "#protocol/base64url.ts";
import { concat, utf8 } from "#protocol/bytes.ts";
import { codeOf } from "#protocol/error.ts";
import { EMULATED_EVIDENCE, type ReleaseFiles, signRelease } from "#protocol/evidence/index.ts";
import type { Load } from "#protocol/keys/index.ts";
import { createPortClient, type InstanceDescription, type PortClient } from "#protocol/port/index.ts";
import { authenticate } from "#web/client/mutual.ts";
import { type Launched, launch } from "#web/hosts/node/index.ts";
import { auditThat } from "../support/audit.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { useSystem } from "../system/index.ts";

const platform = await makePlatform(new Date());
const pair = async () => {
  const made = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign"]);
  const { x = "", y = "" } = await crypto.subtle.exportKey("jwk", made.publicKey);
  const { d } = await crypto.subtle.exportKey("jwk", made.privateKey);
  const sign = async (bytes: Uint8Array<ArrayBuffer>) =>
    new Uint8Array(await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, made.privateKey, bytes));
  return { publicKey: { kty: "EC" as const, crv: "P-256" as const, x, y }, d, sign };
};
const [verifier, releaser] = [await pair(), await pair()];
const vars: Record<string, string> = {
  COFFER_VERIFIER_KEY: JSON.stringify({ ...verifier.publicKey, d: verifier.d }),
  COFFER_VERIFIER_PUBLIC_KEY: JSON.stringify(verifier.publicKey),
};
const system = useSystem({ vars });
const launched: Launched[] = [];
let ann: EdgeClient;
let dn: string;
/** The microservice as it was built, and a later release of it: other bytes. */
let code: Record<1 | 2, Uint8Array>;

const policyWith = (signed: string[], floor: number) => {
  const root = encodeBase64url(new Uint8Array(new X509Certificate(platform.root).raw));
  const releases = { key: releaser.publicKey, signed };
  const accept = [{ type: EMULATED_EVIDENCE.eat, roots: [root] }];
  return JSON.stringify({ "*": { id: "urn:test", floor, accept, references: [], releases } });
};

async function signedRelease(number: 1 | 2): Promise<string> {
  const text = await readFile(join(system.dir, "web/manifest.json"), "utf8");
  const sha384 = createHash("sha384").update(code[number]).digest("hex");
  const files = (JSON.parse(text) as ReleaseFiles).map((file) =>
    file.path === "node/microservice.js" ? { ...file, bytes: code[number].length, sha384 } : file,
  );
  return signRelease({ release: number, files }, releaser);
}

beforeAll(async () => {
  const built = await readFile(join(system.dir, "web/node/microservice.js"));
  code = { 1: built, 2: concat(built, utf8("// release 2\n")) };
  vars.COFFER_ATTESTATION = policyWith([await signedRelease(1), await signedRelease(2)], 1);
  await system.restart();
  ann = await EdgeClient.signedIn(system, "Ann");
  const [, claims = ""] = ann.tokens.access_token.split(".");
  dn = (JSON.parse(Buffer.from(claims, "base64url").toString()) as { custodian: string }).custodian;
});
afterAll(() => {
  for (const one of launched) one.stop();
});

/** Launches a release in an enclave and has it enrol. */
async function start(number: 1 | 2): Promise<{ port: PortClient; instance: InstanceDescription }> {
  const enclave = emulatedEnclave(platform, code[number], { vault: ann.vault });
  const of = { vault: ann.vault, origin: ann.app, custodian: dn };
  const one = await launch({ ...of, code: enclave.code, enclave });
  launched.push(one);
  const port = createPortClient(one.port);
  const { environment, measurement, challenge = "" } = await port.hello(dn);
  expect(environment).toBe("emulated");
  expect(measurement).toBe(`sha384-${createHash("sha384").update(code[number]).digest("base64")}`);
  const opened = json<{ enrolment: string; nonce: string; accepts: string[] }>(
    await ann.rest("POST", "/ra/attestations", { custodian: dn }),
  );
  const instance = await port.enrol({ method: "attestation", ...only(opened) });
  const by = { origin: ann.app, key: ann.certifiedKey, now: Date.now() };
  await authenticate(port, { challenge, measurement, instance }, by);
  return { port, instance };
}
const only = ({ enrolment, nonce, accepts }: { enrolment: string; nonce: string; accepts: string[] }) => ({
  enrolment,
  nonce,
  accepts,
});

const refusalOf = (number: 1 | 2) => start(number).then(() => "enrolled", codeOf);

const load = (edk: string, { wrappingCertificate: certificate }: InstanceDescription) =>
  ann.rest("POST", "/kms/loads", { way: "rewrap", edk, certificate });
const context = (document: string) => ({
  ...{ tenant: "development", account: ann.account, document, purpose: "document" },
});
const bytesOf = async (stream: ReadableStream<Uint8Array>) =>
  new Uint8Array(await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer());

it("M21 M4 a new release enrols beside the old, what is under way ends there, and the older one is refused afterwards", async () => {
  const old = await start(1);
  const { edks } = json<{ edks: string[] }>(
    await ann.rest("POST", "/kms/data-keys", { account: ann.account, count: 1, purpose: "document" }),
  );
  const [edk = ""] = edks;
  await old.port.load(json<Load>(await load(edk, old.instance)));
  // A request that goes on while the release changes: its second half comes after all of it.
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const of = context(crypto.randomUUID());
  const sealed = bytesOf(old.port.seal({ edk, context: of }, readable));
  await writer.write(utf8("begun on the old release, "));

  const fresh = await start(2);
  expect(fresh.instance.id).not.toBe(old.instance.id);
  await fresh.port.load(json<Load>(await load(edk, fresh.instance)));
  const listed = json<{ instances: { id: string; status: string }[] }>(
    await ann.rest("GET", "/ra/instances"),
  );
  const status = (id: string) => listed.instances.find((one) => one.id === id)?.status;
  expect([status(old.instance.id), status(fresh.instance.id)]).toEqual(["active", "active"]);

  await writer.write(utf8("ended there"));
  await writer.close();
  const opened = fresh.port.open({ context: of }, await sealed);
  expect(new TextDecoder().decode(await bytesOf(opened))).toBe("begun on the old release, ended there");

  // Drained, the old instance is ended: at once at the KMS.
  expect((await ann.rest("DELETE", `/ra/instances/${old.instance.id}`)).status).toBe(204);
  expect(problem(await load(edk, old.instance))).toBe("403 not-recipient");
  expect((await load(edk, fresh.instance)).status).toBe(200);

  // The floor goes up with the next deployment of the verifier's policy.
  vars.COFFER_ATTESTATION = policyWith([await signedRelease(1), await signedRelease(2)], 2);
  await system.restart();
  expect(await refusalOf(1)).toBe("attestation-refused");
  await auditThat(system, "development", (entries) =>
    entries.some(({ reason }) => reason?.includes("release 1 is older than 2")),
  );
  const again = await start(2);
  await again.port.load(json<Load>(await load(edk, again.instance)));
  const reopened = again.port.open({ context: of }, await sealed);
  expect(new TextDecoder().decode(await bytesOf(reopened)), "documents still open").toContain("ended there");
});

it("M21 a release that its key did not sign lets nothing run", async () => {
  const [header, payload = "", signature] = (await signedRelease(2)).split(".");
  const said = JSON.parse(Buffer.from(payload, "base64url").toString()) as { release: number };
  const altered = Buffer.from(JSON.stringify({ ...said, release: 9 })).toString("base64url");
  vars.COFFER_ATTESTATION = policyWith([`${header}.${altered}.${signature}`], 1);
  await system.restart();
  expect(await refusalOf(2)).toBe("attestation-refused");
  await auditThat(system, "development", (entries) =>
    entries.some(({ reason }) => reason?.includes("a release in the policy is not signed by its key")),
  );
});
