/** Listeners on this machine's own addresses. Node only: of the launcher and of the command line, not of the worker. */
import { createServer } from "node:net";

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
