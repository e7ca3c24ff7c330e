/** M19: PyKMIP's server as a back end, as far as it goes: what it keeps is found out, and what it cannot do is refused. */

import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { agreeVersion, askKmip, type Hsm, openHsm } from "#edge/hsm/index.ts";
import { getWrapped, keyValueOf, toRecipient, underParent } from "#edge/hsm/keys/release.ts";
import { makeResident, residentId, residentKeys } from "#edge/hsm/keys/resident.ts";
import { tlsTransport } from "#kmip-node/index.ts";
import { type BackEndSettings, KEY, named } from "#protocol/hierarchy/index.ts";
import { type Exchange, KmipError } from "#protocol/kmip/index.ts";
import { findPython, missing } from "../support/missing.ts";
import { type PyKmipServer, startPyKmipServer } from "./pykmip/server.ts";

describe.skipIf(missing("python3-pykmip", findPython("import kmip")))("PyKMIP's server as back end", () => {
  let dir: string;
  let server: PyKmipServer;
  let transport: ReturnType<typeof tlsTransport>;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), "coffer-pykmip-back-end-"));
    server = await startPyKmipServer(dir);
    transport = tlsTransport(server.connection);
  });
  afterAll(async () => {
    transport?.close();
    await server?.close();
    if (dir) rmSync(dir, { recursive: true, force: true });
  });
  const exchange: Exchange = (bytes) => transport.exchange(bytes);
  const open = (backEnd: Partial<BackEndSettings>) =>
    openHsm(
      { fetch: async (_url, { body }) => new Response(new Uint8Array(await exchange(body as never))) },
      `https://127.0.0.1:${server.port}/kmip`,
      { kind: "kmip", without: [], ...backEnd },
    );
  const ALL = ["sensitive", "release-policy", "account-keys"] as const;

  it.each(["2.0", "1.4", "1.3", "1.2"] as const)(
    "M19 keeps nothing over KMIP %s, whatever it takes as an attribute",
    async (newest) => {
      const version = await agreeVersion(exchange, newest);
      expect(await askKmip(exchange, version)).toMatchObject({ name: `kmip/${newest}`, keeps: [], version });
      const asking = open({ newest });
      await expect(asking.locate("anything")).rejects.toMatchObject({
        name: "BackEndRefused",
        message: `kmip/${newest} does not keep ${ALL.join(", ")}, and the tenant has not said that it goes without`,
      });
      // All but one is not all.
      const most = open({ newest, without: ["release-policy", "account-keys"] });
      await expect(most.batch([])).rejects.toThrow("does not keep sensitive,");
    },
  );

  it.each(["1.1", "1.0"] as const)(
    "M19 is no back end over KMIP %s, whatever a tenant goes without",
    async (newest) => {
      await expect(open({ newest, without: ALL }).standing()).rejects.toThrow(`kmip/${newest} has no Sign`);
    },
  );

  it.each(["2.0", "1.4", "1.3", "1.2"] as const)(
    "M19 makes data keys over KMIP %s for a tenant that goes without all, and cannot wrap them to an instance",
    async (newest) => {
      const hsm = open({ newest, without: ALL });
      const name = `master ${newest}`;
      const { uniqueIdentifier: master } = await hsm.request("Create", {
        objectType: "SymmetricKey",
        attributes: { ...KEY, cryptographicUsageMask: ["WrapKey", "UnwrapKey"], name: named(name) },
      });
      await hsm.request("Activate", { uniqueIdentifier: master });
      expect(await hsm.locate(name)).toBe(master);
      const made = await hsm.batch([1, 2].map((n) => makeResident(master, `data ${newest} ${n}`)));
      const ids = residentKeys(made).map(residentId);
      expect(new Set(ids).size).toBe(2);
      const [id = ""] = ids;
      // By AES Key Wrap it wraps.
      const [wrapped] = await hsm.batch([getWrapped(underParent(master), id)]);
      expect(keyValueOf(wrapped)).toHaveLength(40);
      // And by an RSA key it does not, so nothing reaches an instance: the answer is a refusal and no key.
      const recipient = await registered(hsm);
      const asked = hsm.batch([getWrapped(toRecipient(recipient), id)]);
      const refused = await asked.then(
        ([answer]) => answer?.resultStatus,
        (error) => error instanceof KmipError,
      );
      expect([true, "OperationFailed"]).toContain(refused);
    },
  );
});

/** The public half of an RSA key, as the registration authority brings it. */
async function registered(hsm: Hsm): Promise<string> {
  const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 3072 });
  const keyMaterial = new Uint8Array(publicKey.export({ type: "pkcs1", format: "der" }));
  const { uniqueIdentifier } = await hsm.request("Register", {
    objectType: "PublicKey",
    attributes: {
      cryptographicAlgorithm: "RSA",
      cryptographicLength: 3072,
      cryptographicUsageMask: ["WrapKey"],
      name: named(`recipient ${crypto.randomUUID()}`),
    },
    object: {
      publicKey: {
        keyBlock: {
          ...{ keyFormatType: "PKCS_1", keyValue: { keyMaterial } },
          ...{ cryptographicAlgorithm: "RSA", cryptographicLength: 3072 },
        },
      },
    },
  });
  return uniqueIdentifier;
}
