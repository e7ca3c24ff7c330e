import { type Edk, isPairWrapping, isRetained, JwsError } from "#protocol/keys/index.ts";
import { MAX_LABELS } from "#protocol/seed.ts";
import { failureOf } from "../hsm/index.ts";
import { type Decision, ok, refuse } from "../result.ts";
import type { Trust } from "./trust.ts";

/** What an EDK (compact JWS) says, if it is one of ours. */
export async function readEdk(trust: Pick<Trust, "verifyEdk">, token: string): Promise<Decision<Edk>> {
  try {
    return ok(await trust.verifyEdk(token));
  } catch (error) {
    if (error instanceof JwsError) return refuse("invalid-edk", `${error.code}: ${error.message}`);
    const { code, reason } = failureOf(error);
    return refuse(code, reason);
  }
}

/**
 * Several, each of them one of ours, none twice, and all registered in one object: of one account, or of the tenant and made
 * for one principal. `ofSeed`: whether they may be derived from a seed (M9); then all are, from one. `ofRetained`: whether they may be references
 * to what the KMS retains (M11).
 */
export async function readEdks(
  trust: Pick<Trust, "verifyEdk">,
  tokens: readonly string[],
  { ofSeed = false, ofRetained = false }: { ofSeed?: boolean; ofRetained?: boolean } = {},
): Promise<Decision<{ edk: Edk; token: string }[]>> {
  const read = await Promise.all(tokens.map((token) => readEdk(trust, token)));
  const items: { edk: Edk; token: string }[] = [];
  for (const [n, one] of read.entries()) {
    if (!one.ok) return one;
    items.push({ edk: one.value, token: tokens[n] ?? "" });
  }
  const names = new Set(items.map(({ edk }) => `${edk.keyId}.${edk.keyVersion}`));
  if (names.size !== items.length) return refuse("invalid-edk", "a key comes twice");
  if (!ofRetained && items.some(({ edk }) => isRetained(edk.wrapping)))
    return refuse("invalid-edk", "the KMS retains the key: the instance loads it itself");
  if (items.some(({ edk }) => isPairWrapping(edk.wrapping)))
    return refuse("key-unusable", "a pair: instances open it by the account key, and nobody rewraps it");
  const seeded = isOfSeed(items);
  if (seeded && !ofSeed) return refuse("invalid-edk", "the key is derived from a seed");
  if (seeded && !isOneSeed(items.map(({ edk }) => edk)))
    return refuse("invalid-edk", "keys of more than one seed, or too many");
  const places = new Set(items.map(({ edk: { account, owner } }) => account ?? `·${owner}`));
  return places.size === 1 ? ok(items) : refuse("invalid-edk", "keys of more than one account");
}

/** Whether these, which have been read, are keys of a seed. */
export function isOfSeed(items: readonly { edk: Edk }[]): boolean {
  return items.some(({ edk }) => edk.wrapping === "seed");
}

/** One HMAC key, one seed by its digest, and no more labels than one presentation has. */
function isOneSeed(edks: readonly Edk[]): boolean {
  const seeds = new Set(
    edks.map((edk) =>
      edk.wrapping === "seed"
        ? `${edk.seed.parameters} ${edk.seed.key} ${edk.seed.salt} ${edk.seed.digest}`
        : "",
    ),
  );
  return seeds.size === 1 && !seeds.has("") && edks.length <= MAX_LABELS;
}
