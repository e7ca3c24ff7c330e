import { Decrypter, Encrypter, generateIdentity, identityToRecipient } from "age-encryption";
import { collect } from "../documents/measure.ts";
import { inPieces, type Peer, streamOf } from "./peer.ts";

/** Streams, as its README has it for large files. */
export async function age(): Promise<Peer> {
  const identity = await generateIdentity();
  const encrypter = new Encrypter();
  encrypter.addRecipient(await identityToRecipient(identity));
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  return {
    seal: async (bytes) => collect(await encrypter.encrypt(streamOf(inPieces(bytes)))),
    open: async (message) => collect(await decrypter.decrypt(streamOf(message))),
  };
}
