/** An HSM of its own for a domain, by configuration (W9). */

import { beforeAll, describe, expect, it } from "vitest";
import { roundTrip } from "#cli/round-trip.ts";
import { issueClient, type Pki } from "#emulator/hsm/index.ts";
import { tlsTransport } from "#kmip-node/index.ts";
import { IDENTITY, INSTANCES_CA, masterKeyName, named, SIGNER } from "#protocol/hierarchy/index.ts";
import { createKmipClient } from "#protocol/kmip/index.ts";
import { auditThat } from "../support/audit.ts";
import { useSystem } from "./index.ts";

const system = useSystem({ apart: ["ra", "iam", "audit"], vars: { COFFER_AUDIT_SECONDS: "1" } });

beforeAll(async () => {
  const { appOrigin: app, vaultOrigin: vault, rootKey } = system.running;
  await roundTrip({ app, vault, rootKey }, () => {});
});

/** Names that an HSM's officer finds there. */
async function found({ hsm, pki }: { hsm: { ttlvPort: number }; pki: Pki }, names: string[]) {
  const identity = await issueClient(pki.dir, IDENTITY.officer);
  const transport = tlsTransport({ host: "127.0.0.1", port: hsm.ttlvPort, ca: pki.serverCa, ...identity });
  const client = createKmipClient(transport);
  const there: string[] = [];
  for (const name of names) {
    const { uniqueIdentifier = [] } = await client.request("Locate", { attributes: { name: named(name) } });
    if (uniqueIdentifier.length > 0) there.push(name);
  }
  transport.close();
  return there;
}

describe("W9 a domain with an HSM of its own", () => {
  const names = {
    master: masterKeyName("development"),
    edk: SIGNER.edk.key,
    instances: INSTANCES_CA.key,
    token: SIGNER.token.key,
    audit: SIGNER.audit.key,
  };

  it("W9 has its keys there, and the KMS's HSM has none of them", async () => {
    const { hsm, pki, others } = system.running;
    const all = Object.values(names);
    expect(await found({ hsm, pki }, all)).toEqual([names.master, names.edk]);
    const [ra, iam, audit] = others;
    expect(await found(ra!, all)).toEqual([names.instances]);
    expect(await found(iam!, all)).toEqual([names.token]);
    expect(await found(audit!, all)).toEqual([names.audit]);
  });

  it("W9 seals and opens: an instance that the one has certified gets keys from the other", async () => {
    // Each domain puts its part there by itself, and one may come before the other.
    const { entries, verified } = await auditThat(
      system,
      "development",
      (entries) =>
        entries.some(({ action }) => action === "kms:rewrap" || action === "kms:release") &&
        entries.some(({ action }) => action === "ra:certify"),
    );
    expect(entries.some(({ action }) => action === "ra:certify")).toBe(true);
    expect(verified).toBeDefined();
  });
});
