import { createServer, type Server } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { hsmPorts, withFreePorts, withHsmPorts } from "./ports.ts";

const holders: Server[] = [];
beforeAll(async () => {
  for (const port of [5696, 5697]) {
    const holder = createServer();
    holders.push(holder);
    // Where it is taken already, that is as good.
    await new Promise<void>((resolve) => {
      holder.once("error", () => resolve());
      holder.listen(port, "127.0.0.1", resolve);
    });
  }
});
afterAll(() => {
  for (const holder of holders) if (holder.listening) holder.close();
});

it("finds two ports for the HSM where both usual ones are taken", async () => {
  const { ttlvPort, httpsPort } = await hsmPorts({});
  expect(ttlvPort).toBeGreaterThan(5697);
  expect(httpsPort).toBeGreaterThan(5697);
  expect(httpsPort).not.toBe(ttlvPort);
});

it("leaves a port that was asked for to what it was asked for", async () => {
  const { httpsPort } = await hsmPorts({});
  expect(await hsmPorts({ https: httpsPort })).toMatchObject({ httpsPort });
  const { ttlvPort } = await hsmPorts({ https: 5698 });
  expect(ttlvPort).not.toBe(5698);
});

/** As a listener fails whose port another program has. */
const taken = (port: number) => Object.assign(new Error("taken"), { code: "EADDRINUSE", port });

it("begins again where a port is taken before it is listened to, and gives up in the end", async () => {
  let begun = 0;
  const began = withHsmPorts({}, async ({ ttlvPort, httpsPort }) => {
    if (++begun < 3) throw taken(httpsPort);
    return ttlvPort;
  });
  await expect(began).resolves.toBeGreaterThan(5697);
  expect(begun).toBe(3);
  const never = withHsmPorts({}, ({ ttlvPort }) => Promise.reject(taken(ttlvPort)));
  await expect(never).rejects.toMatchObject({ code: "EADDRINUSE" });
});

it("begins once where the port that was asked for is taken, or something else is wrong", async () => {
  let begun = 0;
  const begin = (error: Error) => () => {
    begun++;
    return Promise.reject(error);
  };
  await expect(withHsmPorts({ ttlv: 6000 }, begin(taken(6000)))).rejects.toMatchObject({ port: 6000 });
  await expect(withHsmPorts({}, begin(new Error("in use by process 1")))).rejects.toThrow("process 1");
  expect(begun).toBe(2);
});

it("begins on other ports where one was taken, however deep that is said, and gives up in the end", async () => {
  const found: number[][] = [];
  const find = async (count: number) => {
    const ports = Array.from({ length: count }, (_, at) => 20_000 + 10 * found.length + at);
    found.push(ports);
    return ports;
  };
  const deep = new Error("Port 20000 is in use", { cause: taken(20_000) });
  const began = withFreePorts(
    2,
    async (ports) => {
      if (found.length < 3) throw found.length === 1 ? taken(20_000) : deep;
      return ports;
    },
    find,
  );
  await expect(began).resolves.toEqual([20_020, 20_021]);
  await expect(withFreePorts(1, () => Promise.reject(taken(20_000)), find)).rejects.toMatchObject({
    code: "EADDRINUSE",
  });
  expect(found).toHaveLength(3 + 5);
  // What is no matter of ports is not tried again.
  await expect(withFreePorts(1, () => Promise.reject(new Error("another")), find)).rejects.toThrow("another");
  expect(found).toHaveLength(9);
});
