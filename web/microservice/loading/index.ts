/**
 * web/microservice/loading: how a data key comes into the key ring, one file a way. Everything is verified under the pinned
 * root BEFORE a key of the instance touches a byte. May import protocol/ and web/microservice. Imported by the microservice.
 * The other end is edge/kms/loading.
 */
import type { Load, Way } from "#protocol/keys/index.ts";
import type { LoadedKey } from "../ring.ts";
import type { Loader } from "./loader.ts";
import { unwrapRewrapped } from "./rewrap.ts";

type Handed = { [W in Way]: Extract<Load, { way: W }> };
const WAYS: { [W in Way]: (loader: Loader, load: Handed[W]) => Promise<LoadedKey> } = {
  rewrap: unwrapRewrapped,
};

/** The key, verified and never seen. Throws `key-refused`, with the reason as `cause`. */
export function loadKey<W extends Way>(loader: Loader, load: Handed[W]): Promise<LoadedKey> {
  return WAYS[load.way as W](loader, load);
}
