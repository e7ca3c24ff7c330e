import { expect, it } from "vitest";
import { readRegisters, registersOf } from "./registers.ts";

const [ONE, OTHER] = ["ab".repeat(48), "cd".repeat(48)];

it("M12 registers are named by their numbers, whatever platform has measured", () => {
  expect(registersOf({ code: OTHER, pcr0: ONE, pcr15: OTHER })).toEqual({ 0: ONE, 15: OTHER });
  expect(registersOf({ code: OTHER, "sha256-pcr7": "ab".repeat(32) })).toEqual({ 7: "ab".repeat(32) });
  expect(registersOf({ code: ONE })).toBeNull();
  for (const name of ["pcr", "pcr00", "pcr100", "xpcr1", "pcr1x", "sha-pcr1"])
    expect(registersOf({ [name]: ONE }), name).toBeNull();
});

it("M12 of one number with two values none is told", () => {
  expect(registersOf({ "sha256-pcr0": "ab".repeat(32), "sha384-pcr0": ONE })).toBeNull();
  expect(registersOf({ pcr0: ONE, "sha384-pcr0": ONE })).toEqual({ 0: ONE });
});

it("M12 what is kept is read as it was written, and nothing else", () => {
  expect(readRegisters(null)).toBeNull();
  expect(readRegisters(JSON.stringify({ 0: ONE }))).toEqual({ 0: ONE });
  expect(() => readRegisters('{"0":1}')).toThrow(TypeError);
});
