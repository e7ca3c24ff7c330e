import fc from "fast-check";
import { describe, expect, expectTypeOf, it } from "vitest";
import {
  base64url,
  blob,
  bytes,
  checked,
  compactJws,
  fits,
  json,
  line,
  list,
  literal,
  nullable,
  type Of,
  object,
  open,
  record,
  type Shape,
  ShapeError,
  set,
  text,
  union,
  whole,
} from "./shape.ts";

const order = object(
  { id: line(8), parts: list(object({ part: whole(1, 9), etag: text(1, 4, /^[a-z]+$/) }), 1, 3) },
  { note: nullable(line(8)) },
);
const event = union("type", {
  end: object({ type: literal("end") }),
  chunk: object({ type: literal("chunk"), size: whole(0) }),
});

describe("shape", () => {
  it("infers the type of what fits", () => {
    expectTypeOf<Of<typeof order>>().toExtend<{
      id: string;
      parts: { part: number; etag: string }[];
      note?: string | null;
    }>();
    const value: unknown = { type: "chunk", size: 1 };
    if (fits(event, value) && value.type === "chunk") expectTypeOf(value.size).toEqualTypeOf<number>();
    expectTypeOf<Of<ReturnType<typeof literal<["a", 1]>>>>().toEqualTypeOf<"a" | 1>();
  });

  it("takes what is inside its bounds and nothing else", () => {
    const cases: [Shape<unknown>, unknown[], unknown[]][] = [
      [text(1, 3), ["a", "abc"], ["", "abcd", 1, null, undefined, ["a"]]],
      [line(3), ["a b"], ["", "a\n", "\u0085", "abcd"]],
      [base64url(2), ["AAA"], ["AA", "AAAA", "AAB", "AA=", "A A", "+AA", 1]],
      [base64url(0, 3), ["", "AA", "AAAA"], ["A", "AAAAAA"]],
      [compactJws(9), ["a.b.c", "aaa.bbb.c"], ["a.b", "a..b.c", "aaa.bbb.cc", "a.b.c ", "a.b.c.d"]],
      [whole(1, 3), [1, 3], [0, 4, 1.5, "1", Number.NaN, Number.POSITIVE_INFINITY, 1n]],
      [whole(0), [2 ** 53 - 1], [2 ** 53, -1]],
      [literal("a", 1), ["a", 1], ["b", "1", null, true]],
      [list(whole(0), 1, 2), [[1], [1, 1]], [[], [1, 2, 3], [""], { 0: 1, length: 1 }, new Array(1)]],
      [
        set(whole(0), 0, 3),
        [[], [1, 2]],
        [
          [1, 1],
          [1, 2, 3, 4],
        ],
      ],
      [
        object({ a: whole(0) }),
        [{ a: 1 }],
        [{}, { a: 1, b: 1 }, { a: undefined }, [], null, "a", new Date()],
      ],
      [object({}, { a: whole(0) }), [{}, { a: undefined }], [{ a: null }, Object.create(null)]],
      [object({ a: whole(0) }), [], [Object.create({ a: 1 }), { a: 1, [Symbol()]: 1 }, { ["__proto__"]: 1 }]],
      [open({ a: whole(0) }), [{ a: 1, b: { c: 1 } }], [{ b: 1 }, [], null]],
      [record(2, 3), [{}, { a: "b" }], [{ a: 1 }, { a: "", b: "", c: "" }, { abcd: "" }, { a: "abcd" }, []]],
      [
        event,
        [{ type: "end" }],
        [{ type: "chunk" }, { type: "toString" }, { type: "end", size: 1 }, {}, null],
      ],
      [json(2, 4), [[[1]], { a: [1] }, null, "a"], [[[[1]]], [1, 2, 3, 4], undefined, [Number.NaN], () => 1]],
      [bytes(2), [new ArrayBuffer(2)], [new ArrayBuffer(0), new ArrayBuffer(3), new Uint8Array(1)]],
      [bytes(2), [], [new ArrayBuffer(1, { maxByteLength: 2 }), new SharedArrayBuffer(1)]],
      [blob, [new Blob([])], [{}, new ArrayBuffer(1)]],
    ];
    for (const [shape, good, bad] of cases) {
      for (const value of good) expect(shape.check(value), JSON.stringify(shape.schema)).toBeNull();
      for (const [i, value] of bad.entries())
        expect(fits(shape, value), `${JSON.stringify(shape.schema)} ${i}`).toBe(false);
    }
  });

  it("says where a value does not fit and what would, and nothing of the value", () => {
    const fault = (shape: Shape<unknown>, value: unknown) => {
      try {
        checked(shape, value);
      } catch (error) {
        if (error instanceof ShapeError) return error;
      }
      throw new Error("taken");
    };
    const parts = [{ part: 1, etag: "a" }];
    expect(fault(order, { id: "x", parts: [...parts, { part: 2, etag: "SECRET" }] }).message).toBe(
      'value.parts[1].etag: expected {"type":"string","minLength":1,"maxLength":4,"pattern":"^[a-z]+$"}',
    );
    expect(fault(order, { parts }).at).toBe(".id");
    expect(fault(order, { id: "x", parts, note: 1 }).at).toBe(".note");
    expect(fault(event, { type: "SECRET" }).message).toBe('value.type: expected {"enum":["end","chunk"]}');
    const leaks = fc.record({
      id: fc.constant("x"),
      parts: fc.constant(parts),
      SECRET: fc.constant("SECRET"),
    });
    fc.assert(fc.property(leaks, (value) => !fault(order, value).message.includes("SECRET")));
  });

  it("is its own JSON Schema", () => {
    expect(order.schema).toEqual({
      type: "object",
      properties: {
        id: { type: "string", minLength: 1, maxLength: 8, pattern: "^\\P{Cc}*$" },
        parts: {
          type: "array",
          minItems: 1,
          maxItems: 3,
          items: {
            type: "object",
            properties: {
              part: { type: "integer", minimum: 1, maximum: 9 },
              etag: { type: "string", minLength: 1, maxLength: 4, pattern: "^[a-z]+$" },
            },
            required: ["part", "etag"],
            additionalProperties: false,
          },
        },
        note: { anyOf: [expect.objectContaining({ type: "string" }), { type: "null" }] },
      },
      required: ["id", "parts"],
      additionalProperties: false,
    });
    expect(open({}).schema).not.toHaveProperty("additionalProperties");
  });
});
