/** Messages of the document format whose pieces the HSM encrypts and decrypts: as an instance makes them, and opens them. */

import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { join, utf8 } from "#protocol/bytes.ts";
import {
  draftMessage,
  equalContext,
  type Header,
  joinMessage,
  MESSAGE_ID_LENGTH,
  splitMessage,
} from "#protocol/envelope/index.ts";
import { CofferError, codeOf } from "#protocol/error.ts";
import { canonicalJws, isLocalKey } from "#protocol/keys/index.ts";
import { type Answer, MAX_DATA, type Question } from "#protocol/operations/index.ts";
import type { Caller } from "../caller.ts";
import { fail, ok, type Result } from "../result.ts";

type Kms = Pick<Env["KMS_FOR_CAAS"], "encrypt" | "decrypt">;

/** By whom the encrypted data keys in a header are told apart, and what names the key of an EDK beside it. */
const PROVIDER = "coffer";

export async function encrypt(
  kms: Kms,
  caller: Caller,
  { key, context, data }: Question<"encrypt">,
): Promise<Result<Answer<"encrypt">>> {
  const edk = canonical(key);
  const name = nameIn(edk);
  if (edk === undefined || name === undefined) return fail("key-missing");
  const messageId = crypto.getRandomValues(new Uint8Array(MESSAGE_ID_LENGTH));
  const encryptedDataKeys = [{ providerId: PROVIDER, providerInfo: utf8(name), encryptedDataKey: utf8(edk) }];
  let draft: ReturnType<typeof draftMessage>;
  try {
    draft = draftMessage(decodeBase64url(data), { messageId, context, encryptedDataKeys });
  } catch (error) {
    if (error instanceof CofferError) return fail("context-mismatch");
    throw error;
  }
  const { start, pieces } = draft;
  const asked = { operation: "encrypt", context, messageId, start, pieces } as const;
  const done = await kms.encrypt(caller, edk, asked);
  return done.ok ? ok({ message: encodeBase64url(joinMessage(draft, done.value)) }) : done;
}

/** The key is the one that the message names. One error for all that may be wrong with a message. */
export async function decrypt(
  kms: Kms,
  caller: Caller,
  { context, message, key }: Question<"decrypt">,
): Promise<Result<Answer<"decrypt">>> {
  if (key !== undefined && isLocalKey(key)) return fail("key-missing");
  let split: ReturnType<typeof splitMessage>;
  let edk: string | undefined;
  try {
    split = splitMessage(decodeBase64url(message));
    edk = canonical(key ?? edkOf(split.header));
  } catch (error) {
    if (codeOf(error) === "decrypt-failed") return fail("decrypt-failed");
    throw error;
  }
  const { header, pieces } = split;
  if (!equalContext(header.context, context)) return fail("decrypt-failed");
  if (edk === undefined) return fail("key-missing");
  const { messageId, commitment, tag, body } = header;
  const start = body.slice(0, -commitment.length);
  const asked = { operation: "decrypt", context, messageId, start, commitment, tag, pieces } as const;
  const done = await kms.decrypt(caller, edk, asked);
  if (!done.ok) return done;
  const data = join(done.value.opened);
  return data.length > MAX_DATA ? fail("too-large") : ok({ data: encodeBase64url(data) });
}

/** The one EDK of ours in a header that is not authenticated yet. Throws `decrypt-failed`. */
function edkOf({ encryptedDataKeys }: Header): string {
  const [only, ...others] = encryptedDataKeys.filter(({ providerId }) => providerId === PROVIDER);
  const text = new TextDecoder().decode(only?.encryptedDataKey);
  if (others.length > 0 || !/^[A-Za-z0-9_.-]{1,8192}$/.test(text)) throw new CofferError("decrypt-failed");
  return text;
}

/** The EDK with the lower s, as a header has it; undefined for what is none. */
function canonical(edk: string): string | undefined {
  try {
    return isLocalKey(edk) ? undefined : canonicalJws(edk);
  } catch {
    return undefined;
  }
}

/** `<keyId>.<keyVersion>`, as the EDK says, which the KMS verifies before it works. */
function nameIn(edk: string | undefined): string | undefined {
  try {
    const payload = new TextDecoder().decode(decodeBase64url(edk?.split(".")[1] ?? ""));
    const { keyId, keyVersion } = JSON.parse(payload) as { keyId?: unknown; keyVersion?: unknown };
    const name = `${keyId}.${keyVersion}`;
    return /^[\w-]{1,64}\.[1-9]\d{0,8}$/.test(name) ? name : undefined;
  } catch {
    return undefined;
  }
}
