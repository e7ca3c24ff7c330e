/** Ports for what a test starts, on this machine's own addresses. */

import { createServer, type Server } from "node:net";
import { claimPort } from "#edge/loopback.ts";

/** That many different ports, free on every loopback address when this looked. */
export async function freePorts(count: number): Promise<number[]> {
  const held = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(held.map(listen));
  await Promise.all(held.map((server) => new Promise((closed) => server.close(closed))));
  const free = await Promise.all(ports.map((port) => claimPort(port).catch(() => null)));
  return free.includes(null) ? freePorts(count) : ports;
}

/** Has a server (of HTTP too) listen on 127.0.0.1, on a port that is free; resolves with the port. */
export function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
  });
}
