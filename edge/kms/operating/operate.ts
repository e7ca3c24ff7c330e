/** One operation with a data key in the HSM (M16): decided, done, and decided again before the answer leaves. */

import { decodeBase64url } from "#protocol/base64url.ts";
import { concat, equalConstantTime, join } from "#protocol/bytes.ts";
import { seconds } from "#protocol/clock.ts";
import { type Draft, joinMessage, type Piece } from "#protocol/envelope/index.ts";
import { type Edk, isSignature, type SignatureAlgorithm } from "#protocol/keys/index.ts";
import { KmipError } from "#protocol/kmip/index.ts";
import { MAX_DATA } from "#protocol/operations/index.ts";
import type { KeyOperation } from "#protocol/policy/index.ts";
import { authorize } from "../../authorize.ts";
import type { Caller } from "../../caller.ts";
import { type Decision, ok, type Result, refuse } from "../../result.ts";
import { type Asking, type Context, type Door, failedUnderMaster, noMember } from "../context.ts";
import { countReleases } from "../key-management.ts";
import { askStanding, askUnder, type Item, isUnder } from "../loading/index.ts";
import { findDataKey } from "../registry.ts";
import {
  type Bytes,
  commitmentOf,
  decryptPieces,
  encryptPieces,
  isMac,
  macOf,
  type WrappedDataKey,
} from "./batch.ts";
import { decideOperation } from "./decide.ts";
import { draftFor, type Split, splitFor } from "./messages.ts";
import type { OperationPace } from "./pace.ts";
import { checkAllowed, signAtHsm } from "./sign.ts";

/** What is to be done, as the CaaS asks for it: content, and nothing that a message is made with. */
export type Operation =
  | { operation: "encrypt"; context: Record<string, string>; data: Bytes }
  | { operation: "decrypt"; context: Record<string, string>; message: Bytes }
  | { operation: "mac"; data: Bytes }
  | { operation: "macVerify"; data: Bytes; mac: Bytes }
  | { operation: "sign"; data: Bytes }
  /** What verifies is public, and the CaaS does it. */
  | { operation: "verify" };

/** The same with what the KMS has made or read of it. */
type Prepared =
  | { operation: "encrypt"; draft: Draft }
  | { operation: "decrypt"; split: Split }
  | Exclude<Operation, { operation: "encrypt" | "decrypt" }>;

export type Operated = {
  encrypt: { message: Bytes };
  decrypt: { data: Bytes };
  mac: { mac: Bytes };
  macVerify: { valid: boolean };
  sign: { signature: Bytes };
  verify: { algorithm: SignatureAlgorithm; publicKey: string };
};

/** Bytes of HMAC-SHA-256, and of a nonce. */
const [MAC_LENGTH, IV_LENGTH] = [32, 12];

