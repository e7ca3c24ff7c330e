import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  evaluate,
  hasStrayWildcard,
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

describe("B3 names in a key's own policy", () => {
  const allows = (listed: string, principal: string) =>
    evaluate([{ operations: ["decrypt"], principals: [listed] }], ask({ principal })).allowed;
  const denies = (listed: string, principal: string) =>
    !evaluate([{ operations: ["decrypt"], denied: [listed] }], ask({ principal })).allowed;

  it.each([
    ["CN=*,OU=https://app.example,O=acme", "CN=ada,OU=https://app.example,O=acme", true],
    ["CN=*,OU=https://app.example,O=acme", "CN=,OU=https://app.example,O=acme", true],
    ["CN=*,O=acme", "CN=a\\,b\\+c\\\\,O=acme", true],
    ["CN=*+SN=1,O=acme", "CN=ada+SN=1,O=acme", true],
    ["CN=*", "CN=ada", true],
    ["CN=*,OU=https://app.example,O=acme", "CN=ada,OU=https://other.example,O=acme", false],
    ["CN=*,OU=https://app.example,O=acme", "CN=ada,OU=https://app.example,O=umbrella", false],
    // Another attribute's value is not the common name's, nor is what a common name has in it an attribute.
    ["CN=*,O=acme", "CN=ada,OU=https://app.example,O=acme", false],
    ["CN=*,OU=x,O=acme", "CN=ada\\,OU=x,O=acme", false],
    ["CN=*,O=acme", "CN=ada+SN=1,O=acme", false],
    ["CN=*,O=acme", "SN=1,CN=ada,O=acme", false],
    ["CN=*,O=acme", "O=acme", false],
    ["CN=ada,OU=*,O=acme", "CN=ada,OU=x,O=acme", false],
    ["CN=a*,O=acme", "CN=ada,O=acme", false],
    ["*", "CN=ada,O=acme", false],
  ])("%s and %s: %s", (listed, principal, expected) => {
    expect([allows(listed, principal), denies(listed, principal)]).toEqual([expected, expected]);
  });

  it("are the same as by a reading of each name, attribute by attribute", () => {
    const value = fc.string({ unit: fc.constantFrom("a", "*", ",", "+", "\\", "=", "O"), maxLength: 4 });
    const attribute = fc.tuple(fc.constantFrom("CN", "OU", "O"), value);
    const name = fc.array(attribute, { minLength: 1, maxLength: 3 });
    const escaped = (text: string) => text.replaceAll(/[,+\\=]/g, String.raw`\$&`);
    const written = (attributes: [string, string][]) =>
      attributes.map(([type, text]) => `${type}=${escaped(text)}`).join(",");
    const isMeant = (listed: [string, string][], asking: [string, string][]) =>
      listed.length === asking.length &&
      listed.every(([type, text], at) => {
        const [askingType, askingText] = asking[at]!;
        const isOpen = at === 0 && type === "CN" && text === "*";
        return type === askingType && (isOpen || text === askingText);
      });
    fc.assert(
      fc.property(name, fc.option(name), (asking, other) => {
        const [[type], ...rest] = asking as [[string, string], ...[string, string][]];
        const listed: [string, string][] = other ?? [[type, "*"], ...rest];
        expect(allows(written(listed), written(asking))).toBe(isMeant(listed, asking));
      }),
    );
  });

  it("are told from wildcards that stand for nothing", () => {
    const stray = (name: string) => hasStrayWildcard({ operations: [], denied: [name] });
    for (const name of [
      "CN=*,OU=https://app.example,O=acme",
      String.raw`CN=*,OU=a\,b,O=acme\+co`,
      "CN=ada,O=acme",
    ])
      expect(stray(name), name).toBe(false);
    const nobody = [
      "*",
      "CN=*",
      "CN=*,O=acme",
      "CN=*, OU=app, O=acme",
      "CN=* ,OU=app,O=acme",
      "cn=*,OU=app,O=acme",
    ];
    const inside = [
      "CN=a*,OU=app,O=acme",
      "CN=*a,OU=app,O=acme",
      "CN=ada,OU=*,O=acme",
      "CN=*,OU=app,O=*",
      "CN=*+SN=1,OU=app,O=acme",
    ];
    for (const name of [...nobody, ...inside, "CN=*,OU=app,O=acme,C=AT", "CN=*,OU=,O=acme"])
      expect(stray(name), name).toBe(true);
  });
});

describe("narrowing", () => {
  const names = ["CN=a,O=x", "CN=b,O=x", "CN=a,O=y"];
  const listed = [...names, "CN=*,O=x", "CN=*,O=y"];
  const policy: fc.Arbitrary<KeyPolicy> = fc
    .record(
      {
        operations: fc.subarray([...KEY_OPERATIONS]),
        principals: fc.subarray(listed),
        denied: fc.subarray(listed),
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
