import { afterEach, expect, it } from "vitest";
import type { LentAnswer, LentCall } from "#protocol/lent.ts";
import { lend } from "./lend.ts";
import type { Microservice } from "./microservice.ts";

/** What came to the page's microservice. */
const called: unknown[][] = [];
const operate = async (...asked: unknown[]) => {
  called.push(asked);
  return { bytes: "AAAA" };
};
const microservice = { use: async () => ({ port: { operate } }) } as unknown as Pick<Microservice, "use">;

const ports: MessagePort[] = [];
afterEach(() => {
  for (const port of ports.splice(0)) port.close();
  called.length = 0;
});

/** The Service Worker's end of a port over which the page lends. */
function borrow(): (method: string, ...params: unknown[]) => Promise<LentAnswer> {
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  lend(port2, microservice);
  return (method, ...params) =>
    new Promise((resolve) => {
      port1.onmessage = ({ data }: MessageEvent<LentAnswer>) => resolve(data);
      port1.postMessage({ id: 1, method, params } as LentCall);
    });
}

it("M15 lends the operations with keys, and by their way no other call of the port", async () => {
  const ask = borrow();
  expect(await ask("operate", "random", { length: 3 })).toEqual({ id: 1, value: { bytes: "AAAA" } });
  for (const name of ["forget", "renew", "enrol", "toString", ["random"], undefined])
    expect(await ask("operate", name, {})).toEqual({ id: 1, code: "forbidden" });
  expect(await ask("forget")).toEqual({ id: 1, code: "forbidden" });
  expect(called).toEqual([["random", { length: 3 }]]);
});
