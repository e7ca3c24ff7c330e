import { afterEach, expect, it, vi } from "vitest";
import { discover, remembered } from "./discovery.ts";

const metadata = {
  resource: "https://app.example",
  authorization_servers: ["https://vault.example"],
  coffer_environment: "development",
  dpop_bound_access_tokens_required: true,
  dpop_signing_alg_values_supported: ["ES256"],
};
const answer = (value: unknown, headers = { "content-type": "application/json" }, status = 200) =>
  new Response(typeof value === "string" ? value : JSON.stringify(value), { status, headers });

const served = (response: () => Response | Promise<Response>) =>
  vi.stubGlobal("fetch", async () => response());
afterEach(() => vi.unstubAllGlobals());

it("says the vault, and that an emulator stands in for the HSM unless it is production", async () => {
  served(() => answer(metadata));
  expect(await discover()).toEqual({ vault: "https://vault.example", development: true });
  served(() => answer({ ...metadata, coffer_environment: "production" }));
  expect(await discover()).toEqual({ vault: "https://vault.example", development: false });
});

it.each([
  ["a portal's page", () => answer("<title>Sign in</title>", { "content-type": "text/html" })],
  ["an error", () => answer(metadata, undefined, 503)],
  ["what is no JSON", () => answer("{")],
  ["no vault", () => answer({ ...metadata, authorization_servers: [] })],
  [
    "a vault that is no origin",
    () => answer({ ...metadata, authorization_servers: ["https://vault.example/x"] }),
  ],
])("takes no vault from %s", async (_, response) => {
  served(response);
  await expect(discover()).rejects.toMatchObject({ code: "unexpected-response" });
});

it("remembers a vault that was found, and none of what is kept otherwise", () => {
  const found = { vault: "https://vault.example", development: false };
  expect(remembered(JSON.stringify(found))).toEqual(found);
  // Nobody is told less than there is to say.
  expect(remembered(JSON.stringify({ vault: found.vault }))).toEqual({ ...found, development: true });
  const others = [
    {},
    { vault: 1 },
    { vault: "https://vault.example/x" },
    { vault: "javascript:0" },
    null,
    [],
  ];
  for (const kept of ["", "{", ...others.map((other) => JSON.stringify(other))])
    expect(remembered(kept)).toBeUndefined();
});

it("is offline when nobody answers, or only half", async () => {
  served(() => Promise.reject(new TypeError("no network")));
  await expect(discover()).rejects.toMatchObject({ code: "offline" });
  const half = new ReadableStream({ start: (body) => body.error(new TypeError("cut off")) });
  served(() => new Response(half, { headers: { "content-type": "application/json" } }));
  await expect(discover()).rejects.toMatchObject({ code: "offline" });
});

it("is offline when nothing is said, before the answer or within it", async () => {
  const aborted = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const silent = (_: string, { signal }: { signal: AbortSignal }) => aborted(signal);
  const half = async (_: string, { signal }: { signal: AbortSignal }) =>
    new Response(
      new ReadableStream({ start: (body) => void aborted(signal).catch((error) => body.error(error)) }),
      {
        headers: { "content-type": "application/json" },
      },
    );
  for (const server of [silent, half]) {
    vi.stubGlobal("fetch", server);
    await expect(discover(10)).rejects.toMatchObject({ code: "offline" });
  }
});
