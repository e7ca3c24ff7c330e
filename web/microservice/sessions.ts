/** The session that a browser has with the vault ends, with all that was enrolled in it, for every app. */
import { codeOf } from "#protocol/error.ts";
import type { Peers } from "./peers.ts";
import type { Registration, SessionOwner } from "./registration.ts";
import type { Store } from "./store.ts";

type Surroundings = {
  store: Pick<Store, "deleteEnded">;
  registration: Pick<Registration, "session">;
  peers: Peers | undefined;
  /** Milliseconds since 1970. */
  now(): number;
};

/**
 * Asks whose session it is now and ends what is of any other, in the store and in other tabs. Answers undefined when
 * nobody could be asked: then only what has run out goes. Errors: `no-session` when there is none and all has ended.
 */
export async function settleSessions({
  store,
  registration,
  peers,
  now,
}: Surroundings): Promise<SessionOwner | undefined> {
  try {
    const found = await registration.session();
    await store.deleteEnded({ live: found.session, now: now() });
    peers?.tell({ origin: null, live: found.session });
    return found;
  } catch (error) {
    const code = codeOf(error);
    if (code === "offline") await store.deleteEnded({ live: undefined, now: now() });
    if (code === "no-session") {
      await store.deleteEnded({ live: null, now: now() });
      peers?.tell({ origin: null, live: null });
    }
    if (code !== "offline") throw error;
    return undefined;
  }
}
