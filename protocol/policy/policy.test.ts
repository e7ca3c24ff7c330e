import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  evaluate,
  isKeyPolicy,
  KEY_OPERATIONS,
  type KeyPolicy,
  narrow,
  type Request,
  TIERS,
} from "./index.ts";

const ask = (over: Partial<Request> = {}): Request => ({
  action: "decrypt",
  principal: "CN=app,O=acme",
  tier: "software",
  now: 1000,
  ...over,
});

describe("M12 evaluation", () => {
  it("denies by default", () => {
    expect(evaluate([], ask())).toEqual({ allowed: false, reason: "no policy" });
    expect(evaluate([{ operations: [] }], ask()).allowed).toBe(false);
    expect(evaluate([{ operations: ["encrypt"] }], ask()).allowed).toBe(false);
  });

  it("allows what every policy allows", () => {
    const both: KeyPolicy = { operations: ["encrypt", "decrypt"] };
    expect(evaluate([both], ask())).toEqual({ allowed: true });
    expect(evaluate([both, { operations: ["encrypt"] }], ask()).allowed).toBe(false);
  });

  it("lets deny win over a principal that is named", () => {
    const principals = [ask().principal];
    expect(evaluate([{ operations: ["decrypt"], principals }], ask()).allowed).toBe(true);
    expect(evaluate([{ operations: ["decrypt"], principals, denied: principals }], ask()).allowed).toBe(
      false,
    );
    expect(evaluate([{ operations: ["decrypt"], principals: [] }], ask()).allowed).toBe(false);
  });

  it("refuses a tier and an end that it does not know", () => {
    for (const unknown of [
      { tier: "quantum" },
      { expires: Number.NaN },
      { tier: null },
      { expires: "2000" },
    ]) {
      const policy = { operations: ["decrypt"], ...unknown } as unknown as KeyPolicy;
      expect(evaluate([policy], ask({ tier: "hardware", now: 3000 })).allowed, JSON.stringify(unknown)).toBe(
        false,
      );
      const both = narrow({ operations: ["decrypt"], tier: "hardware", expires: 5000 }, policy);
      expect(evaluate([both], ask({ tier: "hardware", now: 3000 })).allowed, JSON.stringify(unknown)).toBe(
        false,
      );
    }
    const policy: KeyPolicy = { operations: ["decrypt"], expires: 5000 };
    expect(evaluate([policy], ask({ now: Number.NaN })).allowed).toBe(false);
  });

  it("asks for the tier, and ends at expires", () => {
    expect(evaluate([{ operations: ["decrypt"], tier: "hardware" }], ask({ tier: "emulated" })).allowed).toBe(
      false,
    );
    expect(evaluate([{ operations: ["decrypt"], tier: "emulated" }], ask({ tier: "hardware" })).allowed).toBe(
      true,
    );
    expect(evaluate([{ operations: ["decrypt"], expires: 1001 }], ask()).allowed).toBe(true);
    expect(evaluate([{ operations: ["decrypt"], expires: 1000 }], ask()).allowed).toBe(false);
  });
});

describe("narrowing", () => {
  const names = ["CN=a", "CN=b", "CN=c"];
  const policy: fc.Arbitrary<KeyPolicy> = fc
    .record(
      {
        operations: fc.subarray([...KEY_OPERATIONS]),
        principals: fc.subarray(names),
        denied: fc.subarray(names),
        tier: fc.constantFrom(...TIERS),
        expires: fc.nat(5),
      },
      { requiredKeys: ["operations"] },
    )
    .map((made) => ({ ...made }));
  const request = fc.record({
    action: fc.constantFrom(...KEY_OPERATIONS),
    principal: fc.constantFrom(...names),
    tier: fc.constantFrom(...TIERS),
    now: fc.nat(5),
  });

  it("allows exactly what both allow, and is a policy itself", () => {
    fc.assert(
      fc.property(policy, policy, request, (a, b, asked) => {
        const narrowed = narrow(a, b);
        expect(isKeyPolicy(narrowed)).toBe(true);
        expect(evaluate([narrowed], asked).allowed).toBe(evaluate([a, b], asked).allowed);
      }),
    );
  });
});

describe("shape", () => {
  it.each([
    null,
    [],
    {},
    { operations: "decrypt" },
    { operations: ["decrypt", "decrypt"] },
    { operations: ["unwrap"] },
    { operations: [], principals: [""] },
    { operations: [], principals: Array.from({ length: 17 }, (_, i) => `CN=${i}`) },
    { operations: [], tier: "gold" },
    { operations: [], expires: -1 },
    { operations: [], effect: "Allow" },
  ])("refuses %j", (value) => {
    expect(isKeyPolicy(value)).toBe(false);
  });
});
