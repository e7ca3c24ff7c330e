/** How a header names the second layer (`layer.ts`): an encrypted data key of a provider of its own, which has the name of a key and no key. */
import { utf8 } from "../bytes.ts";
import { decryptFailed } from "./suite.ts";

type Entry = { providerId: string; providerInfo: Uint8Array; encryptedDataKey: Uint8Array };

const PROVIDER = "coffer-layer";
const ALGORITHM = "HKDF-SHA512-A256GCM";

/** How the header names the layer. */
export function layerEntry(id: string): Entry {
  return { providerId: PROVIDER, providerInfo: utf8(id), encryptedDataKey: utf8(ALGORITHM) };
}

/** Identifier of the key of the second layer, which a header that is not authenticated yet names; undefined where it has none. */
export function layerOf(encryptedDataKeys: readonly Entry[]): string | undefined {
  const named = encryptedDataKeys.filter(({ providerId }) => providerId === PROVIDER);
  const [only] = named;
  if (!only) return undefined;
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const id = text(only.providerInfo);
  if (named.length > 1 || text(only.encryptedDataKey) !== ALGORITHM || !/^[\w-]{1,64}$/.test(id))
    throw decryptFailed();
  return id;
}
