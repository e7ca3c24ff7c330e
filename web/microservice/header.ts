/** What a document's header, which is not authenticated yet, says of the key that it was sealed under. */

import type { Header } from "#protocol/envelope/index.ts";
import { CofferError } from "#protocol/error.ts";
import { canonicalJws } from "#protocol/keys/index.ts";

/** By whom the encrypted data keys in a header are told apart. */
export const PROVIDER = "coffer";

/** The EDK in a header that is not authenticated yet: the one that Coffer's KMS made, with the lower s. */
export function edkOf(header: Header): string {
  const text = new TextDecoder().decode(ownKeyOf(header).encryptedDataKey);
  if (!/^[A-Za-z0-9_.-]{1,8192}$/.test(text)) throw new CofferError("decrypt-failed");
  return canonicalJws(text);
}

/** Key identifier and version, `<keyId>.<keyVersion>`, in a header that is not authenticated yet. */
export function keyOf(header: Header): string {
  const text = new TextDecoder().decode(ownKeyOf(header).providerInfo);
  if (!/^[\w-]{1,64}\.[1-9]\d{0,8}$/.test(text)) throw new CofferError("decrypt-failed");
  return text;
}

function ownKeyOf(header: Header) {
  const own = header.encryptedDataKeys.filter((key) => key.providerId === PROVIDER);
  const [only] = own;
  if (!only || own.length > 1) throw new CofferError("decrypt-failed");
  return only;
}
