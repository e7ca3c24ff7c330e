import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { inclusionProof, leafHash } from "#protocol/log/index.ts";
import { logAt, nodesOf, readOnce } from "./release-log.ts";

let server: Server;
let answer: RequestListener;
let place: string;
beforeEach(async () => {
  server = createServer((request, response) => answer(request, response)).listen(0, "127.0.0.1");
  await once(server, "listening");
  place = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

it("asks a server for each tile once, however many proofs are made of it", async () => {
  const leaves = await Promise.all(Array.from({ length: 100 }, (_, i) => leafHash(Uint8Array.of(i))));
  const asked: (string | undefined)[] = [];
  answer = ({ url }, response) => {
    asked.push(url);
    response.end(Buffer.concat(leaves));
  };
  const node = nodesOf(readOnce(logAt(place)), leaves.length);
  for (const index of leaves.keys()) await inclusionProof(index, leaves.length, node);
  expect(asked).toEqual(["/tile/0/000.p/100"]);
});

it("takes no file of an address that is too long, and does not wait for its end", async () => {
  const closed = new Promise<void>((resolve) => {
    answer = (_, response) => {
      // It has none.
      const more = () => void response.write(Buffer.alloc(65_536));
      response.on("drain", more).on("close", resolve);
      more();
    };
  });
  await expect(logAt(place)("checkpoint")).rejects.toThrow("has a file that is too long");
  await closed;
});

it("waits half a minute for a file, and not for ever", async () => {
  const timeout = AbortSignal.timeout;
  const asked = vi.spyOn(AbortSignal, "timeout").mockImplementation(() => timeout.call(AbortSignal, 200));
  answer = (_, response) => void response.write("it begins");
  await expect(logAt(place)("checkpoint")).rejects.toThrow();
  expect(asked.mock.calls).toEqual([[30_000]]);
  asked.mockRestore();
});
