/** Listeners on this machine's own addresses. Node only: of the launcher and of the command line, not of the worker. */
import { createServer } from "node:net";

export type Listener = { host: string; port: number };

/** A browser may try either first, and a program on the one that we left free would have the origin. */
const ADDRESSES = ["127.0.0.1", "::1"];
/** The system has no IPv6. */
const NO_ADDRESS = ["EADDRNOTAVAIL", "EAFNOSUPPORT", "EPROTONOSUPPORT"];

/**
 * The listeners that make up `http://localhost:PORT` and 127.0.0.1 of that port, none of which is taken: on IPv4, and on IPv6 where there is any.
 * Throws an `Error` with a sentence if one is.
 */
export async function claimPort(port: number): Promise<Listener[]> {
  const claimed = await Promise.all(ADDRESSES.map((host) => claim({ host, port })));
  return claimed.filter((listener) => listener !== null);
}

/** Below those that systems give to outgoing connections (Linux: 32768 on), so that none of these is gone a moment later. */
const QUIET = { from: 20_000, to: 32_000 };

/** That many different free ports for listeners that are opened one after the other. */
export async function quietPorts(count: number, random: () => number = Math.random): Promise<number[]> {
  const ports = new Set<number>();
  // One in ten is free on any machine.
  for (let tries = 0; ports.size < count && tries < 10 * count + 100; tries++) {
    const port = QUIET.from + Math.floor(random() * (QUIET.to - QUIET.from));
    const free = await claimPort(port).then(
      () => true,
      () => false,
    );
    if (free) ports.add(port);
  }
  if (ports.size < count)
    throw new Error(
      `There are no ${count} free ports from ${QUIET.from} to ${QUIET.to}: close some programs.`,
    );
  return [...ports];
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
