import { afterEach, expect, it, vi } from "vitest";
import { hasNetwork, keepAddress, keptAddress, newAddress } from "./vault-address.ts";

const VAULT = "https://vault.example";
afterEach(() => vi.unstubAllGlobals());

it("M18 asks for the vault's document at another address each time, and knows the last one at which it answered", () => {
  const kept = new Map<string, string>();
  const setItem = (name: string, value: string) => void kept.set(name, value);
  vi.stubGlobal("localStorage", { getItem: (name: string) => kept.get(name) ?? null, setItem });
  expect(keptAddress(VAULT)).toBeUndefined();
  const [one, other] = [newAddress(VAULT), newAddress(VAULT)];
  expect(new Set([one, other, `${VAULT}/`]).size).toBe(3);
  for (const address of [one, other]) {
    keepAddress(VAULT, address);
    expect(keptAddress(VAULT)).toBe(address);
  }
  expect(keptAddress("https://other.example")).toBeUndefined();
  // Others write there too: it leads nowhere but to the vault's document.
  for (const name of kept.keys()) kept.set(name, "/../account#passkey");
  const { origin, pathname, hash } = new URL(keptAddress(VAULT) ?? "");
  expect([origin, pathname, hash]).toEqual([VAULT, "/", ""]);
});

it("M18 where nothing can be kept no address is known, and nothing fails", () => {
  vi.stubGlobal("localStorage", undefined);
  keepAddress(VAULT, newAddress(VAULT));
  expect(keptAddress(VAULT)).toBeUndefined();
});

it("M18 has a network where the edge answers, whatever it says, and none where it fails or says nothing", async () => {
  const cases: [boolean, () => Promise<Response>][] = [
    [true, async () => new Response("")],
    [true, async () => new Response("", { status: 404 })],
    [false, async () => new Response("", { status: 502 })],
    [false, () => Promise.reject(new TypeError("fetch failed"))],
  ];
  for (const [has, answer] of cases) {
    vi.stubGlobal("fetch", answer);
    expect(await hasNetwork()).toBe(has);
  }
  const silent = (_: string, { signal }: RequestInit) =>
    new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
  vi.stubGlobal("fetch", silent);
  expect(await hasNetwork(10)).toBe(false);
});
