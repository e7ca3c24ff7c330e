import { decodeBase64url } from "#protocol/base64url.ts";
import type { PlatformSecret } from "#protocol/evidence/index.ts";
import { parseJson } from "#protocol/json.ts";
import { base64url, checked, line } from "#protocol/shape.ts";

const MAX_PLATFORMS = 64;
const secret = base64url(32);

let kept: { text: string; secrets: Promise<readonly PlatformSecret[]> } | undefined;

/**
 * Keys that were assigned to platforms: the secret COFFER_PLATFORM_KEYS, a JSON object of 32 bytes each, base64url, by name. None
 * where there is none, or where a part of it is not as it should be.
 */
export function platformSecrets(env: object): Promise<readonly PlatformSecret[]> {
  const given = (env as { COFFER_PLATFORM_KEYS?: unknown }).COFFER_PLATFORM_KEYS;
  const text = typeof given === "string" ? given : "";
  if (kept?.text !== text) kept = { text, secrets: importAll(text) };
  return kept.secrets;
}

/** AES-256-GCM with a tag of 16 bytes; nobody can export the key. */
export async function platformSecret(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<PlatformSecret> {
  const key = await crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["decrypt"]);
  return {
    name,
    decrypt: async (of, ciphertext) =>
      new Uint8Array(
        await crypto.subtle.decrypt({ name: "AES-GCM", tagLength: 128, ...of }, key, ciphertext),
      ),
  };
}

async function importAll(text: string): Promise<readonly PlatformSecret[]> {
  if (text === "") return [];
  try {
    const table = parseJson(text);
    if (typeof table !== "object" || table === null || Array.isArray(table))
      throw new TypeError("not a table");
    const named = Object.entries(table);
    if (named.length > MAX_PLATFORMS) throw new RangeError("too many platforms");
    return await Promise.all(
      named.map(async ([name, value]) => {
        return platformSecret(checked(line(128), name), decodeBase64url(checked(secret, value)));
      }),
    );
  } catch {
    console.error(JSON.stringify({ event: "configuration", variable: "COFFER_PLATFORM_KEYS" }));
    return [];
  }
}
