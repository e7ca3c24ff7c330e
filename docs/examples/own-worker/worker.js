// The microservice as a dependency, in a Worker of the app's own origin. When to choose it, and what is weaker than in the vault, stands in docs/apps.md.
import {
  captureCrypto,
  createMicroservice,
  memoryStore,
  restKeyServer,
  restRegistration,
  servePort,
} from "@coffer/kit/microservice";

// Before anything else runs here.
const crypto = captureCrypto(globalThis.crypto);
const send = fetch.bind(globalThis);
const { origin } = location;

/** Once, from the page that has started this Worker: the way to it, the root's public key, and whom it is to serve. */
addEventListener(
  "message",
  ({ data, ports: [port] }) => {
    /** @type {{ rootKey: Uint8Array<ArrayBuffer>, tenant: string, user: string }} */
    const { rootKey, tenant, user } = data;
    if (!port) return;
    const microservice = createMicroservice({
      crypto,
      // In the memory of this Worker alone: what IndexedDB of this origin has, any script of the app can use.
      store: memoryStore(),
      // The app's server passes both on to the vault (server.js). The vault's cookie does not come here, so this says itself whom it serves.
      registration: {
        ...restRegistration(send, origin),
        session: async () => ({ tenant, user, session: "launched" }),
      },
      keyServer: restKeyServer(send, origin),
      ...{ rootKey, origin, measurement: "unmeasured" },
      now: Date.now,
      schedule: (task, delay) => void setTimeout(task, delay),
    });
    servePort(port, microservice);
  },
  { once: true },
);
