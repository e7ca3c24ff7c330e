import { collect, opened, sealed } from "../documents/measure.ts";
import { inPieces, type Peer, streamOf } from "./peer.ts";

/** Ours, from and to the same pieces as the others. */
export const coffer: Peer = {
  seal: (bytes) => collect(sealed(streamOf(inPieces(bytes)))),
  open: (message) => collect(opened(streamOf(message))),
};
