import { HttpResponse, http } from "msw";
import { setupServer } from "msw/node";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { RestClient } from "./rest.ts";

const server = setupServer();
beforeAll(() => server.listen({ onUnhandledFrame: "error" }));
afterEach(() => server.resetHandlers());
afterAll(() => server.close());

const APP = "http://app.test";

function client() {
  const renewals: boolean[] = [];
  const waits: number[] = [];
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
  });
  return { rest, renewals, waits };
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
