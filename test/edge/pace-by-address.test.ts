/** The pace of an address where a sign-in begins, by workerd's own rate limiting binding. */

import { expect, it } from "vitest";
import { type Answer, json, send } from "../support/http.ts";
import { useSystem } from "../system/index.ts";

const system = useSystem();
/** Of wrangler.toml: in a minute. */
const LIMIT = 300;

const from = (address: string, path: string, method = "GET"): Promise<Answer> =>
  send(`${system.vaultOrigin}${path}`, { method, headers: { "cf-connecting-ip": address } });

/** Until one is refused for the pace, or `most` are not. */
async function untilRefused(address: string, path: string, most: number): Promise<Answer | undefined> {
  for (let sent = 0; sent < most; sent += 20) {
    const answers = await Promise.all(Array.from({ length: 20 }, () => from(address, path)));
    const refused = answers.find(({ status }) => status === 429);
    if (refused) return refused;
  }
  return undefined;
}

it("answers of a provider from one address come at a pace; past it they are refused with a time, and another address is not", async () => {
  const back = "/sign-in/callback?code=c&state=s";
  // A minute of the binding may end meanwhile.
  const refused = await untilRefused("203.0.113.7", back, 3 * LIMIT);
  expect(refused?.status).toBe(429);
  expect(json(refused!)).toMatchObject({ code: "too-many-requests" });
  expect(refused!.headers["retry-after"]).toBe("60");
  expect((await from("203.0.113.8", back)).status).not.toBe(429);
  // Nobody on this machine is counted: development and a health check go on.
  for (const loopback of ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
    expect(await untilRefused(loopback, back, LIMIT + 20), loopback).toBeUndefined();
}, 120_000);

it("a network of IPv6 has one pace for all its addresses, and the other pages of a sign-in have it too", async () => {
  const own = (n: number) => `2001:db8:0:1::${(n + 1).toString(16)}`;
  let refused: Answer | undefined;
  for (let sent = 0; sent < 3 * LIMIT && !refused; sent += 20) {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => from(own(sent + n), "/authorize?client_id=page")),
    );
    refused = answers.find(({ status }) => status === 429);
  }
  expect(refused?.headers["retry-after"]).toBe("60");
  expect((await from("2001:db8:0:2::1", "/authorize?client_id=page")).status).not.toBe(429);
}, 120_000);
