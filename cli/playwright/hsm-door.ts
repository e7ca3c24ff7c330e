/** The one way from the edge to its HSM, which a test can close or make slow. TLS goes through as it is: neither end is another one. */

import type { AddressInfo } from "node:net";
import { connect, createServer, type Socket } from "node:net";

export interface HsmDoor {
  /** From now on nobody answers: connections are reset, those that are open too. */
  down(): void;
  /** From now on each piece of an answer comes this many milliseconds later. */
  slow(milliseconds: number): void;
  /** As it was: it answers at once. */
  mend(): void;
}

export type OpenedDoor = HsmDoor & { port: number; close(): void };

/** Listens on a port of its own on 127.0.0.1 and leads to `target` there. */
export async function openDoor(target: number): Promise<OpenedDoor> {
  const open = new Set<Socket>();
  let [closed, wait] = [false, 0];
  const server = createServer((client) => {
    if (closed) return void client.resetAndDestroy();
    const hsm = connect(target, "127.0.0.1");
    for (const [socket, other] of [
      [client, hsm],
      [hsm, client],
    ] as const) {
      open.add(socket);
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        open.delete(socket);
        other.destroy();
      });
    }
    client.pipe(hsm);
    hsm.on("data", (piece) => {
      // One after the other, whatever the wait was when each of them came.
      hsm.pause();
      setTimeout(() => {
        client.write(piece, () => hsm.resume());
      }, wait);
    });
    hsm.on("end", () => client.end());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const reset = () => {
    for (const socket of open) socket.resetAndDestroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    down() {
      closed = true;
      reset();
    },
    slow(milliseconds) {
      wait = milliseconds;
    },
    mend() {
      [closed, wait] = [false, 0];
    },
    close() {
      server.close();
      reset();
    },
  };
}
