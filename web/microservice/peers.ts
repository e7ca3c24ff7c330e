/**
 * What the instances of one browser tell each other. Those of all apps end with the session that they were enrolled in,
 * also the ones that live in other tabs; whichever learns of an end first says so on the vault's own origin.
 */

/** `origin`: the app whose instances have ended, null for all apps. `live`: the session that goes on, if any does. */
export type Ended = { origin: string | null; live: string | null };

export type Peers = {
  tell(ended: Ended): void;
  /** Calls `listener` for what others tell. */
  listen(listener: (ended: Ended) => void): void;
};

const NAME = "coffer-sessions";

/** Peers in this browser: documents and workers of the vault's origin, which nobody else can send to. */
export function browserPeers(Channel: typeof BroadcastChannel): Peers {
  const channel = new Channel(NAME);
  return {
    tell: (ended) => channel.postMessage(ended),
    listen(listener) {
      channel.onmessage = ({ data }: MessageEvent<unknown>) => {
        if (isEnded(data)) listener(data);
      };
    },
  };
}

/** Whether it is a message of this kind. One of a later release may be another. */
function isEnded(data: unknown): data is Ended {
  const text = (value: unknown) => value === null || typeof value === "string";
  return (
    typeof data === "object" &&
    data !== null &&
    "origin" in data &&
    text(data.origin) &&
    "live" in data &&
    text(data.live)
  );
}
