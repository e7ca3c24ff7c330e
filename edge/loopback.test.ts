import { createServer, type Server } from "node:net";
import { networkInterfaces } from "node:os";
import { afterEach, expect, it } from "vitest";
import { claimPort, quietPorts } from "./loopback.ts";

const held: Server[] = [];
afterEach(() => {
  for (const server of held.splice(0)) server.close();
});

const ADDRESSES = Object.values(networkInterfaces())
  .flatMap((interfaces) => interfaces ?? [])
  .filter(({ internal, address }) => internal && (address === "::1" || address === "127.0.0.1"))
  .map(({ address }) => address);

function hold(host: string, port = 0): Promise<number> {
  const server = createServer();
  held.push(server);
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => resolve((server.address() as { port: number }).port));
  });
}

it("claims every loopback address that there is", async () => {
  const port = await hold("127.0.0.1");
  held.pop()!.close();
  const listeners = await claimPort(port);
  expect(listeners.map(({ host }) => host).sort()).toEqual([...new Set(ADDRESSES)].sort());
  expect(new Set(listeners.map((listener) => listener.port))).toEqual(new Set([port]));
});

it.each(ADDRESSES)("refuses a port that a program on %s has", async (host) => {
  const port = await hold(host);
  await expect(claimPort(port)).rejects.toThrow(`Port ${port} on ${host} is in use: stop what uses it`);
});

it("finds ports that no outgoing connection takes, each once, and none that is taken", async () => {
  const taken = createServer();
  const [port = 0] = await quietPorts(1);
  await new Promise<void>((resolve) => taken.listen(port, "127.0.0.1", resolve));
  const at = (wanted: number) => (wanted - 20_000 + 0.5) / 12_000;
  const randoms = [at(port), at(port + 1), at(port + 1), at(port + 2)];
  const found = await quietPorts(2, () => randoms.shift() ?? Math.random());
  taken.close();
  expect(found).not.toContain(port);
  expect(new Set(found).size).toBe(2);
  expect(found.every((each) => each >= 20_000 && each < 32_000)).toBe(true);
  await expect(quietPorts(2, () => at(port))).rejects.toThrow("no 2 free ports");
});
