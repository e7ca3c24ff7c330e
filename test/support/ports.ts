/** Ports for what a test starts, on this machine's own addresses. */

import { createServer, type Server } from "node:net";
import { claimPort } from "#edge/loopback.ts";

/**
 * Below the ports that edge/loopback.ts gives the wires of split operation, and those that systems give to outgoing connections. A block is one
 * process's as long as that listens on the block's first port: test files that run at the same time, of this run or of another, never
 * meet, not even while one of them has stopped its servers to start them again at the same addresses.
 */
const BLOCKS = { from: 10_000, count: 100, ports: 100 };
/** What browsers and fetch refuse to connect to (Fetch §2.9 Port blocking). */
const BLOCKED = 10_080;

type Block = { first: number; given: number };
let own: Promise<Block> | undefined;

/** That many different ports, free on every loopback address when this looked, and this process's alone among tests. */
export async function freePorts(count: number): Promise<number[]> {
  own ??= takeBlock();
  const block = await own;
  const ports = new Set<number>();
  for (let tries = 1; ports.size < count && tries < BLOCKS.ports; tries++) {
    const port = nextOf(block);
    if (port !== BLOCKED && (await isFree(port))) ports.add(port);
  }
  if (ports.size < count) throw new Error(`No ${count} ports are free from ${block.first} on`);
  return [...ports];
}

/** A step without a common divisor with the 99 that are given. */
const STEP = 38;

/** All but the first, each once before any again, and none beside the last: a program may look for the next free one after the port that it is given. */
function nextOf(block: Block): number {
  block.given = ((block.given + STEP - 1) % (BLOCKS.ports - 1)) + 1;
  return block.first + block.given;
}

async function takeBlock(): Promise<Block> {
  const begin = Math.floor(Math.random() * BLOCKS.count);
  for (let tried = 0; tried < BLOCKS.count; tried++) {
    const first = BLOCKS.from + ((begin + tried) % BLOCKS.count) * BLOCKS.ports;
    if (await hold(first)) return { first, given: 0 };
  }
  throw new Error("Every block of ports is another test's");
}

/** Listens there until this process ends, and does not keep it from ending. */
function hold(port: number): Promise<boolean> {
  const server = createServer((socket) => socket.destroy()).unref();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => resolve(true));
  });
}

function isFree(port: number): Promise<boolean> {
  return claimPort(port).then(
    () => true,
    () => false,
  );
}

/** Has a server (of HTTP too) listen on 127.0.0.1, on a port that is free; resolves with the port. */
export function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
  });
}
