import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { utf8 } from "#protocol/bytes.ts";
import { Registers } from "./registers.ts";

const sha384 = (...parts: Uint8Array[]) => {
  const hash = createHash("sha384");
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
};

describe("registers of an emulated enclave", () => {
  it("are extended by SHA-384 over what they hold and the data", () => {
    const registers = new Registers(new Map([[0, utf8("image")]]));
    const once = registers.extend(16, utf8("a"));
    expect(once).toEqual(sha384(new Uint8Array(48), utf8("a")));
    expect(registers.extend(16, utf8("b"))).toEqual(sha384(once, utf8("b")));
    expect(registers.locked().get(0)).toEqual(sha384(new Uint8Array(48), utf8("image")));
  });

  it("are told of once they are locked, and stay as they are", () => {
    const registers = new Registers(new Map());
    const value = registers.extend(31, utf8("a"));
    expect([...registers.locked().keys()]).toEqual(Array.from({ length: 16 }, (_, i) => i));
    registers.lock(31);
    expect(registers.locked().get(31)).toEqual(value);
    expect(() => registers.extend(31, utf8("b"))).toThrow("locked");
    expect(() => registers.lock(31)).toThrow("locked");
    registers.locked().get(31)!.fill(0);
    expect(registers.locked().get(31)).toEqual(value);
  });

  it("of the platform are not the code's to extend, and there are 32", () => {
    const registers = new Registers(new Map());
    for (const index of [0, 4, 15]) expect(() => registers.extend(index, utf8("a"))).toThrow("locked");
    for (const index of [32, -1, 1.5])
      expect(() => registers.extend(index, utf8("a"))).toThrow("no such register");
  });
});
