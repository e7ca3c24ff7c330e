/** Ports for what a test starts. */

import { createServer, type Server } from "node:net";
import { claimPort } from "#edge/loopback.ts";

/** That many different ports, free on every loopback address when this looked. */
export async function freePorts(count: number): Promise<number[]> {
  const held = await Promise.all(Array.from({ length: count }, hold));
  const ports = held.map((server) => (server.address() as { port: number }).port);
  await Promise.all(held.map((server) => new Promise((closed) => server.close(closed))));
  const free = await Promise.all(ports.map((port) => claimPort(port).catch(() => null)));
  return free.includes(null) ? freePorts(count) : ports;
}

function hold(): Promise<Server> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once("error", reject).listen(0, "127.0.0.1", () => resolve(server));
  });
}
