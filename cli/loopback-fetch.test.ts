import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { expect, it } from "vitest";
import { loopbackFetch } from "./loopback-fetch.ts";

it("sends no request on a connection that the server may be closing", async () => {
  const sockets: Socket[] = [];
  const server = createServer(({ socket }, response) => {
    sockets.push(socket);
    response.end("ok");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  for (let n = 0; n < 3; n++)
    expect(await (await loopbackFetch(`http://localhost:${port}/`)).text()).toBe("ok");
  expect(new Set(sockets).size).toBe(3);
  server.closeAllConnections();
  server.close();
});
