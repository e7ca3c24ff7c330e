import { expect, it } from "vitest";
import { networkOf } from "./pace-by-address.ts";

it("counts an address of IPv4, and 64 bits of one of IPv6, however it is written", () => {
  expect(networkOf("203.0.113.7")).toBe("203.0.113.7");
  for (const one of ["2001:db8:0:1::7", "2001:DB8::1:aaaa:bbbb:cccc:dddd", "2001:0db8:0000:0001:1:2:3:4"])
    expect(networkOf(one)).toBe("2001:db8:0:1");
  expect(networkOf("2001:db8:0:2::7")).not.toBe(networkOf("2001:db8:0:1::7"));
  expect(networkOf("2001:db8::")).toBe("2001:db8:0:0");
});
