/**
 * Operations with a data key at the HSM (M16), each in one batch: the account key comes in and under it the data key, what is needed
 * is derived from that and works, and all of it goes again. No key leaves; the commitment does, which stands in every message.
 */

import { COMMITMENT_INFO, MAC_INFO, messageKeyInfo, SUITE_ID } from "#protocol/derived.ts";
import { KEY, USAGE } from "#protocol/hierarchy/index.ts";
import type { RequestItem, ResponseItem } from "#protocol/kmip/index.ts";
import { type Hsm, UnexpectedAnswer } from "../../hsm/index.ts";
import {
  importAccountKey,
  importWrapped,
  type Ledger,
  type NextName,
  pastAt,
  retire,
  runBatch,
  underMasterAs,
} from "../../hsm/keys/index.ts";
import type { Under } from "../loading/index.ts";

export type Bytes = Uint8Array<ArrayBuffer>;
type AtHsm = { hsm: Pick<Hsm, "batch">; ledger: Ledger };
type Name = ReturnType<NextName>;

/** A data key as it stands under another. */
export type WrappedDataKey = { under: Under; wrapped: Bytes };

/** AES-256-GCM of a message: `bytes` is plaintext, or ciphertext and tag. */
export type Piece = { iv: Bytes; additionalData: Bytes; bytes: Bytes };

const GCM = { blockCipherMode: "GCM", tagLength: 16 } as const;
const HMAC = { cryptographicAlgorithm: "HMAC_SHA256", cryptographicLength: 256 } as const;
const TAG_LENGTH = 16;
/** Content of one KMIP message, bytes; a piece has no more. */
export const MAX_CONTENT = 512 << 10;

const DERIVED = {
  message: { info: messageKeyInfo(SUITE_ID), algorithm: KEY },
  commitment: { info: COMMITMENT_INFO, algorithm: HMAC },
  mac: { info: MAC_INFO, algorithm: HMAC },
} as const;

/** The commitment of a message with this id, 32 bytes. Throws what the HSM throws. */
export async function commitmentOf(at: AtHsm, key: WrappedDataKey, messageId: Bytes): Promise<Bytes> {
  const answers = await withDataKey(at, key, (data, name) => commitment(data, messageId, name()));
  return commitmentIn(answers);
}

/** Ciphertext and tag of each piece, in their order; as many messages to the HSM as their length takes. */
export async function encryptPieces(
  at: AtHsm,
  key: WrappedDataKey,
  messageId: Bytes,
  pieces: readonly Piece[],
): Promise<Bytes[]> {
  const sealed: Bytes[] = [];
  for (const some of groupsOf(pieces)) {
    const answers = await withDataKey(at, key, (data, name) =>
      withMessageKey(data, messageId, name(), some.map(encryptItem)),
    );
    sealed.push(...answers.filter(({ operation }) => operation === "Encrypt").map(ciphertextOf));
  }
  return sealed;
}

/**
 * The plaintext of each piece, and the message's commitment. Throws a `KmipError` of the operation Decrypt for a piece that is not
 * authentic.
 */
export async function decryptPieces(
  at: AtHsm,
  key: WrappedDataKey,
  messageId: Bytes,
  pieces: readonly Piece[],
): Promise<{ commitment: Bytes; opened: Bytes[] }> {
  const opened: Bytes[] = [];
  let found: Bytes | undefined;
  for (const some of groupsOf(pieces)) {
    const first = found === undefined;
    const answers = await withDataKey(at, key, (data, name) => [
      ...(first ? commitment(data, messageId, name()) : []),
      ...withMessageKey(data, messageId, name(), some.map(decryptItem)),
    ]);
    found ??= commitmentIn(answers);
    opened.push(...answers.filter(({ operation }) => operation === "Decrypt").map(plaintextOf));
  }
  if (found === undefined) throw new TypeError("a message has pieces");
  return { commitment: found, opened };
}

/** HMAC-SHA-256 under the key for MACs, 32 bytes. */
export async function macOf(at: AtHsm, key: WrappedDataKey, data: Bytes): Promise<Bytes> {
  const answers = await withDataKey(at, key, (base, name) =>
    withMacKey(base, name(), { operation: "MAC", payload: { uniqueIdentifier: DERIVED_NOW, data } }),
  );
  const made = answers.find(({ operation }) => operation === "MAC");
  const value = made?.operation === "MAC" ? made.payload?.macData : undefined;
  if (value?.length !== 32) throw new UnexpectedAnswer("the HSM made no MAC");
  return new Uint8Array(value);
}

/** Whether it is the MAC of that data; the HSM compares. */
export async function isMac(
  at: AtHsm,
  key: WrappedDataKey,
  { data, mac }: { data: Bytes; mac: Bytes },
): Promise<boolean> {
  const answers = await withDataKey(at, key, (base, name) =>
    withMacKey(base, name(), {
      operation: "MACVerify",
      payload: { uniqueIdentifier: DERIVED_NOW, data, macData: mac },
    }),
  );
  const verified = answers.find(({ operation }) => operation === "MACVerify");
  if (verified?.operation !== "MACVerify" || !verified.payload)
    throw new UnexpectedAnswer("the HSM verified no MAC");
  return verified.payload.validityIndicator === "Valid";
}

