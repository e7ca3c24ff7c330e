/** One operation with a data key in the HSM (M16): decided, done, and decided again before the answer leaves. */

import { decodeBase64url } from "#protocol/base64url.ts";
import { concat, equalConstantTime } from "#protocol/bytes.ts";
import { seconds } from "#protocol/clock.ts";
import { type Edk, isSignature, type SignatureAlgorithm } from "#protocol/keys/index.ts";
import { KmipError } from "#protocol/kmip/index.ts";
import type { KeyOperation } from "#protocol/policy/index.ts";
import { authorize } from "../../authorize.ts";
import type { Caller } from "../../caller.ts";
import { type Decision, ok, type Result, refuse } from "../../result.ts";
import { type Context, type Door, failedUnderMaster, noMember } from "../context.ts";
import { countRelease } from "../key-management.ts";
import { type Asking, askStanding, askUnder, type Item, isUnder } from "../loading/index.ts";
import { findDataKey } from "../registry.ts";
import {
  type Bytes,
  commitmentOf,
  decryptPieces,
  encryptPieces,
  isMac,
  MAX_CONTENT,
  macOf,
  type Piece,
  type WrappedDataKey,
} from "./batch.ts";
import { decideOperation } from "./decide.ts";
import type { OperationPace } from "./pace.ts";
import { checkAllowed, signAtHsm } from "./sign.ts";

/**
 * What is to be done. `start` of a message is its header up to the commitment, `tag` the header's: its AES-GCM tag over the whole header, with
 * a nonce of zeros (AWS Encryption SDK, message header).
 */
export type Operation =
  | { operation: "encrypt"; context: Record<string, string>; messageId: Bytes; start: Bytes; pieces: Piece[] }
  | {
      operation: "decrypt";
      context: Record<string, string>;
      messageId: Bytes;
      start: Bytes;
      commitment: Bytes;
      tag: Bytes;
      pieces: Piece[];
    }
  | { operation: "mac"; data: Bytes }
  | { operation: "macVerify"; data: Bytes; mac: Bytes }
  | { operation: "sign"; data: Bytes }
  /** What verifies is public, and the CaaS does it. */
  | { operation: "verify" };

export type Operated = {
  encrypt: { commitment: Bytes; tag: Bytes; sealed: Bytes[] };
  decrypt: { opened: Bytes[] };
  mac: { mac: Bytes };
  macVerify: { valid: boolean };
  sign: { signature: Bytes };
  verify: { algorithm: SignatureAlgorithm; publicKey: string };
};

/** What messages are for; the context of one says it. */
const PURPOSES: readonly unknown[] = ["document", "metadata", "data"];
const MESSAGE_ID_LENGTH = 32;
const NONCE_LENGTH = 12;

/** Errors: `forbidden`, `context-mismatch`, `decrypt-failed`, `too-large`, `too-many-requests`, `conflict`, `hsm-refused`, `hsm-unavailable`. */
export async function operate(
  door: Door,
  pace: OperationPace,
  caller: Caller,
  asked: Operation,
  { edk }: Item,
): Promise<Result<Operated[Operation["operation"]]>> {
  const { neighbours } = door;
  const { operation } = asked;
  const resource = `key/${edk.keyId}.${edk.keyVersion}`;
  const about = { caller, resource, requestId: caller.requestId };
  const action = `kms:${operation}`;
  const under = await askUnder(neighbours)(edk, caller);
  if (!under.ok) return door.refuse({ action, ...about }, noMember(under.problem));
  const kms = await door.enter();
  const decide = (person: Asking, first: boolean) => (sql: SqlStorage) => {
    const now = seconds(Date.now());
    const record = findDataKey(sql, edk.keyId, edk.keyVersion);
    const standing = { edk, record, person, policies: kms.policies(), now };
    const decision = decideOperation(caller, standing, operation satisfies KeyOperation);
    if (!decision.ok) return decision;
    if (!first) countRelease(sql, { id: edk.keyId, version: edk.keyVersion }, now);
    return first ? checkAsked(asked, edk, pace) : decision;
  };
  const decision = authorize<null>(kms.store, { action, ...about }, decide(under.value.by, true));
  if (!decision.ok) return decision;
  if (!isUnder(edk, under.value))
    return authorize<never>(kms.store, { action, ...about }, () =>
      refuse("conflict", "EDK is under another account key"),
    );
  const key = { under: under.value, wrapped: decodeBase64url(edk.wrappedKey) };
  try {
    const done = await atHsm(kms, { ...key, edk }, asked);
    if (done === undefined)
      return authorize<never>(kms.store, { action: `${action}-at-hsm`, ...about }, () =>
        refuse("decrypt-failed", "the message is not authentic"),
      );
    // While the HSM worked the user may have signed out or left, the account been shredded, the key been disabled: then nobody
    // gets what was done.
    const again = await askStanding(neighbours)(edk, caller);
    const answered = authorize<null>(kms.store, { action: "kms:answer", ...about }, (sql) =>
      again.ok ? decide(again.value.by, false)(sql) : noMember(again.problem),
    );
    return answered.ok ? ok(done) : answered;
  } catch (error) {
    if (isNotAllowed(error))
      return authorize<never>(kms.store, { action: `${action}-at-hsm`, ...about }, () =>
        refuse("forbidden", "the officer has not allowed operations for this tenant"),
      );
    return await failedUnderMaster(kms, `${action}-at-hsm`, about, error);
  }
}

