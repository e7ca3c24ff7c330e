import { HttpResponse, http } from "msw";
import { setupServer } from "msw/node";
import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest";
import { emptyAnswer, octetsOf } from "#protocol/answer.ts";
import { uploadPart } from "#protocol/contract/index.ts";
import { RestClient } from "./rest.ts";
import type { StepListener } from "./steps.ts";

const server = setupServer();
beforeAll(() => server.listen({ onUnhandledFrame: "error" }));
afterEach(() => server.resetHandlers());
afterAll(() => server.close());

const APP = "http://app.test";

function client({ onWait, onStep }: { onWait?: () => void; onStep?: StepListener } = {}) {
  const renewals: boolean[] = [];
  const waits: number[] = [];
  const told: number[] = [];
  let token = 1;
  const rest = new RestClient({
    origin: APP,
    session: {
      authorize: async (_method, _url, renew = false) => {
        renewals.push(renew);
        if (renew) token++;
        return { authorization: `DPoP token-${token}`, dpop: "proof" };
      },
      learn: () => false,
    },
    fetch,
    delay: async (milliseconds, signal) => {
      signal?.throwIfAborted();
      waits.push(milliseconds);
    },
    onWait(milliseconds) {
      told.push(milliseconds);
      onWait?.();
    },
    onStep,
  });
  return { rest, renewals, waits, told };
}

it("takes the code of a problem document, the request id, and a sentence that says what to do", async () => {
  const { rest } = client();
  const problem = {
    type: "tag:x",
    title: "There is nothing here",
    status: 404,
    code: "not-found",
    instance: "urn:uuid:7",
  };
  server.use(http.get(`${APP}/documents/1`, () => HttpResponse.json(problem, { status: 404 })));
  const error = await rest.json("GET", "/documents/1").catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ name: "CofferError", code: "not-found", status: 404, requestId: "7" });
  expect(String(error)).toContain("Reload the list");
});

it("tells of no request that it took less than no time, though the clock was set back meanwhile", async () => {
  const told: unknown[] = [];
  const { rest } = client({ onStep: (step) => told.push(step) });
  const now = vi.spyOn(Date, "now");
  server.use(
    http.get(`${APP}/x`, () => {
      now.mockReturnValue(1000);
      return HttpResponse.json({});
    }),
  );
  await rest.json("GET", "/x").finally(() => now.mockRestore());
  expect(told).toMatchObject([{ step: "server", what: "GET /x", status: 200 }]);
  expect((told[0] as { ms: number }).ms).toBeGreaterThanOrEqual(0);
});

it("does not believe a body that is no problem document", async () => {
  const { rest } = client();
  server.use(http.get(`${APP}/x`, () => HttpResponse.html("<h1>proxy</h1>", { status: 400 })));
  await expect(rest.json("GET", "/x")).rejects.toMatchObject({ code: "http-400" });
  server.use(
    http.get(`${APP}/x`, () => HttpResponse.json({ code: "<script>", instance: "a b" }, { status: 400 })),
  );
  await expect(rest.json("GET", "/x")).rejects.toMatchObject({ code: "http-400", requestId: undefined });
  server.use(http.get(`${APP}/x`, () => new HttpResponse("not json")));
  await expect(rest.json("GET", "/x")).rejects.toMatchObject({ code: "unexpected-response" });
});

it("tries again what may pass, with growing waits, and never a POST by itself", async () => {
  const { rest, waits } = client();
  let tries = 0;
  server.use(
    http.all(`${APP}/x`, () =>
      ++tries % 3 === 0 ? HttpResponse.json({ tries }) : new HttpResponse(null, { status: 503 }),
    ),
  );
  expect(await rest.json("GET", "/x")).toEqual({ tries: 3 });
  expect(waits).toHaveLength(2);
  expect(waits[1]!).toBeGreaterThan(waits[0]! / 2);
  await expect(rest.json("POST", "/x")).rejects.toMatchObject({ status: 503 });
  expect(tries).toBe(4);
});

