import { request } from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { ENCLAVE_FAULTS, FAULT_GROUPS, type FaultSwitch, startFaultSwitch } from "./index.ts";

let page: FaultSwitch;
beforeAll(async () => {
  page = await startFaultSwitch({ port: 0 });
});
afterAll(() => page.close());
beforeEach(() => page.turn(null));

type Sent = { method?: string; headers?: Record<string, string>; body?: string };
type Got = { status: number; headers: Record<string, unknown>; text: string };
/** With headers that `fetch` would not let us set. */
const send = (path: string, { method = "GET", headers = {}, body }: Sent = {}): Promise<Got> =>
  new Promise((resolve, reject) => {
    const sent = request(`${page.origin}${path}`, { method, headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part: string) => (text += part));
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
const FORM = "application/x-www-form-urlencoded";
const press = (fault: string, headers: Record<string, string> = {}) =>
  send("/", {
    ...{ method: "POST", body: `fault=${encodeURIComponent(fault)}` },
    headers: { "content-type": FORM, origin: page.origin, "sec-fetch-site": "same-origin", ...headers },
  });

describe("the page of faults", () => {
  it("has every fault in its group, with a sentence and the reason in the audit log", async () => {
    const { status, text } = await send("/");
    expect(status).toBe(200);
    for (const [group, faults] of Object.entries(ENCLAVE_FAULTS))
      expect(Object.keys(FAULT_GROUPS[group as keyof typeof ENCLAVE_FAULTS].faults)).toEqual(
        Object.keys(faults),
      );
    for (const [group, { faults }] of Object.entries(FAULT_GROUPS))
      for (const [name, { says, refused }] of Object.entries(faults)) {
        expect(text, name).toContain(`value="${group}/${name}"`);
        expect(says, name).toMatch(/^[A-Z].*\.$/);
        for (const reason of [refused].flat()) expect(text, name).toContain(`<code>${reason}</code>`);
      }
    expect(text).toContain("No fault is on");
  });

  it("turns one on in place of another, says which, and turns it off again", async () => {
    expect(await press("eat/nonce-wrong")).toMatchObject({
      status: 303,
      headers: { location: "/#eat-nonce-wrong" },
    });
    expect(page.on()).toEqual({ group: "eat", name: "nonce-wrong" });
    await press("nitro/debug");
    expect(JSON.parse((await send("/fault")).text)).toEqual({ group: "nitro", name: "debug" });
    const { text } = await send("/");
    expect(text.match(/aria-pressed="true"/g)).toHaveLength(1);
    expect(text).toContain("On: <code>debug</code>");
    expect((await press("")).status).toBe(303);
    expect(page.on()).toBeNull();
    expect(JSON.parse((await send("/fault")).text)).toEqual({});
  });

  it("takes nothing that it does not list", async () => {
    await press("eat/stale");
    for (const wrong of [
      "eat/none",
      "none/stale",
      "stale",
      "eat/stale/x",
      "eat/constructor",
      "__proto__/x",
      " ",
    ])
      expect((await press(wrong)).status, wrong).toBe(400);
    expect((await press("x".repeat(2000))).status).toBe(403);
    expect((await press("eat/debug", { "content-type": "text/plain" })).status).toBe(403);
    expect(page.on()).toEqual({ group: "eat", name: "stale" });
    expect(() => page.turn("eat/none")).toThrow("no such fault");
  });

  it.each<[string, Record<string, string>]>([
    ["another site", { origin: "https://evil.example", "sec-fetch-site": "cross-site" }],
    ["another port of this machine", { origin: "http://127.0.0.1:8787", "sec-fetch-site": "same-site" }],
    ["a frame without an origin", { origin: "null", "sec-fetch-site": "cross-site" }],
    ["a browser that says so in one header", { "sec-fetch-site": "cross-site" }],
  ])("is turned by no page of %s", async (_, headers) => {
    expect((await press("eat/nonce-wrong", headers)).status).toBe(403);
    expect(page.on()).toBeNull();
  });

  it("is turned by nobody who does not say where a form came from", async () => {
    const body = "fault=eat%2Fnonce-wrong";
    expect((await send("/", { method: "POST", headers: { "content-type": FORM }, body })).status).toBe(403);
    expect((await send("/?fault=eat/nonce-wrong")).status).toBe(200);
    expect((await send("/fault", { method: "POST", headers: { origin: page.origin }, body })).status).toBe(
      404,
    );
    expect(page.on()).toBeNull();
  });

  it("answers under its own name alone, runs no script, stands in no frame, and lets no other origin read", async () => {
    expect((await send("/", { headers: { host: "evil.example" } })).status).toBe(421);
    const asked = await send("/", { headers: { origin: "https://evil.example" } });
    expect(Object.keys(asked.headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
    const { "content-security-policy": policy } = asked.headers;
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/script-src|unsafe/);
    expect(asked.text).not.toMatch(/<script| on[a-z]+=| style=/);
  });

  it("is not there in production", async () => {
    await expect(startFaultSwitch({ port: 0, production: true })).rejects.toThrow("for development");
  });

  it("is on the next port where the usual one is taken, and says so where one was asked for", async () => {
    const taken = Number(new URL(page.origin).port);
    await expect(startFaultSwitch({ port: taken })).rejects.toMatchObject({ code: "EADDRINUSE" });
  });
});
