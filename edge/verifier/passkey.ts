/** Registrations of passkeys: what a browser sends after `navigator.credentials.create` in the vault's frame. */
import { verifyRegistrationResponse } from "@simplewebauthn/server";
import { decodeClientDataJSON } from "@simplewebauthn/server/helpers";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { checkNotRevoked, type PasskeyResult } from "#protocol/evidence/index.ts";
import { PASSKEY_ALGORITHM, PASSKEY_EVIDENCE } from "#protocol/passkey.ts";
import type { Tier } from "#protocol/policy/index.ts";
import { readAttestationObject } from "./attestation-object.ts";
import { pathToRoot } from "./maker.ts";
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

/** A passkey that a policy takes. `now` in milliseconds. Throws an `Error` with the reason, for a log alone. */
export async function verifyRegistration(
  policy: Policy | undefined,
  { id, clientDataJSON, attestationObject, challenge, vault, apps }: Registration,
  { now, production }: { now: number; production: boolean },
): Promise<PasskeyResult> {
  const accepted = policy?.accept.find(({ type }) => type === PASSKEY_EVIDENCE);
  if (!accepted) throw new Error("no passkeys are taken here");
  // Before the library, which converts and decodes whatever it finds in place of bytes.
  const {
    format,
    object,
    certificates,
    aaguid: model,
    publicKey,
  } = readAttestationObject(decodeBase64url(attestationObject));
  // What the library does not look at when a passkey is registered.
  const { crossOrigin, topOrigin } = decodeClientDataJSON(clientDataJSON) as Record<string, unknown>;
  const app = apps.find((one) => one === topOrigin);
  if (crossOrigin !== true || app === undefined) throw new Error("registered in another page than an app's");
  const { verified, registrationInfo } = await verifyRegistrationResponse({
    response: {
      ...{ id, rawId: id, type: "public-key", clientExtensionResults: {} },
      response: { clientDataJSON, attestationObject: encodeBase64url(object) },
    },
    expectedChallenge: challenge,
    expectedOrigin: vault,
    expectedRPID: new URL(vault).hostname,
    requireUserVerification: true,
    supportedAlgorithmIDs: [PASSKEY_ALGORITHM],
  });
  if (!verified) throw new Error("the registration is not signed by what it names");
  const { credential, aaguid, credentialDeviceType, fmt } = registrationInfo;
  if (credential.id !== id || fmt !== format) throw new Error("another passkey than it says");
  const backup = credentialDeviceType === "multiDevice";
  const virtual = aaguid === VIRTUAL;
  if (virtual && production) throw new Error("emulated platforms are not for production");
  const { revoked = [] } = accepted;
  await checkNotRevoked([publicKey], { revoked });
  const path = await pathToRoot(certificates, { roots: rootsOf(accepted), revoked, aaguid: model, now });
  const vouched = !backup && path !== null;
  const tier: Tier = virtual ? "emulated" : vouched ? "hardware" : "software";
  return {
    passkey: {
      ...{ id, counter: credential.counter, backup, tier, publicKey: encodeBase64url(publicKey) },
      ...(path && { certifiedBy: path }),
    },
    ...{ authenticator: aaguid, app },
  };
}
