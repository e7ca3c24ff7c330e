import { createServer } from "node:net";

/** Resolves with `wanted` when it is free on loopback, else with the next free port after it (at most 100 on). */
export async function freePort(wanted: number): Promise<number> {
  for (let port = wanted; port < wanted + 100; port++) if (await isFree(port)) return port;
  throw new Error(
    `No free port between ${wanted} and ${wanted + 99}: close a program or pass another --port.`,
  );
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
  });
}
