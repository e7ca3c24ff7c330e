/** What a KMIP server can keep: by the version that both know, by what it says of itself, and by what it does. */

import {
  type Assurance,
  type BackEndSettings,
  KEY,
  named,
  transientName,
  VENDOR,
} from "#protocol/hierarchy/index.ts";
import {
  createKmipClient,
  type Exchange,
  type KmipClient,
  KmipError,
  negotiateVersion,
  type OperationName,
  type ProtocolVersion,
  VERSIONS,
} from "#protocol/kmip/index.ts";
import { BackEndRefused, type Standing } from "./back-end.ts";

/** `sure`: whether the trial below was answered, and not broken off by a fault of the server, which may be over with the next request. */
export type KmipStanding = Standing & { version: ProtocolVersion; sure: boolean };

/** Sensitive, Import and Key Wrap Type came with it, and so did the mask generator of RSA-OAEP (KMIP 1.4). */
export const SINCE_SENSITIVE = 14;
/** Sign came with it (KMIP 1.2): without, no EDK and no receipt. */
const SINCE_SIGN = 12;

export function asNumber({ major, minor }: ProtocolVersion): number {
  return major * 10 + minor;
}

/** The newest version that both know and the tenant allows. Throws what the transport throws, `KmipError`. */
export function agreeVersion(
  exchange: Exchange,
  newest: BackEndSettings["newest"],
): Promise<ProtocolVersion> {
  const limit = newest === undefined ? Number.POSITIVE_INFINITY : Number(newest.replace(".", ""));
  return negotiateVersion(
    { exchange },
    VERSIONS.filter((version) => asNumber(version) <= limit),
  );
}

/**
 * Asks who it is and what it does, in that version. The release policy is that of `VENDOR`'s attributes: of no other server is it
 * known that it has one. Of another it is tried whether a sensitive key comes in clear: some take the attribute and do nothing.
 * Throws `BackEndRefused` where nothing can be signed there, which no tenant can go without.
 */
export async function askKmip(exchange: Exchange, version: ProtocolVersion): Promise<KmipStanding> {
  const name = `kmip/${version.major}.${version.minor}`;
  const client = createKmipClient({ exchange, version });
  const { operation = [], vendorIdentification = "" } = await client.request("Query", {
    queryFunction: ["QueryOperations", "QueryServerInformation"],
  });
  const does = (wanted: OperationName) => operation.includes(wanted);
  if (asNumber(version) < SINCE_SIGN || !does("Sign"))
    throw new BackEndRefused(
      `${name} has no Sign (KMIP 1.2): encrypted data keys and load receipts cannot be signed there, and no tenant goes without that`,
    );
  const known = vendorIdentification.startsWith(`${VENDOR} `);
  const recent = asNumber(version) >= SINCE_SENSITIVE;
  const keeps: Assurance[] = [];
  const sensitive = recent && (known || (await keepsSensitive(client)));
  if (sensitive === true) keeps.push("sensitive");
  if (known) keeps.push("release-policy");
  if (recent && does("Import")) keeps.push("account-keys");
  return { name, keeps, version, sure: sensitive !== null };
}

/**
 * Whether a key of no use, made for this and destroyed again, is refused in clear, also to whoever has tried to have it no longer
 * sensitive: some take the attribute, and take it off again for those who made the key. Null where the server failed in the midst of it: then
 * nothing is known, which counts as not kept.
 */
async function keepsSensitive(client: KmipClient): Promise<boolean | null> {
  try {
    const { uniqueIdentifier } = await client.request("Create", {
      objectType: "SymmetricKey",
      attributes: {
        ...KEY,
        cryptographicUsageMask: ["Encrypt"],
        sensitive: true,
        name: named(transientName(`trial/${crypto.randomUUID()}`, 0)),
      },
    });
    try {
      if (await givesInClear(client, uniqueIdentifier)) return false;
      const asked = { uniqueIdentifier, newAttribute: { sensitive: false } };
      await client.request("ModifyAttribute", asked).catch(unlessRefusedClearly);
      return !(await givesInClear(client, uniqueIdentifier));
    } finally {
      await destroy(client, uniqueIdentifier);
    }
  } catch (error) {
    // It takes no such attribute, or makes no such key.
    unlessRefused(error);
    return isFault(error) ? null : false;
  }
}

/** By Get. What is refused for another reason says nothing of a key in clear, and counts as given. */
async function givesInClear(client: KmipClient, uniqueIdentifier: string): Promise<boolean> {
  try {
    await client.request("Get", { uniqueIdentifier });
    return true;
  } catch (error) {
    unlessRefusedClearly(error);
    return !(error instanceof KmipError && (error.code === "Sensitive" || error.code === "PermissionDenied"));
  }
}

/** Revoke is refused for what was never active; some refuse to destroy what was not revoked. Throws `KmipError` where it stays. */
async function destroy(client: KmipClient, uniqueIdentifier: string): Promise<void> {
  const revocationReason = { revocationReasonCode: "CessationOfOperation" } as const;
  await client.request("Revoke", { uniqueIdentifier, revocationReason }).catch(unlessRefused);
  await client.request("Destroy", { uniqueIdentifier });
}

/** What a server answers where it has failed or has no room now, and not by a rule of its own. */
const FAULTS: ReadonlySet<unknown> = new Set([
  "GeneralFailure",
  "InternalServerError",
  "CryptographicFailure",
  "ServerLimitExceeded",
]);

function isFault(error: unknown): boolean {
  return error instanceof KmipError && FAULTS.has(error.code);
}

/** Throws anything but a refusal by a rule: after a fault nobody knows whether the attribute can be taken off. */
function unlessRefusedClearly(error: unknown): void {
  unlessRefused(error);
  if (isFault(error)) throw error;
}

/** Throws anything but a refusal. */
function unlessRefused(error: unknown): void {
  if (!(error instanceof KmipError)) throw error;
}
