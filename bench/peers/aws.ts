import { type Duplex, Readable } from "node:stream";
import aws from "@aws-crypto/client-node";
import { type Bytes, inPieces, type Peer } from "./peer.ts";

/** Frames that suit it better than its own 4 KiB, in which it has a tenth of the speed. */
const FRAME = 1 << 20;

/**
 * Streams, with the suite that we write. It is a dependency of the repository, whose tests read and write with it: in one folder with its
 * sibling for browsers, which is older, it gets parts of that.
 */
export async function awsNode(): Promise<Peer> {
  const client = aws.buildClient(aws.CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT);
  const keyring = new aws.RawAesKeyringNode({
    keyNamespace: "bench",
    keyName: "bench",
    unencryptedMasterKey: new Uint8Array(32),
    wrappingSuite: aws.RawAesWrappingSuiteIdentifier.AES256_GCM_IV12_TAG16_NO_PADDING,
  });
  const suiteId = aws.AlgorithmSuiteIdentifier.ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY;
  const through = (pieces: Bytes[], way: Duplex): Promise<Bytes[]> =>
    Readable.from(pieces).compose(way).toArray();
  return {
    seal: (bytes) => through(inPieces(bytes), client.encryptStream(keyring, { suiteId, frameLength: FRAME })),
    open: (message) => through(message, client.decryptUnsignedMessageStream(keyring)),
  };
}