/** Of what is asked, apart from the key. */
function checkAsked(asked: Operation, { tenant, account }: Item["edk"], pace: OperationPace): Decision<null> {
  if ("context" in asked) {
    const { context } = asked;
    if (context.tenant !== tenant || context.account !== account || !PURPOSES.includes(context.purpose))
      return asked.operation === "encrypt"
        ? refuse("context-mismatch", "context is not the key's")
        : refuse("decrypt-failed", "context is not the key's");
    if (asked.messageId.length !== MESSAGE_ID_LENGTH) return refuse("bad-request", "no message id");
    if (asked.pieces.length === 0 || asked.pieces.some(({ iv }) => iv.length !== NONCE_LENGTH))
      return refuse("bad-request", "not the pieces of a message");
    if (asked.pieces.some(({ bytes }) => bytes.length > MAX_CONTENT))
      return refuse("too-large", "a frame is longer than the HSM takes");
  }
  return pace.take(Date.now() / 1000);
}

/** Undefined for a message that is not authentic. Throws what the HSM throws otherwise. */
async function atHsm(kms: Context, key: WrappedDataKey & { edk: Edk }, asked: Operation) {
  switch (asked.operation) {
    case "encrypt":
      return encrypt(kms, key, asked);
    case "decrypt":
      return decrypt(kms, key, asked);
    case "mac":
      return { mac: await macOf(kms, key, asked.data) };
    case "macVerify":
      return { valid: await isMac(kms, key, asked) };
    case "sign":
      return { signature: await signAtHsm(kms, key, asked.data) };
    case "verify":
      await checkAllowed(kms);
      return verifierOf(key.edk);
  }
}

function verifierOf({ algorithm, signing }: Edk): Operated["verify"] {
  if (!signing || !isSignature(algorithm)) throw new TypeError("not a key that signs");
  return { algorithm, publicKey: signing.publicKey };
}

/** The HSM asks for the officer's word where something is derived from a data key, and where a pair signs. */
function isNotAllowed(error: unknown): boolean {
  if (!(error instanceof KmipError) || error.code !== "PermissionDenied") return false;
  return error.operation === "DeriveKey" || error.operation === "Sign";
}

/** Two batches at least: the header that is tagged has the commitment in it. */
async function encrypt(kms: Context, key: WrappedDataKey, asked: Operation & { operation: "encrypt" }) {
  const { messageId, start, pieces } = asked;
  const commitment = await commitmentOf(kms, key, messageId);
  const [tag, ...sealed] = await encryptPieces(kms, key, messageId, [
    headerPiece(concat(start, commitment)),
    ...pieces,
  ]);
  if (tag === undefined) throw new TypeError("a message has a header");
  return { commitment, tag, sealed };
}

async function decrypt(kms: Context, key: WrappedDataKey, asked: Operation & { operation: "decrypt" }) {
  const { messageId, start, commitment, tag, pieces } = asked;
  const header = headerPiece(concat(start, commitment), tag);
  try {
    const done = await decryptPieces(kms, key, messageId, [header, ...pieces]);
    // Without this one ciphertext could have two plaintexts, under two keys.
    if (!equalConstantTime(done.commitment, commitment)) return undefined;
    return { opened: done.opened.slice(1) };
  } catch (error) {
    const isAltered = error instanceof KmipError && error.operation === "Decrypt";
    if (isAltered && error.code !== "PermissionDenied") return undefined;
    throw error;
  }
}

function headerPiece(additionalData: Bytes, bytes: Bytes = new Uint8Array()): Piece {
  return { iv: new Uint8Array(NONCE_LENGTH), additionalData, bytes };
}