it("comes again when the server says, also with a POST, and says that it waits", async () => {
  const { rest, waits, told } = client();
  const answers = ["7", "3", null];
  server.use(
    http.post(`${APP}/x`, () => {
      const later = answers.shift();
      return later === undefined
        ? HttpResponse.json("done")
        : HttpResponse.json(
            { code: "too-many-requests" },
            { status: 429, headers: later === null ? {} : { "retry-after": later } },
          );
    }),
  );
  const own: number[] = [];
  expect(await rest.json("POST", "/x", { onWait: (wait) => own.push(wait) })).toBe("done");
  expect(waits).toHaveLength(3);
  // Never sooner than it was told, and not all at the same moment.
  expect(waits[0]).toBeGreaterThanOrEqual(7000);
  expect(waits[1]).toBeGreaterThanOrEqual(3000);
  expect(waits[0]).toBeLessThanOrEqual(11_000);
  expect(told).toEqual(waits);
  expect(own).toEqual(waits);
});

it("does not wait for ever, and says how long it would be", async () => {
  const { rest, waits } = client();
  const refuse = (after: string) =>
    server.use(
      http.get(`${APP}/x`, () =>
        HttpResponse.json({ code: "too-many-requests" }, { status: 429, headers: { "retry-after": after } }),
      ),
    );
  refuse("3600");
  await expect(rest.json("GET", "/x")).rejects.toMatchObject({
    code: "too-many-requests",
    message: "Too many requests at once. Wait 1 hour and try again.",
  });
  expect(waits).toEqual([]);
  refuse("20");
  await expect(rest.json("GET", "/x")).rejects.toMatchObject({ code: "too-many-requests" });
  expect(waits.length).toBeGreaterThan(2);
  expect(waits.length).toBeLessThan(10);
});

it("stops waiting when it is cancelled", async () => {
  const abort = new AbortController();
  const { rest } = client({ onWait: () => abort.abort() });
  server.use(
    http.post(`${APP}/x`, () =>
      HttpResponse.json({ code: "too-many-requests" }, { status: 429, headers: { "retry-after": "5" } }),
    ),
  );
  await expect(rest.json("POST", "/x", { signal: abort.signal })).rejects.toMatchObject({
    name: "AbortError",
  });
});

it.each<[string, Response]>([
  ["another status", Response.json({ part: 1, etag: "e" }, { status: 201 })],
  ["no body", new Response(null, { status: 204 })],
  ["an empty body", new Response("", { headers: { "content-type": "application/json" } })],
  ["another media type", new Response('{"part":1,"etag":"e"}', { headers: { "content-type": "text/html" } })],
  ["no media type", new Response(Buffer.from('{"part":1,"etag":"e"}'))],
  ["JSON that is cut", new Response('{"part":1,', { headers: { "content-type": "application/json" } })],
  ["a member that is missing", Response.json({ part: 1 })],
  ["a member of another type", Response.json({ part: "1", etag: "e" })],
  ["a member out of bounds", Response.json({ part: 0, etag: "e" })],
  ["a list", Response.json([{ part: 1, etag: "e" }])],
  ["null", Response.json(null)],
  ["a text", Response.json("part")],
  [
    "bytes that are not UTF-8",
    new Response(new Uint8Array([0x22, 0xff, 0x22]), { headers: { "content-type": "application/json" } }),
  ],
  ["more than a mebibyte", Response.json({ part: 1, etag: "e", more: "x".repeat(1 << 20) })],
])("does not take for an answer what has %s, and asks again", async (_, wrong) => {
  const { rest, waits } = client();
  const answers = [
    wrong,
    Response.json({ part: 1, etag: "e" }, { headers: { "content-type": "Application/JSON; charset=utf-8" } }),
  ];
  server.use(http.put(`${APP}/x`, () => answers.shift() as HttpResponse<never>));
  expect(await rest.json("PUT", "/x", { shape: uploadPart.answer.json })).toEqual({ part: 1, etag: "e" });
  expect(waits).toHaveLength(1);
});

