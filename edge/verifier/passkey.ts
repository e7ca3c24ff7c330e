/** Registrations of passkeys: what a browser sends after `navigator.credentials.create` in the vault's frame. */
import { verifyRegistrationResponse } from "@simplewebauthn/server";
import {
  convertCertBufferToPEM,
  cose,
  decodeAttestationObject,
  decodeClientDataJSON,
  decodeCredentialPublicKey,
  validateCertificatePath,
} from "@simplewebauthn/server/helpers";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import type { PasskeyResult } from "#protocol/evidence/index.ts";
import { spkiFromJwk } from "#protocol/jwk.ts";
import { PASSKEY_ALGORITHM, PASSKEY_EVIDENCE } from "#protocol/passkey.ts";
import type { Tier } from "#protocol/policy/index.ts";
import { type Policy, rootsOf } from "./policy.ts";

/** What is registered, and by whom it was asked for. All base64url. */
export type Registration = {
  id: string;
  clientDataJSON: string;
  attestationObject: string;
  challenge: string;
  /** Origins of the vault, and of the tenant's apps, in one of whose pages it was. */
  vault: string;
  apps: readonly string[];
};

/** The model that browsers' virtual authenticators give themselves: whoever drives the browser has their keys. */
const VIRTUAL = "01020304-0506-0708-0102-030405060708";

/** A passkey that a policy takes. Throws an `Error` with the reason, for a log alone. */
export async function verifyRegistration(
  policy: Policy | undefined,
  { id, clientDataJSON, attestationObject, challenge, vault, apps }: Registration,
  { production }: { production: boolean },
): Promise<PasskeyResult> {
  const accepted = policy?.accept.find(({ type }) => type === PASSKEY_EVIDENCE);
  if (!accepted) throw new Error("no passkeys are taken here");
  // What the library does not look at when a passkey is registered.
  const { crossOrigin, topOrigin } = decodeClientDataJSON(clientDataJSON) as Record<string, unknown>;
  if (crossOrigin !== true || !apps.some((app) => app === topOrigin))
    throw new Error("registered in another page than an app's");
  const { verified, registrationInfo } = await verifyRegistrationResponse({
    response: {
      ...{ id, rawId: id, type: "public-key", clientExtensionResults: {} },
      response: { clientDataJSON, attestationObject },
    },
    expectedChallenge: challenge,
    expectedOrigin: vault,
    expectedRPID: new URL(vault).hostname,
    requireUserVerification: true,
    supportedAlgorithmIDs: [PASSKEY_ALGORITHM],
  });
  if (!verified) throw new Error("the registration is not signed by what it names");
  const { credential, aaguid, credentialDeviceType, fmt } = registrationInfo;
  if (credential.id !== id) throw new Error("another passkey than it says");
  const backup = credentialDeviceType === "multiDevice";
  const virtual = aaguid === VIRTUAL;
  if (virtual && production) throw new Error("emulated platforms are not for production");
  const vouched = !backup && fmt !== "none" && (await isUnder(rootsOf(accepted), attestationObject));
  const tier: Tier = virtual ? "emulated" : vouched ? "hardware" : "software";
  return {
    passkey: {
      ...{ id, counter: credential.counter, backup, tier },
      publicKey: encodeBase64url(spkiOf(credential.publicKey)),
    },
    authenticator: aaguid,
  };
}

/** Whether the maker's certificates that came with it (`x5c`, by which its statement is signed) are under a root that the policy has. */
async function isUnder(roots: readonly Uint8Array[], attestationObject: string): Promise<boolean> {
  if (roots.length === 0) return false;
  const statement = decodeAttestationObject(decodeBase64url(attestationObject)).get("attStmt");
  const x5c = statement.get("x5c");
  if (x5c === undefined || x5c.length === 0) return false;
  const pem = (der: Uint8Array) => convertCertBufferToPEM(new Uint8Array(der));
  return validateCertificatePath(x5c.map(pem), roots.map(pem)).catch(() => false);
}

function spkiOf(encoded: Uint8Array): Uint8Array {
  const key = decodeCredentialPublicKey(new Uint8Array(encoded));
  if (!cose.isCOSEPublicKeyEC2(key)) throw new Error("not a key of P-256");
  const [x, y] = [key.get(cose.COSEKEYS.x), key.get(cose.COSEKEYS.y)];
  if (key.get(cose.COSEKEYS.crv) !== cose.COSECRV.P256 || !x || !y) throw new Error("not a key of P-256");
  return spkiFromJwk({ kty: "EC", crv: "P-256", x: encodeBase64url(x), y: encodeBase64url(y) });
}
