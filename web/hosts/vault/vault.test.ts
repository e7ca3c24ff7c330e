import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { admit, isConnect, measuredBundle } from "./index.ts";

const APP = "https://app.example";
const framing = {
  framed: true,
  ancestors: [APP],
  parentIsTop: true,
  controlled: false,
  allowed: [APP, "https://b.example"],
};

describe("admission", () => {
  it("admits the one listed page around it", () => {
    expect(admit(framing)).toEqual({ admitted: true, origins: [APP] });
    // Where the browser does not name the ancestors, the message's origin decides.
    expect(admit({ ...framing, ancestors: undefined })).toEqual({ admitted: true, origins: framing.allowed });
  });

  it.each([
    ["no frame", { framed: false }],
    ["another origin", { ancestors: ["https://evil.example"] }],
    ["an opaque origin", { ancestors: ["null"] }],
    ["two frames, the outer one foreign", { ancestors: [APP, "https://evil.example"] }],
    ["two frames, both listed", { ancestors: [APP, APP] }],
    ["a parent that is not the top", { ancestors: undefined, parentIsTop: false }],
    ["a Service Worker in between", { controlled: true }],
    ["an empty list", { allowed: [] }],
  ])("refuses %s", (_, change) => {
    expect(admit({ ...framing, ...change }).admitted).toBe(false);
  });
});

describe("connect", () => {
  const parent = {};
  const good = { source: parent, origin: APP, ports: [{}], data: { type: "coffer-connect", version: 1 } };
  const ask = (change: object) => isConnect({ ...good, ...change } as unknown as MessageEvent, parent, [APP]);

  it("takes a port from the parent alone, from an admitted origin, in a version that it speaks", () => {
    expect(ask({})).toBe(true);
    expect(ask({ source: {} })).toBe(false);
    expect(ask({ origin: "https://b.example" })).toBe(false);
    expect(ask({ ports: [] })).toBe(false);
    expect(ask({ ports: [{}, {}] })).toBe(false);
    expect(ask({ data: null })).toBe(false);
    expect(ask({ data: { type: "coffer-connect", version: 2 } })).toBe(false);
    expect(ask({ data: { type: "other", version: 1 } })).toBe(false);
  });
});

describe("bundle", () => {
  const code = new TextEncoder().encode("'use strict';");
  const integrity = `sha384-${createHash("sha384").update(code).digest("base64")}`;
  const digest = crypto.subtle.digest.bind(crypto.subtle);
  const serve =
    (body: Uint8Array<ArrayBuffer>, status = 200) =>
    async () =>
      new Response(body, { status });

  it("measures the bytes that are run", async () => {
    const { bytes, measurement } = await measuredBundle({ url: "/m.js", integrity }, serve(code), digest);
    expect(new Uint8Array(bytes)).toEqual(code);
    expect(measurement).toBe(integrity);
  });

  it("asks the browser for the same integrity", async () => {
    const fetch = async (url: string, init: RequestInit) => {
      expect([url, init.integrity]).toEqual(["/m.js", integrity]);
      return new Response(code);
    };
    await measuredBundle({ url: "/m.js", integrity }, fetch, digest);
  });

  it("refuses other bytes, and an answer that is not the file", async () => {
    const other = measuredBundle({ url: "/m.js", integrity }, serve(new Uint8Array([...code, 32])), digest);
    await expect(other).rejects.toThrow("not what this vault was built for");
    await expect(measuredBundle({ url: "/m.js", integrity }, serve(code, 404), digest)).rejects.toThrow(
      "not there",
    );
  });
});
