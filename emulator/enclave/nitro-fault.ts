import type { CborInput } from "./cbor.ts";
import type { ChainChanges } from "./nitro-authority.ts";
import type { PartyFault } from "./party-faults.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Fields = [string, CborInput][];

/** What the enclave puts into a document; absent is null. */
export interface NitroRequest {
  nonce?: Uint8Array;
  userData?: Uint8Array;
  publicKey?: Uint8Array;
}

/** Where an enclave or its platform does otherwise than it should. */
export interface NitroFault extends PartyFault {
  /** As if the owner had asked for it at the start. */
  debug?: boolean;
  /** The instance's id says nothing of an emulator. */
  unmarked?: boolean;
  /** The certificates are issued under another root of the same name. */
  anotherRoot?: boolean;
  /** The certificates are those of another instance under the same root. */
  anotherSigner?: boolean;
  /** Certificates that are issued otherwise, at this time. */
  certificates?(now: number): ChainChanges;
  /** In place of the signer's certificate. */
  certificate?(certificate: Bytes): Bytes;
  /** In place of the bundle; `root` is the one that verifiers know. */
  bundle?(bundle: Bytes[], root: Bytes): Bytes[];
  /** In place of what the enclave puts in. */
  request?(request: NitroRequest): NitroRequest;
  /** In place of the document's fields. */
  fields?(fields: Fields): Fields;
  /** The document as a map of indefinite length. */
  indefinite?: boolean;
  /** In place of the encoded document, before it is signed. */
  payload?(payload: Bytes): Bytes;
  /** In place of the protected header, which is signed. */
  header?: [number, CborInput][];
  /** In the unprotected header, which is not. */
  unprotected?: [number, CborInput][];
  /** In place of the signed message. */
  message?(message: Bytes): Bytes;
}
