import { setupServer } from "msw/node";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { contract, type OperationId, pathOf, type Route } from "#protocol/contract/index.ts";
import { fits } from "#protocol/shape.ts";
import { cofferHandlers, problem } from "./index.ts";
import { sampleOf } from "./sample.ts";

const SITES = { app: "https://app.test", vault: "https://vault.test" };
const server = setupServer(...cofferHandlers(SITES));
beforeAll(() => server.listen({ onUnhandledFrame: "error" }));
afterEach(() => server.resetHandlers());
afterAll(() => server.close());

const routes = Object.entries(contract) as [OperationId, Route][];
const samples = (members: Route["parameters"] = {}) =>
  Object.fromEntries(Object.entries(members).map(([name, shape]) => [name, sampleOf(shape)]));

/** A request that a route takes. */
function send(route: Route, change: RequestInit = {}, parameters = samples(route.parameters)) {
  const { request } = route;
  const url = new URL(pathOf(route, parameters), SITES[route.site]);
  for (const [name, value] of Object.entries(samples(route.query?.required)))
    url.searchParams.set(name, value);
  const headers: Record<string, string> = { dpop: "proof", authorization: "DPoP token" };
  let body: BodyInit | null = null;
  if (request && "json" in request) {
    headers["content-type"] = "application/json";
    body = JSON.stringify(sampleOf(request.json));
  } else if (request && "form" in request) {
    headers["content-type"] = "application/x-www-form-urlencoded";
    body = new URLSearchParams(sampleOf(request.form) as Record<string, string>).toString();
  } else if (request) body = new Uint8Array(3);
  return fetch(url, { method: route.method, headers, body, ...change });
}

describe("each route of the contract, a new one too", () => {
  it.each(routes)("%s is answered in its shape", async (_, route) => {
    const answer = await send(route);
    expect(answer.status).toBe(route.answer.status);
    if ("json" in route.answer) expect(fits(route.answer.json, await answer.json())).toBe(true);
    else expect((await answer.arrayBuffer()).byteLength).toBe("octets" in route.answer ? 1 : 0);
  });

  it.each(routes.filter(([, { authentication }]) => authentication === "token"))(
    "%s is refused without a token",
    async (_, route) => {
      const answer = await send(route, { headers: { dpop: "proof" } });
      expect(answer.status).toBe(401);
      expect(await answer.json()).toMatchObject({ code: "invalid-token" });
    },
  );

  it.each(routes.filter(([, { request }]) => request && "json" in request))(
    "%s takes no other body",
    async (_, route) => {
      const headers = { dpop: "proof", authorization: "DPoP token", "content-type": "application/json" };
      const answer = await send(route, { headers, body: "[" });
      expect(answer.status).toBe(400);
      expect((await send(route, { headers: { ...headers, "content-type": "text/plain" } })).status).toBe(415);
    },
  );
});

it("a form with a parameter that comes twice, and a body above the bound, are refused as the edge refuses them", async () => {
  const { clientToken } = contract;
  const form = new URLSearchParams(sampleOf(clientToken.request.form) as Record<string, string>);
  const [[name, value] = ["", ""]] = form;
  form.append(name, value);
  expect((await send(clientToken, { body: form.toString() })).status).toBe(400);
  expect((await send(clientToken, { body: `${name}=${"a".repeat(70_000)}` })).status).toBe(413);
});

describe("answers of the test's own", () => {
  const { listDocuments, deleteDocument, readContent } = contract;
  const row = { id: "one", account: "a", size: 3, created: 1 };

  it("are given as they are, or made of the request", async () => {
    server.use(
      ...cofferHandlers({
        ...SITES,
        answers: {
          listDocuments: ({ parameters }) => ({
            documents: [{ ...row, account: parameters.account ?? "" }],
          }),
          readContent: new Uint8Array([1, 2, 3]),
        },
      }),
    );
    const listed = await send(listDocuments, {}, { account: "mine" });
    expect(await listed.json()).toEqual({ documents: [{ ...row, account: "mine" }] });
    expect(new Uint8Array(await (await send(readContent)).arrayBuffer())).toEqual(new Uint8Array([1, 2, 3]));
  });

  it("are problems with their status, where the route has them", async () => {
    const refuse = (code: "forbidden" | "quota-exceeded") => () => {
      throw problem(code);
    };
    server.use(...cofferHandlers({ ...SITES, answers: { deleteDocument: refuse("forbidden") } }));
    const answer = await send(deleteDocument);
    expect(answer.status).toBe(403);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    server.use(...cofferHandlers({ ...SITES, answers: { deleteDocument: refuse("quota-exceeded") } }));
    expect((await send(deleteDocument)).status).toBe(500);
  });

  it("fail where the route has another shape, and an operation that is none is refused at once", async () => {
    const wrong = { documents: [{ ...row, size: -1 }] };
    server.use(...cofferHandlers({ ...SITES, answers: { listDocuments: wrong } }));
    expect((await send(listDocuments)).status).toBe(500);
    expect(() => cofferHandlers({ ...SITES, answers: { listDocument: {} } as object })).toThrow(
      "listDocument",
    );
  });
});
