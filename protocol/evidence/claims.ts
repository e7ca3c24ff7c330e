import { encodeBase64url } from "../base64url.ts";
import { CLOCK_TOLERANCE } from "../clock.ts";
import { parseJson } from "../json.ts";
import type { Claims, Expectation } from "./format.ts";
import { versionIn } from "./platform-version.ts";

/** Seconds that evidence may live. */
const MAX_LIFETIME = 300;

/** What the emulator's platform says, in whatever form: of this nonce and subject, of now, of one code. Throws an `Error` with the reason. */
export function claimsIn(claims: Record<string, unknown>, { nonce, subject, now }: Expectation): Claims {
  const { environment, eat_nonce, sub, iat, exp, measurement, hwversion } = claims;
  const seconds = now / 1000;
  if (environment !== "EMULATED") throw new Error("evidence of the emulator must say so");
  if (eat_nonce !== encodeBase64url(nonce)) throw new Error("another nonce");
  if (sub !== subject) throw new Error("evidence of another client");
  if (!Number.isSafeInteger(iat) || !Number.isSafeInteger(exp)) throw new Error("the times are missing");
  const [issued, expires] = [iat as number, exp as number];
  if (!(issued <= seconds + CLOCK_TOLERANCE && seconds < expires && expires - issued <= MAX_LIFETIME))
    throw new Error("not the time of this evidence");
  if (typeof measurement !== "string" || !/^([0-9a-f]{64}|[0-9a-f]{96})$/.test(measurement))
    throw new Error("the measurement is missing");
  const version = versionIn(hwversion);
  return {
    // Its one register is that of the code.
    measurements: { code: measurement, pcr0: measurement },
    expires: expires * 1000,
    ...(version !== undefined && { platform: { version } }),
  };
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
}

/** Throws a `TypeError` for what is no JSON object. */
export function objectIn(part: Uint8Array): Record<string, unknown> {
  const value: unknown = parseJson(textOf(part));
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("not an object");
  return value as Record<string, unknown>;
}
