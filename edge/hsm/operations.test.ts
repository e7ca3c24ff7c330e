import { expect, it } from "vitest";
import { encodeRequest, type RequestMessage } from "#protocol/kmip/index.ts";
import { openHsm } from "./client.ts";
import { operationsIn } from "./operations.ts";

const id = "0f3b";

function message(items: RequestMessage["items"]): Uint8Array {
  const protocolVersion = { major: 2, minor: 1 };
  return encodeRequest({ header: { protocolVersion, batchCount: items.length }, items });
}

it("reads the operations of a message off its bytes, in order and counted", () => {
  const get = { operation: "Get", payload: { uniqueIdentifier: id } } as const;
  const destroy = { operation: "Destroy", payload: { uniqueIdentifier: id } } as const;
  expect(operationsIn(message([get]))).toBe("Get");
  expect(operationsIn(message([get, get, destroy, get]))).toBe("Get*2 Destroy Get");
  // A view of what stands elsewhere in a buffer.
  const bytes = message([destroy]);
  const within = new Uint8Array(bytes.length + 8);
  within.set(bytes, 8);
  expect(operationsIn(within.subarray(8))).toBe("Destroy");
});

it("takes for an operation nothing that a value has in it", () => {
  const operation = [0x42, 0x00, 0x5c, 0x05, 0, 0, 0, 4, 0, 0, 0, 0x0a, 0, 0, 0, 0];
  const batchItem = [0x42, 0x00, 0x0f, 0x01, 0, 0, 0, operation.length, ...operation];
  const signing = (data: Uint8Array<ArrayBuffer>) =>
    ({ operation: "Sign", payload: { uniqueIdentifier: id, data } }) as const;
  // Where an item would begin, one by itself or in a batch item of its own, and where none does.
  for (const planted of [operation, batchItem])
    for (const at of [0, 4, 8]) {
      const data = new Uint8Array(at + planted.length);
      data.set(planted, at);
      expect(operationsIn(message([signing(data)]))).toBe("Sign");
      expect(operationsIn(message([signing(data), signing(data)]))).toBe("Sign*2");
    }
  const sign = signing(Uint8Array.from(operation));
  // A length of more than there is.
  const long = message([sign]);
  new DataView(long.buffer, long.byteOffset).setUint32(4, 0xffff_fff8);
  expect(operationsIn(long)).toBe("");
  for (const bytes of [new Uint8Array(), new Uint8Array(7), message([sign]).subarray(0, 40)])
    expect(operationsIn(bytes).length).toBeLessThan(8);
});

it("tells of all that goes out, of which a client of the same names asks nothing twice", async () => {
  const asked: string[] = [];
  const fetcher = { fetch: async () => new Response("no KMIP") };
  const hsm = openHsm(fetcher, "https://hsm.of.this.test/kmip");
  let ended = 0;
  const watched = hsm.watched((operations) => {
    asked.push(operations);
    return () => ended++;
  });
  await expect(watched.locate("root")).rejects.toThrow();
  expect(asked.length).toBeGreaterThan(0);
  expect(asked[0]).toMatch(/^\w+$/);
  expect(ended).toBe(asked.length);
  await expect(hsm.locate("root")).rejects.toThrow();
  expect(ended).toBe(asked.length);
});
