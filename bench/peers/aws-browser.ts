import {
  AlgorithmSuiteIdentifier,
  buildClient,
  CommitmentPolicy,
  RawAesKeyringWebCrypto,
  RawAesWrappingSuiteIdentifier,
} from "@aws-crypto/client-browser";
import { join } from "../../protocol/bytes.ts";
import type { Peer } from "./peer.ts";

/** Frames of its own 4 KiB are more than it can join of large data. */
const FRAME = 1 << 20;

/** In one piece, as it has no streams. */
export async function awsBrowser(): Promise<Peer> {
  const client = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT);
  const wrappingSuite = RawAesWrappingSuiteIdentifier.AES256_GCM_IV12_TAG16_NO_PADDING;
  const keyring = new RawAesKeyringWebCrypto({
    keyNamespace: "bench",
    keyName: "bench",
    masterKey: await RawAesKeyringWebCrypto.importCryptoKey(new Uint8Array(32), wrappingSuite),
    wrappingSuite,
  });
  const suiteId = AlgorithmSuiteIdentifier.ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY;
  return {
    seal: async (bytes) => [(await client.encrypt(keyring, bytes, { suiteId, frameLength: FRAME })).result],
    open: async (message) => [(await client.decrypt(keyring, join(message))).plaintext],
  };
}
