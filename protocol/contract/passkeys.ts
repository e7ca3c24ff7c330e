/** Passkeys of a user, which are registered in the vault's frame, on its origin, and seen and removed by the app. Times are seconds since 1970. */

import { base64url, boolean, list, literal, object, open, seconds, text } from "../shape.ts";
import { plainName } from "./names.ts";
import type { BodyOf, Route } from "./route.ts";

/** Credential ID of Web Authentication, base64url. */
const credential = text(1, 1366, /^[\w-]*$/);
const tier = literal("software", "emulated", "hardware");

/** Opens the registration of a passkey. `user`: the user handle; `known`: passkeys that there are. The challenge works once. */
export const openPasskey = {
  site: "vault",
  method: "POST",
  path: "/ra/passkeys/challenges",
  authentication: "session",
  answer: {
    status: 201,
    json: open({
      challenge: base64url(32),
      user: plainName,
      known: list(credential, 0, 16),
      expires: seconds,
    }),
  },
  problems: ["attestation-refused", "conflict", "too-many-requests", "verifier-unavailable"],
} as const satisfies Route;

/** What `navigator.credentials.create` has answered: all base64url. The answer says how far an instance that it vouches for is trusted. */
export const registerPasskey = {
  site: "vault",
  method: "POST",
  path: "/ra/passkeys",
  authentication: "session",
  request: {
    json: object({
      challenge: base64url(32),
      id: credential,
      clientDataJSON: text(1, 4096, /^[\w-]*$/),
      attestationObject: text(1, 24_576, /^[\w-]*$/),
    }),
  },
  answer: { status: 201, json: open({ id: credential, tier }) },
  problems: [
    "invalid-grant",
    "foreign-custodian",
    "attestation-refused",
    "conflict",
    "too-many-requests",
    "verifier-unavailable",
  ],
} as const satisfies Route;
export type PasskeyRegistration = BodyOf<typeof registerPasskey>;

/**
 * The caller's own, newest first. `tier`: what it was worth when it was registered; the policy of the moment says each time what it vouches for.
 * `authenticator`: its model (AAGUID). `synced`: whether it may leave its authenticator. `app`: origin of the page in which it was made, whose
 * app alone removes it; none of one that an earlier release has registered.
 */
export const listPasskeys = {
  site: "app",
  method: "GET",
  path: "/ra/passkeys",
  authentication: "token",
  answer: {
    status: 200,
    json: open({
      passkeys: list(
        open(
          { id: credential, tier, authenticator: text(36, 36), synced: boolean, registered: seconds },
          { used: seconds, app: text(1, 256) },
        ),
        0,
        16,
      ),
    }),
  },
  problems: ["forbidden"],
} as const satisfies Route;

/** By the app in whose page it was made. From then on it vouches for nothing; instances that it has vouched for stay. */
export const removePasskey = {
  site: "app",
  method: "DELETE",
  path: "/ra/passkeys/{id}",
  authentication: "token",
  parameters: { id: credential },
  answer: { status: 204 },
  problems: ["forbidden", "not-found"],
} as const satisfies Route;
