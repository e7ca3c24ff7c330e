import { createServer, type Server } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { hsmPorts } from "./ports.ts";

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
