/**
 * Messages of the document format that the HSM encrypts and decrypts by pieces. The KMS makes their headers, nonces and ids and reads their headers
 * itself, before the HSM works, so that nobody who has operations done chooses them: two plaintexts never stand under one nonce.
 */

import { utf8 } from "#protocol/bytes.ts";
import { EDK_PROVIDER } from "#protocol/edk-provider.ts";
import {
  type Draft,
  draftMessage,
  equalContext,
  type Header,
  MESSAGE_ID_LENGTH,
  type Piece,
  splitMessage,
} from "#protocol/envelope/index.ts";
import { CofferError, codeOf } from "#protocol/error.ts";
import { canonicalJws, type Edk, edkProviderInfo } from "#protocol/keys/index.ts";
import { MAX_DATA, MAX_MESSAGE } from "#protocol/operations/index.ts";
import { type Decision, ok, refuse } from "../../result.ts";
import { type Bytes, MAX_CONTENT } from "./batch.ts";

/** What messages are for; the context of one says it. */
const PURPOSES: readonly unknown[] = ["document", "metadata", "data"];
const TAG_LENGTH = 16;

type Context = Record<string, string>;
export type Split = { header: Header; pieces: Piece[] };

/** A message under a fresh id, with the EDK that was verified. Errors: `context-mismatch`, `too-large`. */
export function draftFor(
  { edk, token }: { edk: Edk; token: string },
  { context, data }: { context: Context; data: Bytes },
): Decision<Draft> {
  if (!isOfKey(context, edk)) return refuse("context-mismatch", "context is not the key's");
  if (data.length > MAX_DATA) return refuse("too-large", "more than a message of one piece holds");
  const encryptedDataKey = utf8(canonicalJws(token));
  const encryptedDataKeys = [
    { providerId: EDK_PROVIDER, providerInfo: utf8(edkProviderInfo(edk)), encryptedDataKey },
  ];
  const messageId = crypto.getRandomValues(new Uint8Array(MESSAGE_ID_LENGTH));
  try {
    return ok(draftMessage(data, { messageId, context, encryptedDataKeys }));
  } catch (error) {
    if (error instanceof CofferError) return refuse("context-mismatch", error.code);
    throw error;
  }
}

/** A message in its pieces, whose header says what was asked for. Errors: `decrypt-failed`, `too-large`. */
export function splitFor(
  edk: Edk,
  { context, message }: { context: Context; message: Bytes },
): Decision<Split> {
  if (message.length > MAX_MESSAGE) return refuse("too-large", "longer than a message of one piece");
  let split: Split;
  try {
    split = splitMessage(message);
  } catch (error) {
    if (codeOf(error) === "decrypt-failed") return refuse("decrypt-failed", "no message of one piece");
    throw error;
  }
  if (!isOfKey(context, edk) || !equalContext(split.header.context, context))
    return refuse("decrypt-failed", "context is not the message's and the key's");
  if (split.pieces.some(({ bytes }) => bytes.length > MAX_CONTENT))
    return refuse("too-large", "a frame is longer than the HSM takes");
  if (split.pieces.reduce((sum, { bytes }) => sum + bytes.length - TAG_LENGTH, 0) > MAX_DATA)
    return refuse("too-large", "more than a message of one piece holds");
  return ok(split);
}

function isOfKey({ tenant, account, purpose }: Context, edk: Edk): boolean {
  return tenant === edk.tenant && account === edk.account && PURPOSES.includes(purpose);
}
