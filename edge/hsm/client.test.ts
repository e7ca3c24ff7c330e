import { expect, it } from "vitest";
import { ROOT_CA } from "#protocol/hierarchy/index.ts";
import { HsmUnavailable, openHsm } from "./client.ts";

const MIB = 1024 * 1024;

/** An HSM that answers every request with `chunks` chunks of 64 KiB, and how many of them were taken. */
function answering(chunks: number, headers: Record<string, string> = {}) {
  const taken = { chunks: 0, cancelled: false };
  const body = () =>
    new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          if (taken.chunks === chunks) return controller.close();
          taken.chunks += 1;
          controller.enqueue(new Uint8Array(64 * 1024));
        },
        cancel() {
          taken.cancelled = true;
        },
      },
      { highWaterMark: 0 },
    );
  const hsm = openHsm({ fetch: async () => new Response(body(), { headers }) }, "https://hsm/kmip");
  return { hsm, taken };
}

it.each([
  ["no length", {}],
  ["a length that is a lie", { "content-length": "8" }],
] as const)("reads no more of an endless answer than it may, with %s", async (_, headers) => {
  const { hsm, taken } = answering(Number.POSITIVE_INFINITY, headers);
  await expect(hsm.locate(ROOT_CA.certificate)).rejects.toThrow(
    new HsmUnavailable("The HSM's answer is too long"),
  );
  expect(taken).toEqual({ chunks: MIB / (64 * 1024) + 1, cancelled: true });
});

it("reads a whole answer that is as long as it may be", async () => {
  const { hsm, taken } = answering(MIB / (64 * 1024));
  // It is no KMIP; but it was read.
  await expect(hsm.locate(ROOT_CA.certificate)).rejects.not.toThrow("too long");
  expect(taken).toEqual({ chunks: MIB / (64 * 1024), cancelled: false });
});

it("says that the HSM is away when its answer breaks off, or is no KMIP", async () => {
  const broken = new ReadableStream({
    start: (controller) => controller.error(new TypeError("connection reset")),
  });
  for (const response of [new Response(broken), new Response("x", { status: 500 })]) {
    const hsm = openHsm({ fetch: async () => response }, "https://hsm/kmip");
    await expect(hsm.locate(ROOT_CA.certificate)).rejects.toBeInstanceOf(HsmUnavailable);
  }
});
