import { expect, it } from "vitest";
import { parseJson } from "./json.ts";

it("reads JSON as it is", () => {
  for (const value of [null, 1, "a", [], {}, { a: [{ b: ']]]{{{\\"[' }, "\\"] }, [["\\\\", "[".repeat(100)]]])
    expect(parseJson(JSON.stringify(value))).toEqual(value);
  for (const text of ["", "[", "]", "{", '"', '"\\', "[1,]", "nothing"])
    expect(() => parseJson(text), text).toThrow(SyntaxError);
});

it("refuses what is nested too deep, whatever it is made of", () => {
  expect(parseJson("[".repeat(32) + "]".repeat(32))).toBeDefined();
  for (const open of ["[", '{"a":', '[{"a":', '["]",'])
    for (const times of [33, 1000, 100_000])
      expect(() => parseJson(open.repeat(times)), `${times} of ${open}`).toThrow("nested too deep");
  expect(() => parseJson("[".repeat(33) + "]".repeat(33))).toThrow("nested too deep");
});
