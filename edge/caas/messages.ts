/** What the CaaS takes from a request before the KMS is asked: which key it is for. Whatever a message is made with, the KMS makes itself. */

import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { EDK_PROVIDER } from "#protocol/edk-provider.ts";
import { equalContext, type Header, splitMessage } from "#protocol/envelope/index.ts";
import { CofferError, codeOf } from "#protocol/error.ts";
import { canonicalJws, isLocalKey } from "#protocol/keys/index.ts";
import type { Answer, Question } from "#protocol/operations/index.ts";
import type { Caller } from "../caller.ts";
import { fail, ok, type Result } from "../result.ts";

type Kms = Pick<Env["KMS_FOR_CAAS"], "encrypt" | "decrypt">;

export async function encrypt(
  kms: Kms,
  caller: Caller,
  { key, context, data }: Question<"encrypt">,
): Promise<Result<Answer<"encrypt">>> {
  const edk = canonical(key);
  if (edk === undefined) return fail("key-missing");
  const done = await kms.encrypt(caller, edk, { operation: "encrypt", context, data: decodeBase64url(data) });
  return done.ok ? ok({ message: encodeBase64url(done.value.message) }) : done;
}

/** The key is the one that the message names. One error for all that may be wrong with a message. */
export async function decrypt(
  kms: Kms,
  caller: Caller,
  { context, message: text, key }: Question<"decrypt">,
): Promise<Result<Answer<"decrypt">>> {
  if (key !== undefined && isLocalKey(key)) return fail("key-missing");
  const message = decodeBase64url(text);
  let edk: string | undefined;
  try {
    const { header } = splitMessage(message);
    edk = canonical(key ?? edkOf(header));
    if (!equalContext(header.context, context)) return fail("decrypt-failed");
  } catch (error) {
    if (codeOf(error) === "decrypt-failed") return fail("decrypt-failed");
    throw error;
  }
  if (edk === undefined) return fail("key-missing");
  const done = await kms.decrypt(caller, edk, { operation: "decrypt", context, message });
  return done.ok ? ok({ data: encodeBase64url(done.value.data) }) : done;
}

/** The one EDK of ours in a header that is not authenticated yet. Throws `decrypt-failed`. */
function edkOf({ encryptedDataKeys }: Header): string {
  const [only, ...others] = encryptedDataKeys.filter(({ providerId }) => providerId === EDK_PROVIDER);
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