/** What was derived last in this batch (KMIP 2.1, Unique Identifier). */
const DERIVED_NOW = { reference: "DeriveKey" } as const;

function withDataKey(
  { hsm, ledger }: AtHsm,
  { under, wrapped }: WrappedDataKey,
  work: (data: string, name: NextName) => RequestItem[],
): Promise<ResponseItem[]> {
  const now = Date.now();
  const [account, id] = [crypto.randomUUID(), crypto.randomUUID()];
  return runBatch(hsm, ledger, (name) => {
    const data = { id, class: "data" as const, wrapped, now };
    if (under.wrapped === undefined) {
      const { master } = under;
      const imported = importWrapped({
        ...data,
        wrappedBy: master,
        by: underMasterAs(master, wrapped),
        name: name(),
      });
      return [imported, ...work(id, name), ...retire(id)];
    }
    return [
      ...importAccountKey(under, { id: account, name, now }),
      importWrapped({ ...data, wrappedBy: account, byPair: under.publicKey !== null, name: name() }),
      ...work(id, name),
      ...retire(id),
      ...retire(account),
    ];
  });
}

function derive(data: string, of: keyof typeof DERIVED, name: Name, salt?: Bytes): RequestItem {
  const { info: derivationData, algorithm } = DERIVED[of];
  return {
    operation: "DeriveKey",
    payload: {
      objectType: "SymmetricKey",
      uniqueIdentifier: [data],
      derivationMethod: "HKDF",
      derivationParameters: {
        cryptographicParameters: { hashingAlgorithm: "SHA_512" },
        ...{ derivationData, ...(salt && { salt }) },
      },
      attributes: {
        ...algorithm,
        cryptographicUsageMask: [...USAGE[of]],
        ...pastAt(Date.now()),
        name,
      },
    },
  };
}

function commitment(data: string, messageId: Bytes, name: Name): RequestItem[] {
  const get: RequestItem = { operation: "Get", payload: { uniqueIdentifier: DERIVED_NOW } };
  return [derive(data, "commitment", name, messageId), get, ...retireNamed(name)];
}

function withMessageKey(data: string, messageId: Bytes, name: Name, work: RequestItem[]): RequestItem[] {
  return [derive(data, "message", name, messageId), ...work, ...retireNamed(name)];
}

function withMacKey(data: string, name: Name, work: RequestItem): RequestItem[] {
  return [derive(data, "mac", name), work, ...retireNamed(name)];
}

/** What two derivations make has one reference between them: each is found by its own name. */
function retireNamed(name: Name): RequestItem[] {
  return [
    { operation: "Locate", payload: { attributes: { name } } },
    { operation: "Revoke", payload: { revocationReason: { revocationReasonCode: "CessationOfOperation" } } },
    { operation: "Destroy", payload: {} },
  ];
}

function encryptItem({ iv, additionalData, bytes }: Piece): RequestItem {
  return { operation: "Encrypt", payload: { ...pieceOf(iv, additionalData), data: bytes } };
}

function decryptItem({ iv, additionalData, bytes }: Piece): RequestItem {
  const tag = bytes.slice(-TAG_LENGTH);
  const data = bytes.slice(0, -TAG_LENGTH);
  const payload = { ...pieceOf(iv, additionalData), data, authenticatedEncryptionTag: tag };
  return { operation: "Decrypt", payload };
}

function pieceOf(ivCounterNonce: Bytes, authenticatedEncryptionAdditionalData: Bytes) {
  const how = { uniqueIdentifier: DERIVED_NOW, cryptographicParameters: GCM };
  return { ...how, ivCounterNonce, authenticatedEncryptionAdditionalData };
}

/** Pieces that go into one message. */
function groupsOf(pieces: readonly Piece[]): Piece[][] {
  const groups: Piece[][] = [];
  let room = 0;
  for (const piece of pieces) {
    room -= piece.bytes.length;
    const group = groups.at(-1);
    if (group && room >= 0) group.push(piece);
    else {
      groups.push([piece]);
      room = MAX_CONTENT - piece.bytes.length;
    }
  }
  return groups;
}

function commitmentIn(answers: readonly ResponseItem[]): Bytes {
  const got = answers.find(({ operation }) => operation === "Get");
  const object = got?.operation === "Get" ? got.payload?.object : undefined;
  const value = object?.symmetricKey?.keyBlock.keyValue;
  const bytes = value instanceof Uint8Array ? undefined : value?.keyMaterial;
  if (!(bytes instanceof Uint8Array) || bytes.length !== 32)
    throw new UnexpectedAnswer("the HSM gave no commitment");
  return new Uint8Array(bytes);
}

function ciphertextOf(answer: ResponseItem): Bytes {
  const { data, authenticatedEncryptionTag: tag } = (answer.operation === "Encrypt" && answer.payload) || {};
  if (tag?.length !== TAG_LENGTH) throw new UnexpectedAnswer("the HSM encrypted nothing");
  const sealed = new Uint8Array((data?.length ?? 0) + TAG_LENGTH);
  sealed.set(data ?? []);
  sealed.set(tag, sealed.length - TAG_LENGTH);
  return sealed;
}

function plaintextOf(answer: ResponseItem): Bytes {
  if (answer.operation !== "Decrypt" || !answer.payload)
    throw new UnexpectedAnswer("the HSM decrypted nothing");
  return new Uint8Array(answer.payload.data ?? []);
}
