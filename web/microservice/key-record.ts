/** Key records: a key that another account has shared opens the document that it was shared for, and nothing else, by whomever that is asked. */

import { concat } from "#protocol/bytes.ts";
import { digest } from "#protocol/digest.ts";
import type { Header } from "#protocol/envelope/index.ts";
import { CofferError } from "#protocol/error.ts";
import type { Edk } from "#protocol/keys/index.ts";
import type { EncryptionContext } from "#protocol/port/index.ts";

/** Whether a key is for this account: its own, or of a record that of the document that the record names. */
export function isFor({ account, record }: Edk, context: EncryptionContext): boolean {
  return (
    context.account === (record?.account ?? account) && (!record || context.document === record.document)
  );
}

/** Throws for a message that is not the one that the record is for. Metadata of the document is under its key too, and names the message that it belongs to. */
export async function checkRecord(
  { record }: Edk,
  purpose: string | undefined,
  header: Header,
): Promise<void> {
  if (!record || purpose === "metadata") return;
  const { body, tag } = header;
  if ((await digest(concat(body, tag))) !== record.headerDigest) throw new CofferError("document-changed");
}