it("takes 204 alone for done, and for octets nothing that says it is something else", async () => {
  const { rest } = client();
  server.use(http.delete(`${APP}/x`, () => HttpResponse.html("<h1>Welcome</h1>")));
  await expect(rest.send("DELETE", "/x", {}, emptyAnswer)).rejects.toMatchObject({
    code: "unexpected-response",
    maybeDone: true,
  });
  server.use(http.get(`${APP}/x`, () => HttpResponse.html("<h1>Welcome</h1>")));
  const read = (response: Response) => octetsOf(response, 100);
  await expect(rest.send("GET", "/x", {}, read)).rejects.toMatchObject({ code: "unexpected-response" });
  server.use(http.get(`${APP}/x`, () => new HttpResponse(new Uint8Array(101))));
  await expect(rest.send("GET", "/x", {}, read)).rejects.toMatchObject({ code: "unexpected-response" });
});

it("tells a refusal of the server's, after which nothing was done, from everything else", async () => {
  const { rest } = client();
  const outcome = async (...answers: (() => Response)[]) => {
    server.use(http.post(`${APP}/x`, () => answers.shift()!() as HttpResponse<never>));
    return rest.json("POST", "/x", { tries: answers.length }).catch((error: unknown) => error);
  };
  const conflict = () => Response.json({ code: "conflict", status: 409 }, { status: 409 });
  expect(await outcome(conflict)).toMatchObject({ code: "conflict", maybeDone: false });
  for (const unclear of [
    () => HttpResponse.error(),
    () => new Response("<h1>Blocked</h1>", { status: 403, headers: { "content-type": "text/html" } }),
    () => Response.json({ code: "conflict", status: 404 }, { status: 409 }),
    () => Response.json({ code: "internal" }, { status: 500 }),
    () => new Response("<h1>Welcome</h1>"),
  ]) {
    expect(await outcome(unclear)).toMatchObject({ maybeDone: true });
  }
  // The first try may have been carried out: the refusal of the second does not undo that.
  expect(await outcome(() => HttpResponse.error(), conflict)).toMatchObject({
    code: "conflict",
    maybeDone: true,
  });
});

it("gives up at once on what will not pass", async () => {
  const { rest, waits } = client();
  server.use(http.get(`${APP}/x`, () => HttpResponse.json({ code: "forbidden" }, { status: 403 })));
  await expect(rest.json("GET", "/x")).rejects.toMatchObject({ code: "forbidden" });
  expect(waits).toEqual([]);
});

it("asks for another token once when one is refused", async () => {
  const { rest, renewals } = client();
  server.use(
    http.get(`${APP}/x`, ({ request }) =>
      request.headers.get("authorization") === "DPoP token-2"
        ? HttpResponse.json("ok")
        : HttpResponse.json({ code: "invalid-token" }, { status: 401 }),
    ),
  );
  expect(await rest.json("GET", "/x")).toBe("ok");
  expect(renewals).toEqual([false, true]);
  server.use(http.get(`${APP}/x`, () => HttpResponse.json({ code: "invalid-token" }, { status: 401 })));
  await expect(rest.json("GET", "/x")).rejects.toMatchObject({ code: "invalid-token" });
  expect(renewals).toHaveLength(4);
});

it("tells a lost connection from a cancellation", async () => {
  const { rest } = client();
  server.use(http.get(`${APP}/x`, () => HttpResponse.error()));
  await expect(rest.json("GET", "/x", { tries: 1 })).rejects.toMatchObject({ code: "offline" });
  const cancelled = AbortSignal.abort();
  await expect(rest.json("GET", "/x", { signal: cancelled })).rejects.toMatchObject({ name: "AbortError" });
});
