/** Listeners on this machine's own addresses. Node only: of the launcher and of the command line, not of the worker. */
import { type AddressInfo, createServer, type Server } from "node:net";

export type Listener = { host: string; port: number };

/** A browser may try either first, and a program on the one that we left free would have the origin. */
const ADDRESSES = ["127.0.0.1", "::1"];
/** The system has no IPv6. */
const NO_ADDRESS = ["EADDRNOTAVAIL", "EAFNOSUPPORT", "EPROTONOSUPPORT"];

/**
 * The listeners that make up `http://localhost:PORT`, none of which is taken: on IPv4, and on IPv6 where there is any.
 * Throws an `Error` with a sentence if one is.
 */
export async function claimPort(port: number): Promise<Listener[]> {
  const claimed = await Promise.all(ADDRESSES.map((host) => claim({ host, port })));
  return claimed.filter((listener) => listener !== null);
}

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
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}

function claim(listener: Listener): Promise<Listener | null> {
  const { host, port } = listener;
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (cause: NodeJS.ErrnoException) => {
      if (host === "::1" && NO_ADDRESS.includes(cause.code ?? "")) return resolve(null);
      const sentence =
        cause.code === "EADDRINUSE"
          ? `Port ${port} on ${host} is in use: stop what uses it, or choose another port.`
          : `Cannot listen on ${host}, port ${port}: ${cause.message}`;
      reject(new Error(sentence, { cause }));
    });
    server.listen({ ...listener, exclusive: true }, () => server.close(() => resolve(listener)));
  });
}