/** Errors: `forbidden`, `context-mismatch`, `decrypt-failed`, `too-large`, `too-many-requests`, `conflict`, `hsm-refused`, `hsm-unavailable`. */
export async function operate(
  door: Door,
  pace: OperationPace,
  caller: Caller,
  asked: Operation,
  item: Item,
): Promise<Result<Operated[Operation["operation"]]>> {
  const { neighbours } = door;
  const { edk } = item;
  const { operation } = asked;
  const resource = `key/${edk.keyId}.${edk.keyVersion}`;
  const about = { caller, resource, requestId: caller.requestId };
  const action = `kms:${operation}`;
  const under = await askUnder(neighbours)(edk, caller);
  if (!under.ok) return door.refuse({ action, ...about }, noMember(under.problem));
  const kms = await door.enter();
  const decide = (person: Asking) => (sql: SqlStorage) => {
    const now = seconds(Date.now());
    const record = findDataKey(sql, edk.keyId, edk.keyVersion);
    const standing = { edk, record, person, policies: kms.policies(), now };
    return decideOperation(caller, standing, operation satisfies KeyOperation);
  };
  const decision = authorize<Prepared>(kms.store, { action, ...about }, (sql) => {
    const allowed = decide(under.value.by)(sql);
    if (!allowed.ok) return allowed;
    const prepared = prepare(asked, item);
    if (!prepared.ok) return prepared;
    const turn = pace.take(Date.now() / 1000);
    return turn.ok ? prepared : turn;
  });
  if (!decision.ok) return decision;
  if (!isUnder(edk, under.value))
    return authorize<never>(kms.store, { action, ...about }, () =>
      refuse("conflict", "EDK is under another account key"),
    );
  const key = { under: under.value, wrapped: decodeBase64url(edk.wrappedKey) };
  try {
    const done = await atHsm(kms, { ...key, edk }, decision.value);
    if (done === undefined)
      return authorize<never>(kms.store, { action: `${action}-at-hsm`, ...about }, () =>
        refuse("decrypt-failed", "the message is not authentic"),
      );
    // While the HSM worked the user may have signed out or left, the account been shredded, the key been disabled: then nobody
    // gets what was done.
    const again = await askStanding(neighbours)(edk, caller);
    const answered = authorize<null>(kms.store, { action: "kms:answer", ...about }, (sql) => {
      if (!again.ok) return noMember(again.problem);
      const allowed = decide(again.value.by)(sql);
      if (allowed.ok) countReleases(sql, [{ id: edk.keyId, version: edk.keyVersion }], seconds(Date.now()));
      return allowed;
    });
    return answered.ok ? ok(done) : answered;
  } catch (error) {
    if (isNotAllowed(error))
      return authorize<never>(kms.store, { action: `${action}-at-hsm`, ...about }, () =>
        refuse("forbidden", "the officer has not allowed operations for this tenant"),
      );
    return await failedUnderMaster(kms, `${action}-at-hsm`, about, error);
  }
}

/** Of what is asked, apart from the key: nothing of it goes to the HSM before it is known to be what it has to be. */
function prepare(asked: Operation, item: Item): Decision<Prepared> {
  switch (asked.operation) {
    case "encrypt": {
      const draft = draftFor(item, asked);
      return draft.ok ? ok({ operation: "encrypt", draft: draft.value }) : draft;
    }
    case "decrypt": {
      const split = splitFor(item.edk, asked);
      return split.ok ? ok({ operation: "decrypt", split: split.value }) : split;
    }
    case "verify":
      return ok(asked);
    case "mac":
    case "macVerify":
    case "sign":
      if (asked.data.length > MAX_DATA) return refuse("too-large", "more than one piece");
      if (asked.operation === "macVerify" && asked.mac.length !== MAC_LENGTH)
        return refuse("bad-request", "no MAC");
      return ok(asked);
  }
}

/** Undefined for a message that is not authentic. Throws what the HSM throws otherwise. */
async function atHsm(kms: Context, key: WrappedDataKey & { edk: Edk }, asked: Prepared) {
  switch (asked.operation) {
    case "encrypt":
      return encrypt(kms, key, asked.draft);
    case "decrypt":
      return decrypt(kms, key, asked.split);
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
async function encrypt(kms: Context, key: WrappedDataKey, draft: Draft): Promise<Operated["encrypt"]> {
  const { messageId, start, pieces } = draft;
  const commitment = await commitmentOf(kms, key, messageId);
  const [tag, ...sealed] = await encryptPieces(kms, key, messageId, [
    headerPiece(concat(start, commitment)),
    ...pieces,
  ]);
  if (tag === undefined) throw new TypeError("a message has a header");
  return { message: joinMessage(draft, { commitment, tag, sealed }) };
}

async function decrypt(
  kms: Context,
  key: WrappedDataKey,
  { header, pieces }: Split,
): Promise<Operated["decrypt"] | undefined> {
  const { messageId, commitment, tag, body } = header;
  try {
    const done = await decryptPieces(kms, key, messageId, [headerPiece(body, tag), ...pieces]);
    // Without this one ciphertext could have two plaintexts, under two keys.
    if (!equalConstantTime(done.commitment, commitment)) return undefined;
    return { data: join(done.opened.slice(1)) };
  } catch (error) {
    const isAltered = error instanceof KmipError && error.operation === "Decrypt";
    if (isAltered && error.code !== "PermissionDenied") return undefined;
    throw error;
  }
}

function headerPiece(additionalData: Bytes, bytes: Bytes = new Uint8Array()): Piece {
  return { iv: new Uint8Array(IV_LENGTH), additionalData, bytes };
}
