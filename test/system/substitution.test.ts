/** Wrapped-key substitution: anyone who has the instance's certificate can wrap to it; only the KMS's receipt counts. */

import {
  constants,
  generateKeyPairSync,
  publicEncrypt,
  randomBytes,
  sign,
  X509Certificate,
} from "node:crypto";
import type { Page } from "playwright";
import { beforeAll, expect, it } from "vitest";
import { openEnrolled, useSystemAndBrowser, withKit } from "./index.ts";

const running = useSystemAndBrowser({ record: true });
const { system, browsing } = running;
let page: Page;
let loaded: {
  edk: string;
  wrappedKey: string;
  receipt: string;
  other: { edk: string; wrappedKey: string; receipt: string };
};
let certificate: string;

beforeAll(async () => {
  // Else the page's own enrolment may replace the instance that the keys are wrapped to.
  page = await openEnrolled(running, "Ada");
  ({ loaded, certificate } = await withKit(
    page,
    async (kit, vault) => {
      const coffer = await kit.connect({ vault });
      await coffer.prepare();
      const { instance } = coffer.microservice as { instance: { wrappingCertificate: string } };
      const rest = await kit.rest(vault);
      const body = { account: coffer.identity!.accounts[0]!.id, count: 2, purpose: "document" };
      const { edks } = await rest.json<{ edks: string[] }>("POST", "/kms/data-keys", { json: body });
      const rewrap = async (edk: string) => {
        const json = { way: "rewrap", edk, certificate: instance.wrappingCertificate };
        return {
          edk,
          ...(await rest.json<{ wrappedKey: string; receipt: string }>("POST", "/kms/loads", { json })),
        };
      };
      const loaded = { ...(await rewrap(edks[0]!)), other: await rewrap(edks[1]!) };
      return { loaded, certificate: instance.wrappingCertificate };
    },
    system.vaultOrigin,
  ));
});

/** Hands a key into a fresh Worker of the enrolled instance; the refusal, and how often it called `unwrapKey`. */
async function load(key: {
  edk: string;
  wrappedKey: string;
  receipt: string;
}): Promise<{ refused: string | null; unwrapped: number }> {
  const { calls } = browsing.recorder!;
  const earlier = new Set(calls.map(({ target }) => target));
  const refused = await withKit(
    page,
    async (kit, { vault, key }) => {
      const coffer = await kit.connect({ vault });
      const { port, remove } = await kit.openVault(vault, document.body);
      const microservice = kit.createPortClient(port);
      const hello = await microservice.hello(coffer.identity!.custodian.dn);
      if (!hello.instance) throw new Error("not enrolled");
      await kit.prove(microservice, vault, hello);
      const refused = await kit.refusal(microservice.load(key));
      await microservice.hello(coffer.identity!.custodian.dn);
      remove();
      return refused;
    },
    {
      vault: system.vaultOrigin,
      key: { way: "rewrap" as const, edk: key.edk, wrappedKey: key.wrappedKey, receipt: key.receipt },
    },
  );
  // The calls of a Worker are recorded in order: with its fourth answer, all that the load did is there.
  const own = () => calls.filter(({ realm, target }) => realm === "worker" && !earlier.has(target));
  const answers = () => own().filter(({ to }) => to === "MessagePort").length;
  await expect.poll(answers).toBe(4);
  return { refused, unwrapped: own().filter(({ method }) => method === "unwrapKey").length };
}

/** A key of the attacker's choice, wrapped to the instance as the HSM would. */
function ownKey(): string {
  const { publicKey } = new X509Certificate(Buffer.from(certificate, "base64url"));
  const options = { key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: "sha256" };
  return publicEncrypt(options, randomBytes(32)).toString("base64url");
}

it("M8 the key that the KMS released is unwrapped, by one call (positive control)", async () => {
  expect(await load(loaded)).toEqual({ refused: null, unwrapped: 1 });
});

it("M8 a key that someone else wrapped to the instance's certificate is refused before unwrapKey", async () => {
  expect(await load({ ...loaded, wrappedKey: ownKey() })).toEqual({ refused: "key-refused", unwrapped: 0 });
});

it("M8 a receipt that someone else signed is refused before unwrapKey", async () => {
  const wrappedKey = ownKey();
  const [header, body] = loaded.receipt.split(".") as [string, string];
  const claims = JSON.parse(Buffer.from(body, "base64url").toString()) as Record<string, unknown>;
  const hash = await crypto.subtle.digest("SHA-256", Buffer.from(wrappedKey, "base64url"));
  const forged = { ...claims, wrappedKeyDigest: Buffer.from(hash).toString("base64url") };
  const input = `${header}.${Buffer.from(JSON.stringify(forged)).toString("base64url")}`;
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const signature = sign("sha256", Buffer.from(input), { key: privateKey, dsaEncoding: "ieee-p1363" });
  const receipt = `${input}.${signature.toString("base64url")}`;
  expect(await load({ ...loaded, wrappedKey, receipt })).toEqual({ refused: "key-refused", unwrapped: 0 });
});

it("M8 a receipt or a wrapped key of another data key is refused before unwrapKey", async () => {
  const { other } = loaded;
  for (const mixed of [
    { ...loaded, receipt: other.receipt },
    { ...loaded, wrappedKey: other.wrappedKey },
    { ...loaded, edk: other.edk },
    { ...loaded, wrappedKey: other.wrappedKey, receipt: other.receipt },
  ]) {
    expect(await load(mixed)).toEqual({ refused: "key-refused", unwrapped: 0 });
  }
});
