import { claimPort, quietPorts } from "#edge/loopback.ts";
import { CommandError } from "./command-error.ts";

/** Resolves with `wanted` when it is free on loopback, else with the next free port after it (at most 100 on, and not `taken`). */
export async function freePort(wanted: number, taken?: number): Promise<number> {
  for (let port = wanted; port < Math.min(wanted + 100, 65536); port++)
    if (port !== taken && (await isFree(port))) return port;
  throw new CommandError(
    `No free port between ${wanted} and ${wanted + 99}: close a program or pass another --port.`,
  );
}

type Asked = { ttlv?: number | undefined; https?: number | undefined };
type HsmPorts = { ttlvPort: number; httpsPort: number };

/** The HSM's two ports: those that were asked for, else the usual ones or the next free ones after them, never one for both. */
export async function hsmPorts(asked: Asked): Promise<HsmPorts> {
  const ttlvPort = asked.ttlv ?? (await freePort(5696, asked.https));
  return { ttlvPort, httpsPort: asked.https ?? (await freePort(5697, ttlvPort)) };
}

/** How often ports are looked for. */
const ATTEMPTS = 5;

/**
 * Begins with those ports. One that was free may be taken before it is listened to, if only by another start that looks
 * whether it is free: then it begins again, with the next. Of a port that was asked for there is no other.
 */
export async function withHsmPorts<T>(asked: Asked, begin: (ports: HsmPorts) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await begin(await hsmPorts(asked));
    } catch (error) {
      const { code, port } = error as NodeJS.ErrnoException & { port?: number };
      const wanted = port === asked.ttlv || port === asked.https;
      if (code !== "EADDRINUSE" || wanted || attempt === ATTEMPTS) throw error;
    }
  }
}

/**
 * Begins on so many free ports, which no other programme is given by the system meanwhile. Where one was taken before it was listened to, it begins
 * again, on others. `find`: how they are found.
 */
export async function withFreePorts<T>(
  count: number,
  begin: (ports: number[]) => Promise<T>,
  find: (count: number) => Promise<number[]> = quietPorts,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await begin(await find(count));
    } catch (error) {
      if (!isTaken(error) || attempt === ATTEMPTS) throw error;
    }
  }
}

/** Whether an error is that an address is in use, or comes of that. */
function isTaken(error: unknown): boolean {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 8; cause = cause.cause, depth++)
    if ("code" in cause && cause.code === "EADDRINUSE") return true;
  return false;
}

function isFree(port: number): Promise<boolean> {
  return claimPort(port).then(
    () => true,
    () => false,
  );
}

/** The port that an option names, or undefined without the option. */
export function portOption(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    throw new CommandError(`${option} takes a port from 1 to 65535`, 2);
  return port;
}
