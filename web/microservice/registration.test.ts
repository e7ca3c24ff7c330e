import { expect, it } from "vitest";
import { restRegistration } from "./registration.ts";

const VAULT = "https://vault.example";
const redemption = {
  method: "grant",
  credential: "g",
  identityRequest: "r",
  wrappingKey: "k",
  wrappingProof: "p",
};

it("comes again when the server asks, and presents a grant once more only where it was not looked at", async () => {
  const waits: number[] = [];
  const turns = [429, 503, 201, 429, 503].values();
  const registration = restRegistration(
    async () => {
      const status = turns.next().value!;
      const body =
        status === 201
          ? { id: "e", nonce: "AA", expires: 1, accepts: ["grant"] }
          : { code: `status-${status}` };
      return Response.json(body, { status, headers: { "retry-after": "7" } });
    },
    VAULT,
    async (wait) => void waits.push(wait),
  );
  expect(await registration.open()).toEqual({ id: "e", nonce: "AA" });
  expect(waits).toHaveLength(2);
  await expect(registration.redeem("e", redemption)).rejects.toMatchObject({ code: "status-503" });
  expect(waits).toHaveLength(3);
  expect(Math.min(...waits)).toBeGreaterThanOrEqual(7000);
});

function answering(answer: () => Response | Promise<Response>) {
  const asked: Request[] = [];
  const registration = restRegistration(async (input, init) => {
    asked.push(new Request(input, init));
    return answer();
  }, VAULT);
  return { registration, asked };
}

it("asks its own origin whom the cookie stands for, and never a cache", async () => {
  const { registration, asked } = answering(() =>
    Response.json({ tenant: "acme", user: "u-1", session: "s-1" }),
  );
  expect(await registration.session()).toEqual({ tenant: "acme", user: "u-1", session: "s-1" });
  expect(asked[0]).toMatchObject({
    method: "GET",
    url: `${VAULT}/session`,
    credentials: "same-origin",
    cache: "no-store",
    redirect: "error",
  });
});

it.each<[string, () => Response | Promise<Response>, string]>([
  ["nobody is signed in", () => Response.json({ code: "no-session" }, { status: 401 }), "no-session"],
  ["there is no network", () => Promise.reject(new TypeError("failed")), "offline"],
  ["the edge is in trouble", () => new Response("oops", { status: 503 }), "answer-invalid"],
  [
    "a user could be read as a name",
    () => Response.json({ tenant: "acme", user: "u,O=b", session: "s" }),
    "answer-invalid",
  ],
  [
    "a captive portal answers",
    () => new Response("<h1>Welcome</h1>", { headers: { "content-type": "text/html" } }),
    "answer-invalid",
  ],
  [
    "the media type is another one",
    () => new Response('{"tenant":"acme","user":"u","session":"s"}'),
    "answer-invalid",
  ],
  [
    "the status is another one",
    () => Response.json({ tenant: "acme", user: "u", session: "s" }, { status: 201 }),
    "answer-invalid",
  ],
  ["the answer has no body", () => new Response(null, { status: 204 }), "answer-invalid"],
  [
    "the answer is too long",
    () => Response.json({ tenant: "acme", user: "u", session: "s", more: "x".repeat(70_000) }),
    "answer-invalid",
  ],
  [
    "a refusal is not the edge's",
    () => new Response('{"code":"no-session"}', { status: 401 }),
    "answer-invalid",
  ],
  [
    "the answer breaks off",
    () =>
      new Response(
        new ReadableStream({
          start: (controller) => controller.error(new TypeError("terminated")),
        }),
        { headers: { "content-type": "application/json" } },
      ),
    "offline",
  ],
  ["the tenant is missing", () => Response.json({ user: "u", session: "s" }), "answer-invalid"],
])("says so when %s", async (_, answer, code) => {
  const { registration } = answering(answer);
  await expect(registration.session()).rejects.toMatchObject({ code });
});
