/**
 * web/microservice/loading: how a data key comes into the key ring, one file a way. Everything is verified under the pinned
 * root BEFORE a key of the instance touches a byte. May import protocol/ and web/microservice. Imported by the microservice.
 * The other end is edge/kms/loading.
 */
import type { Load, Way } from "#protocol/keys/index.ts";
import type { LoadedKey } from "../ring.ts";
import type { Loader } from "./loader.ts";
import { unwrapRewrapped } from "./rewrap.ts";

const WAYS: { [W in Way]: (loader: Loader, load: Extract<Load, { way: W }>) => Promise<LoadedKey> } = {
  rewrap: unwrapRewrapped,
};

/** The key, verified and never seen. Throws `key-refused`, with the reason as `cause`. */
export function loadKey(loader: Loader, load: Load): Promise<LoadedKey> {
  return WAYS[load.way](loader, load);
}
