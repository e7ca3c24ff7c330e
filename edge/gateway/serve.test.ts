import { Hono } from "hono";
import { afterEach, expect, it, vi } from "vitest";
import {
  completeUpload,
  listDocuments,
  makeDataKeys,
  putMetadata,
  type Route,
  uploadPart,
} from "#protocol/contract/index.ts";
import { ok } from "../result.ts";
import type { GatewayEnv } from "./context.ts";
import { problemResponse, Refused } from "./problem.ts";
import { type Given, type Handler, serve } from "./serve.ts";

afterEach(() => vi.restoreAllMocks());

/** A site with this one route, and what its handler was given. */
function site(route: Route, value: unknown = {}) {
  const given: Given<Route>[] = [];
  const handler: Handler<Route> = async (one) => {
    given.push(one);
    return ok(value);
  };
  const app = new Hono<GatewayEnv>();
  app.use(async (c, next) => {
    c.set("requestId", "r");
    await next();
  });
  app.onError((error) => problemResponse(error instanceof Refused ? error.code : "internal", "r"));
  serve(app, "operation", route, handler);
  const ask = async (path: string, init: RequestInit, environment = "production") => {
    const response = await app.request(path, init, { COFFER_ENVIRONMENT: environment } as never);
    return `${response.status} ${response.ok ? await response.text() : ((await response.json()) as { code: string }).code}`;
  };
  return { given, ask };
}
const sent = (method: string, body: BodyInit, type = "application/json") => ({
  method,
  body,
  headers: { "content-type": type, "content-length": String((body as string).length) },
});

it("hands a handler what is of the contract's shape, and answers with its status", async () => {
  const { given, ask } = site(makeDataKeys, { edks: ["a"] });
  const body = { account: "a", count: 2, purpose: "document" };
  expect(await ask("/kms/data-keys", sent("POST", JSON.stringify(body)))).toBe('201 {"edks":["a"]}');
  expect(given[0]).toMatchObject({ body });
  const list = site(listDocuments);
  expect(await list.ask("/accounts/a/documents?more=1", {})).toBe("200 {}");
  expect(list.given[0]?.input).toEqual({ account: "a" });
});

it.each([
  [
    "a number out of bounds",
    '{"account":"a","count":17,"purpose":"document"}',
    "application/json",
    "400 bad-request",
  ],
  [
    "a member more",
    '{"account":"a","count":1,"purpose":"document","x":1}',
    "application/json",
    "400 bad-request",
  ],
  ["no JSON", "{", "application/json", "400 bad-request"],
  ["another type", "{}", "text/plain", "415 unsupported-media-type"],
  ["more than its limit", `"${"x".repeat(65_536)}"`, "application/json", "413 too-large"],
])("refuses %s before a handler sees it", async (_, body, type, refusal) => {
  const { given, ask } = site(makeDataKeys);
  expect(await ask("/kms/data-keys", sent("POST", body, type))).toBe(refusal);
  expect(given).toEqual([]);
});

it("checks parameters of path and query, and the length that octets are told to have", async () => {
  const list = site(listDocuments);
  expect(await list.ask("/accounts/a%2Fb/documents", {})).toBe("400 bad-request");
  expect(await list.ask(`/accounts/${"a".repeat(65)}/documents`, {})).toBe("400 bad-request");
  const part = site(uploadPart);
  const octets = (length: string) => ({
    ...sent("PUT", "x", "application/octet-stream"),
    headers: { "content-type": "application/octet-stream", "content-length": length },
  });
  expect(await part.ask("/accounts/a/documents/d/parts/0", octets("1"))).toBe("400 bad-request");
  expect(await part.ask("/accounts/a/documents/d/parts/1", octets("1e3"))).toBe("400 bad-request");
  expect(await part.ask("/accounts/a/documents/d/parts/1", octets("99999999999"))).toBe("413 too-large");
  expect(await part.ask("/accounts/a/documents/d/parts/1", octets("1"))).toBe("200 {}");
  const metadata = site(putMetadata, null);
  expect(
    await metadata.ask("/accounts/a/documents/d/metadata", sent("PUT", "x", "application/octet-stream")),
  ).toBe("204 ");
  expect([list.given.length, part.given.length, metadata.given.length]).toEqual([0, 1, 1]);
});

it("tells a developer where a request is malformed, and nobody what was in it", async () => {
  const logged = vi.spyOn(console, "info").mockImplementation(() => {});
  const { ask } = site(completeUpload);
  const body = JSON.stringify({
    parts: [
      { part: 1, etag: "a" },
      { part: "SECRET", etag: "a" },
    ],
    size: 1,
  });
  await ask("/accounts/a/documents/d/complete", sent("POST", body));
  expect(logged).not.toHaveBeenCalled();
  await ask("/accounts/a/documents/d/complete", sent("POST", body), "development");
  const [[line]] = logged.mock.calls as [[string]];
  expect(line).toContain("value.parts[1].part: expected");
  expect(line).not.toContain("SECRET");
});
