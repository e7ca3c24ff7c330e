/** What a document's header, which is not authenticated yet, says of the key that it was sealed under. */

import { utf8 } from "#protocol/bytes.ts";
import { EDK_PROVIDER } from "#protocol/edk-provider.ts";
import type { EncryptedDataKey, Header } from "#protocol/envelope/index.ts";
import { CofferError } from "#protocol/error.ts";
import { canonicalJws, type Edk, edkProviderInfo } from "#protocol/keys/index.ts";

/** The entry that a message has beside its EDK where its key is a pair. */
const SECRET = "coffer-secret";

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

/** The secret of a message that was sealed under a pair (ladder/document-secret.ts), in a header that is not authenticated yet. */
export function secretOf(header: Header): Uint8Array<ArrayBuffer> {
  return new Uint8Array(ownKeyOf(header, SECRET).encryptedDataKey);
}

/** What the header of a message under this data key has: its EDK, and the message's secret where the key is a pair. */
export function entriesOf(edk: Edk, jws: string, secret?: Uint8Array<ArrayBuffer>): EncryptedDataKey[] {
  const providerInfo = utf8(edkProviderInfo(edk));
  const own = { providerId: EDK_PROVIDER, providerInfo, encryptedDataKey: utf8(canonicalJws(jws)) };
  return secret ? [own, { providerId: SECRET, providerInfo, encryptedDataKey: secret }] : [own];
}

function ownKeyOf(header: Header, provider = EDK_PROVIDER) {
  const own = header.encryptedDataKeys.filter((key) => key.providerId === provider);
  const [only] = own;
  if (!only || own.length > 1) throw new CofferError("decrypt-failed");
  return only;
}
