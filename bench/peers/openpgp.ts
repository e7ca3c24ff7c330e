import { createMessage, decrypt, encrypt, generateKey, readMessage } from "openpgp";
import { collect } from "../documents/measure.ts";
import { inPieces, type Peer, streamOf } from "./peer.ts";

/** Streams, and encrypts as RFC 9580 has it, in authenticated chunks: the faster way, and the one whose plaintext may be streamed. */
export async function openpgp(): Promise<Peer> {
  const config = { aeadProtect: true };
  const { privateKey, publicKey } = await generateKey({
    userIDs: [{ name: "bench" }],
    format: "object",
    config,
  });
  return {
    async seal(bytes) {
      const message = await createMessage({ binary: streamOf(inPieces(bytes)) });
      return collect(await encrypt({ message, encryptionKeys: publicKey, format: "binary", config }));
    },
    async open(pieces) {
      const message = await readMessage({ binaryMessage: streamOf(pieces) });
      const { data } = await decrypt({ message, decryptionKeys: privateKey, format: "binary" });
      return collect(data);
    },
  };
}
