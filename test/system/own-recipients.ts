/** What the operator of the registration authority can do with its live certificate at the HSM: certify recipients of its own. */

import { type KeyObject, randomUUID } from "node:crypto";
import { type Hsm, openHsm } from "#edge/hsm/index.ts";
import { issue } from "#edge/ra/certificate.ts";
import { seconds } from "#protocol/clock.ts";
import { LEVELS } from "#protocol/level.ts";
import type { HsmClient } from "./hsm.ts";
import { registerCertificate, registerPublicKey } from "./hsm-requests.ts";

const TENANT = "development";

/** Has `publicKey` certified and registered as an instance's of the tenant, once for each release level. Identifiers at the HSM. */
export async function registerOwn(client: HsmClient, publicKey: KeyObject): Promise<string[]> {
  const hsm = asDomain(client);
  const spki = new Uint8Array(publicKey.export({ type: "spki", format: "der" }));
  const now = Date.now();
  const custodian = `CN=thief,O=${TENANT}`;
  const binding = { user: "thief", custodian, client: "page", jkt: "", origin: "https://thief.example" };
  const registered: string[] = [];
  // One after the other, on one connection.
  for (const level of LEVELS) {
    const instance = randomUUID();
    const certificate = await issue(hsm, {
      ...{ instance, tenant: TENANT, binding, method: "grant", tier: "software", level, now, spki },
      ...{
        notAfter: seconds(now) + 3600,
        use: "wrapping",
        list: 0,
        revocationList: "https://thief.example/crl",
      },
    });
    const { uniqueIdentifier: linkedObjectIdentifier } = await registerCertificate(client, certificate);
    const link = [{ linkType: "CertificateLink" as const, linkedObjectIdentifier }];
    const attributes = { cryptographicUsageMask: ["WrapKey" as const], link };
    registered.push((await registerPublicKey(client, publicKey, attributes)).uniqueIdentifier);
  }
  return registered;
}

/** The same connection, with what the code of a domain asks by. */
export function asDomain(client: HsmClient): Hsm {
  const fetch = async (_url: string, { body }: RequestInit) =>
    new Response(new Uint8Array(await client.exchange(new Uint8Array(body as ArrayBuffer))));
  return openHsm({ fetch }, "https://hsm/kmip");
}
