import sodium from "libsodium-wrappers";
import { type Bytes, inPieces, type Peer } from "./peer.ts";

/** Bytes of a message of the stream: sixteen times those of the example for files in its documentation, as each takes a call. */
const CHUNK = 64 << 10;

/** Its secret stream (XChaCha20-Poly1305), chunk by chunk. */
export async function libsodium(): Promise<Peer> {
  await sodium.ready;
  const key = sodium.crypto_secretstream_xchacha20poly1305_keygen();
  return {
    async seal(bytes) {
      const { state, header } = sodium.crypto_secretstream_xchacha20poly1305_init_push(key);
      const chunks = inPieces(bytes, CHUNK).map((chunk, i, { length }) => {
        const tag =
          i === length - 1
            ? sodium.crypto_secretstream_xchacha20poly1305_TAG_FINAL
            : sodium.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE;
        return sodium.crypto_secretstream_xchacha20poly1305_push(state, chunk, null, tag);
      });
      return [header, ...chunks];
    },
    async open([header, ...chunks]) {
      const state = sodium.crypto_secretstream_xchacha20poly1305_init_pull(header!, key);
      return chunks.map((chunk): Bytes => {
        const pulled = sodium.crypto_secretstream_xchacha20poly1305_pull(state, chunk);
        if (!pulled) throw new Error("libsodium refuses its own chunk");
        return pulled.message;
      });
    },
  };
}
