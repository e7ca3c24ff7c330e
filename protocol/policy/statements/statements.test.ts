import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decide, evaluate, type KeyPolicy, TIERS, WRAPPINGS } from "../index.ts";
import { type Asked, factsOf } from "./facts.ts";
import { ACTIONS, explain, type Policy, parsePolicy, rulesOf, type Statement } from "./index.ts";
import { naive } from "./naive.fixture.ts";

const ORIGIN = "https://app.example";
const asked = (over: Partial<Asked> = {}): Asked => ({
  action: "decrypt",
  principal: "CN=ada,OU=payments,O=acme",
  tier: "software",
  now: 1000,
  resource: "accounts/a1/keys/k1",
  ...over,
});
const everything: Statement = { effect: "allow", principals: "*", actions: "*", resources: "*" };
const allowed = (statements: Statement[], over: Partial<Asked> = {}) =>
  decide([parsePolicy(JSON.stringify({ statements })).rules], factsOf(asked(over))).allowed;
/** Whether the request passes a statement as an allow, and whether it evades it as a deny. */
const outcome = (part: Partial<Statement>, over: Partial<Asked> = {}) => ({
  passes: allowed([{ ...everything, ...part }], over),
  evades: allowed([everything, { ...everything, ...part, effect: "deny" }], over),
});
const HOLDS = { passes: true, evades: false };
const HOLDS_NOT = { passes: false, evades: true };
const UNKNOWN = { passes: false, evades: false };

describe("M12 statements", () => {
  it("deny by default, and deny wins in any order and on any layer", () => {
    const deny: Statement = { ...everything, effect: "deny", actions: ["decrypt"] };
    expect(decide([], factsOf(asked())).allowed).toBe(false);
    expect(allowed([everything])).toBe(true);
    expect(allowed([{ ...everything, actions: ["sign"] }])).toBe(false);
    expect(allowed([deny, everything])).toBe(false);
    expect(allowed([everything, deny])).toBe(false);
    expect(allowed([everything, deny], { action: "encrypt" })).toBe(true);
    const layers = (...all: Statement[][]) =>
      decide(
        all.map((statements) => rulesOf({ statements })),
        factsOf(asked()),
      ).allowed;
    expect(layers([everything], [everything])).toBe(true);
    expect(layers([everything], [deny])).toBe(false);
    expect(layers([everything], [{ ...everything, actions: ["sign"] }])).toBe(false);
  });

  it("takes what is not known against the one who asks", () => {
    for (const known of [
      { roles: ["a"] },
      { groups: ["a"] },
      { persons: ["a"] },
      { registers: { "0": "0f".repeat(48) } },
      { methods: ["grant" as const] },
    ])
      expect(outcome({ principals: [known] })).toEqual(UNKNOWN);
    expect(outcome({ principals: [{ tiers: ["software"] }] }, { tier: undefined })).toEqual(UNKNOWN);
    for (const conditions of [
      { origins: [ORIGIN] },
      { accounts: ["a1"] },
      { purposes: ["document"] },
      { headers: { "x-app": "a" } },
      { paths: ["/v1/**"] },
    ])
      expect(outcome({ conditions })).toEqual(UNKNOWN);
    expect(outcome({ conditions: { paths: ["/v1/**"] } }, { http: null })).toEqual(HOLDS_NOT);
    expect(outcome({ conditions: { time: { from: 1 } } }, { now: Number.NaN })).toEqual(UNKNOWN);
  });
});

describe("B3 names and actions", () => {
  const ofPayments: Partial<Statement> = { principals: [{ name: { OU: "payments", O: "acme" } }] };

  it("a listed name with a listed action passes; another name, or another action, does not", () => {
    const listed = { ...everything, ...ofPayments, actions: ["decrypt" as const] };
    expect(allowed([listed])).toBe(true);
    expect(allowed([listed], { principal: "CN=ada,OU=sales,O=acme" })).toBe(false);
    expect(allowed([listed], { action: "sign" })).toBe(false);
    const key: KeyPolicy = { operations: ["decrypt"], principals: [asked().principal] };
    const own = parsePolicy(JSON.stringify(key)).rules;
    const current = rulesOf({ statements: [listed] });
    expect(decide([own, current], factsOf(asked())).allowed).toBe(true);
    expect(decide([own, current], factsOf(asked({ action: "sign" }))).allowed).toBe(false);
    expect(decide([own, current], factsOf(asked({ principal: "CN=eve,OU=payments,O=acme" }))).allowed).toBe(
      false,
    );
  });

  it.each([
    ["CN=ada,OU=payments,O=acme", HOLDS],
    ["O=acme,OU=payments,CN=ada", HOLDS],
    ["CN=ada, ou=payments, 2.5.4.10=acme", HOLDS],
    ["CN=ada+OU=payments,O=acme", HOLDS],
    ["CN=ada,OU=\\70ayments,O=acme", HOLDS],
    ["CN=ada,OU=payments,O=#0C0461636D65", HOLDS],
    ["CN=ada,OU=payments", HOLDS_NOT],
    ["CN=ada\\,OU\\=payments\\,O\\=acme", HOLDS_NOT],
    ["CN=OU\\=payments,O=acme", HOLDS_NOT],
    ["CN=ada,OU=payments,O=acme,O=evil", UNKNOWN],
    ["CN=ada,OU=sales+OU=payments,O=acme", UNKNOWN],
    ["CN=ada,OU=payments,O=ACME", UNKNOWN],
    ["CN=ada,OU=pay ments,O=acme", UNKNOWN],
    ["CN=ada,OU=payments,O=ａｃｍｅ", UNKNOWN],
    ["CN=ada,OU=payments,O=#0403010203", UNKNOWN],
    ["no name", UNKNOWN],
    ["", UNKNOWN],
  ])("reads the name %s", (principal, expected) => {
    expect(outcome(ofPayments, { principal })).toEqual(expected);
  });

  it("no wildcard leaves its attribute, and an escaped one is a star", () => {
    const cn = (text: string, principal: string) =>
      outcome({ principals: [{ name: { CN: text } }] }, { principal });
    expect(cn("app-*", "CN=app-1,O=acme")).toEqual(HOLDS);
    expect(cn("app-*acme", "CN=app-1,O=acme")).toEqual(HOLDS_NOT);
    expect(cn("app-*,O=acme", "CN=app-1,O=acme")).toEqual(HOLDS_NOT);
    expect(cn("a*b*c", "CN=abc")).toEqual(HOLDS);
    expect(cn("ab*ba", "CN=aba")).toEqual(HOLDS_NOT);
    expect(cn("app-\\*", "CN=app-1")).toEqual(HOLDS_NOT);
    expect(cn("app-\\*", "CN=app-*")).toEqual(HOLDS);
    expect(cn("\\\\", "CN=\\5C")).toEqual(HOLDS);
  });
});

describe("M12 conditions", () => {
  it("begin with from, and have ended at until", () => {
    const at = (now: number) => outcome({ conditions: { time: { from: 1000, until: 2000 } } }, { now });
    expect([999, 1000, 1999, 1999.9, 2000].map(at)).toEqual([HOLDS_NOT, HOLDS, HOLDS, HOLDS, HOLDS_NOT]);
  });

  it.each([
    ["/v1/keys/a", HOLDS],
    ["/v1/keys", HOLDS],
    ["/v1/keys/", HOLDS],
    ["/v1/keysx", HOLDS_NOT],
    ["/v1", HOLDS_NOT],
    ["/v2/keys/a", HOLDS_NOT],
    ["v1/keys/a", HOLDS_NOT],
    ["/V1/keys/a", UNKNOWN],
    ["/v1/../v1/keys/a", UNKNOWN],
    ["/v1/keys/..", UNKNOWN],
    ["/v2/%2E%2E/v1/keys", UNKNOWN],
    ["/v1%2Fkeys", UNKNOWN],
    ["/v1%2fkeys", UNKNOWN],
    ["/v1/%6Beys", UNKNOWN],
    ["/v1//keys", UNKNOWN],
    ["//v1/keys", UNKNOWN],
    ["//", UNKNOWN],
    ["/v1;a/keys", UNKNOWN],
    ["/v1\\keys", UNKNOWN],
    ["/v2/x%5C..%5Cv1", UNKNOWN],
    ["/v1/keys?x", UNKNOWN],
    ["/v1/keys%00", UNKNOWN],
    ["/v1/kéys", UNKNOWN],
    ["/v1/keys%", UNKNOWN],
    ["", UNKNOWN],
  ])("reads the path %s", (path, expected) => {
    expect(outcome({ conditions: { paths: ["/v1/keys/**"] } }, { http: { path, headers: [] } })).toEqual(
      expected,
    );
  });

  it("no wildcard leaves its segment", () => {
    const on = (resource: string) => outcome({ resources: ["accounts/*/keys/k*"] }, { resource });
    expect(on("accounts/a1/keys/k1")).toEqual(HOLDS);
    expect(on("accounts/a1/keys/k1/x")).toEqual(HOLDS_NOT);
    expect(on("accounts/a1/b/keys/k1")).toEqual(HOLDS_NOT);
    expect(on("accounts//keys/k1")).toEqual(UNKNOWN);
  });

  it("reads headers by name in any case, and all of their values", () => {
    const headers = (...given: [string, string][]) =>
      outcome({ conditions: { headers: { "x-app": "app-*" } } }, { http: { path: "/", headers: given } });
    expect(headers(["X-App", "app-1"])).toEqual(HOLDS);
    expect(headers(["x-app", "app-1"], ["X-APP", "app-2"])).toEqual(HOLDS);
    expect(headers(["x-app", " app-1 , app-2"])).toEqual(HOLDS);
    expect(headers()).toEqual(HOLDS_NOT);
    expect(headers(["x-apps", "app-1"])).toEqual(HOLDS_NOT);
    expect(headers(["x-app", "evil"])).toEqual(HOLDS_NOT);
    expect(headers(["x-app", "app-1"], ["X-App", "evil"])).toEqual(UNKNOWN);
    expect(headers(["x-app", "app-1, evil"])).toEqual(UNKNOWN);
  });
});

describe("M12 is refused when it is read:", () => {
  const statement = (part: object) => JSON.stringify({ statements: [{ ...everything, ...part }] });
  it.each([
    ["no JSON", "{"],
    ["no statements", "{}"],
    ["an empty list of statements", '{"statements":[]}'],
    ["an unknown member", JSON.stringify({ statements: [everything], note: "" })],
    ["an unknown member of a statement", statement({ notActions: ["sign"] })],
    ["an unknown effect", statement({ effect: "Allow" })],
    ["an unknown action", statement({ actions: ["unwrap"] })],
    ["a list with everything in it", statement({ actions: ["*"] })],
    ["no actions", statement({ actions: [] })],
    ["no principals", statement({ principals: [] })],
    ["no resources", statement({ resources: [] })],
    ["a principal that is nobody", statement({ principals: [{}] })],
    ["an unknown kind of principal", statement({ principals: [{ dn: "CN=a" }] })],
    ["an empty name", statement({ principals: [{ name: {} }] })],
    ["an unknown attribute", statement({ principals: [{ name: { XY: "a" } }] })],
    ["an attribute by two names", statement({ principals: [{ name: { O: "a", "2.5.4.10": "b" } }] })],
    ["an attribute in two cases", statement({ principals: [{ name: { O: "a", o: "b" } }] })],
    ["an empty pattern", statement({ principals: [{ name: { O: "" } }] })],
    ["an open escape", statement({ principals: [{ name: { O: "a\\" } }] })],
    ["an unknown escape", statement({ principals: [{ name: { O: "\\a" } }] })],
    ["two wildcards in one", statement({ principals: [{ name: { O: "**" } }] })],
    ["five wildcards", statement({ principals: [{ name: { O: "*a*b*c*d*" } }] })],
    ["a control character", statement({ principals: [{ name: { O: "a\n" } }] })],
    ["no roles", statement({ principals: [{ roles: [] }] })],
    ["no tiers", statement({ principals: [{ tiers: [] }] })],
    ["an unknown tier", statement({ principals: [{ tiers: ["gold"] }] })],
    ["an unknown method", statement({ principals: [{ methods: ["trust"] }] })],
    ["no registers", statement({ principals: [{ registers: {} }] })],
    ["a register in upper case", statement({ principals: [{ registers: { "0": "AB".repeat(48) } }] })],
    ["a register of no number", statement({ principals: [{ registers: { pcr0: "ab".repeat(48) } }] })],
    ["no conditions", statement({ conditions: {} })],
    ["an unknown condition", statement({ conditions: { ip: ["::1"] } })],
    ["a time of no end", statement({ conditions: { time: {} } })],
    ["a time that ends before", statement({ conditions: { time: { from: 2, until: 2 } } })],
    ["a time in words", statement({ conditions: { time: { from: "2026-01-01" } } })],
    ["no origins", statement({ conditions: { origins: [] } })],
    ["an origin with a path", statement({ conditions: { origins: [`${ORIGIN}/`] } })],
    ["an origin in upper case", statement({ conditions: { origins: ["https://APP.example"] } })],
    ["an origin with a wildcard", statement({ conditions: { origins: ["https://*"] } })],
    ["an opaque origin", statement({ conditions: { origins: ["null"] } })],
    ["no headers", statement({ conditions: { headers: {} } })],
    ["a header in upper case", statement({ conditions: { headers: { "X-App": "a" } } })],
    ["a header's value with a comma", statement({ conditions: { headers: { "x-app": "a,b" } } })],
    ["no paths", statement({ conditions: { paths: [] } })],
    ["a path without a slash", statement({ conditions: { paths: ["v1"] } })],
    ["a path with dots", statement({ conditions: { paths: ["/v1/../v2"] } })],
    ["a path with an encoded slash", statement({ conditions: { paths: ["/v1%2Fkeys"] } })],
    ["a path with half an encoding", statement({ conditions: { paths: ["/v1%2*"] } })],
    ["a rest in the middle", statement({ conditions: { paths: ["/**/v1"] } })],
    ["a resource with a slash before it", statement({ resources: ["/keys/k1"] })],
    [
      "a member twice",
      '{"statements":[{"effect":"deny","effect":"allow","principals":"*","actions":"*","resources":"*"}]}',
    ],
    ["a member twice, once escaped", `{"statements":[],"\\u0073tatements":[${JSON.stringify(everything)}]}`],
    ["33 statements", JSON.stringify({ statements: Array(33).fill(everything) })],
    ["17 principals", statement({ principals: Array(17).fill({ persons: ["a"] }) })],
    ["17 paths", statement({ conditions: { paths: Array.from({ length: 17 }, (_, i) => `/${i}`) } })],
    ["a long pattern", statement({ resources: ["a".repeat(257)] })],
    ["a long text", `${JSON.stringify({ statements: [everything] })}${" ".repeat(65_536)}`],
    ["a key policy of two forms", JSON.stringify({ operations: [], statements: [everything] })],
    ["a key policy with an unknown member", JSON.stringify({ operations: [], effect: "allow" })],
  ])("%s", (_, text) => {
    expect(() => parsePolicy(text)).toThrow();
  });

  it("and says where", () => {
    expect(() => parsePolicy(statement({ principals: [{ name: { O: "**" } }] }))).toThrow(
      "statements[0]: principals: [0]: name: O: two wildcards",
    );
  });
});

describe("M12 against a naive evaluator", () => {
  const value = fc.constantFrom("a", "b", "ab", "aab", "A", "a b", "*", "ba");
  const glob = fc.constantFrom("a", "b", "ab", "a*", "*b", "*a*b", "a*a", "\\*", "A", "*");
  const globs = fc.uniqueArray(glob, { minLength: 1, maxLength: 2 });
  const segment = fc.constantFrom("a", "b", "ab", "A", "..", "a%2Fb", "");
  const path = fc.array(segment, { minLength: 1, maxLength: 3 }).map((all) => `/${all.join("/")}`);
  const pathGlob = fc.constantFrom("/a", "/a/**", "/*", "/a/*/b", "/**", "/*b/", "/a*b");
  const resource = fc.constantFrom("keys/a", "accounts/a/keys/b", "accounts/b/keys/ab", "accounts/..");
  const resourceGlob = fc.constantFrom("keys/*", "accounts/a/**", "accounts/*/keys/*b", "**", "keys");
  const digest = fc.constantFrom("00".repeat(48), "0a".repeat(48));
  const type = fc.constantFrom("CN", "OU", "O");
  const some = <T>(of: fc.Arbitrary<T>) => fc.uniqueArray(of, { minLength: 1, maxLength: 2 });
  const orAll = <T>(of: fc.Arbitrary<T>) => fc.oneof(fc.constant("*" as const), of);
  const named = <T>(names: fc.Arbitrary<string>, of: fc.Arbitrary<T>) =>
    fc.dictionary(names, of, { minKeys: 1, maxKeys: 2, noNullPrototype: true });
  const present = (one: object) => Object.keys(one).length > 0;
  const tiers = some(fc.constantFrom(...TIERS));
  const principal = fc
    .record(
      {
        name: named(type, glob),
        roles: globs,
        groups: globs,
        persons: globs,
        tiers,
        methods: fc.constant<"grant"[]>(["grant"]),
        registers: named(fc.constantFrom("0", "4"), digest),
      },
      { requiredKeys: [], noNullPrototype: true },
    )
    .filter(present);
  const conditions = fc
    .record(
      {
        time: fc.constantFrom<{ from?: number; until?: number }[]>(
          { from: 3 },
          { until: 3 },
          { from: 2, until: 4 },
        ),
        origins: some(fc.constantFrom(ORIGIN, "https://b.example")),
        accounts: globs,
        purposes: globs,
        headers: named(fc.constantFrom("x-a", "x-b"), glob),
        paths: some(pathGlob),
        wrappings: some(fc.constantFrom(...WRAPPINGS)),
      },
      { requiredKeys: [], noNullPrototype: true },
    )
    .filter(present);
  const statement: fc.Arbitrary<Statement> = fc.record(
    {
      effect: fc.constantFrom("allow" as const, "allow" as const, "deny" as const),
      principals: orAll(fc.array(principal, { minLength: 1, maxLength: 2 })),
      actions: orAll(some(fc.constantFrom(...ACTIONS))),
      resources: orAll(some(resourceGlob)),
      conditions,
    },
    { requiredKeys: ["effect", "principals", "actions", "resources"], noNullPrototype: true },
  );
  const policy: fc.Arbitrary<Policy> = fc.record(
    { statements: fc.array(statement, { minLength: 1, maxLength: 4 }) },
    { noNullPrototype: true },
  );
  const request: fc.Arbitrary<Asked> = fc.record(
    {
      action: fc.constantFrom(...ACTIONS),
      principal: fc.oneof(
        fc.constant("no name"),
        fc
          .array(fc.tuple(type, value), { minLength: 1, maxLength: 4 })
          .map((all) => all.map(([type, text]) => `${type}=${text}`).join()),
      ),
      tier: fc.constantFrom(...TIERS, undefined),
      now: fc.constantFrom(1, 2, 3, 4, Number.NaN),
      wrapping: fc.constantFrom(...WRAPPINGS, null, undefined),
      resource,
      roles: fc.array(value, { maxLength: 2 }),
      groups: fc.array(value, { maxLength: 2 }),
      person: fc.option(value),
      method: fc.constantFrom("grant", "other", null),
      registers: fc.dictionary(fc.constantFrom("0", "4"), digest, { maxKeys: 2 }),
      origin: fc.constantFrom(ORIGIN, "https://c.example", null),
      account: fc.option(value),
      purpose: fc.option(value),
      http: fc.option(
        fc.record({
          path,
          headers: fc.array(
            fc.tuple(fc.constantFrom("x-a", "X-A", "x-b"), fc.oneof(value, fc.constant("a, b"))),
            { maxLength: 3 },
          ),
        }),
      ),
    },
    { requiredKeys: ["action", "principal", "tier", "now", "resource"] },
  );

  it("decides the same, and the explanation says why", () => {
    let passed = 0;
    fc.assert(
      fc.property(fc.array(policy, { maxLength: 3 }), request, (policies, asks) => {
        const rules = policies.map((one) => parsePolicy(JSON.stringify(one)).rules);
        const found = explain(rules, factsOf(asks));
        expect(found.decision.allowed).toBe(naive(policies, asks));
        const layers = found.policies.map((all) => all.filter((one) => one.applies));
        expect(found.decision.allowed).toBe(
          layers.length > 0 &&
            layers.every((all) => all.length > 0 && all.every((one) => one.effect === "allow")),
        );
        if (found.decision.allowed) passed++;
      }),
      { numRuns: 5000 },
    );
    expect(passed).toBeGreaterThan(20);
  });

  it("decides each statement the same, as an allow and as a deny", () => {
    const counts = { passes: 0, denies: 0 };
    fc.assert(
      fc.property(statement, request, (one, asks) => {
        const allow: Policy = { statements: [{ ...one, effect: "allow" }] };
        const deny: Policy = { statements: [everything, { ...one, effect: "deny" }] };
        const facts = factsOf(asks);
        const passes = decide([rulesOf(allow)], facts).allowed;
        const evades = decide([rulesOf(deny)], facts).allowed;
        expect(passes).toBe(naive([allow], asks));
        expect(evades).toBe(naive([deny], asks));
        expect(passes && evades).toBe(false);
        if (passes) counts.passes++;
        if (!evades) counts.denies++;
      }),
      { numRuns: 10_000 },
    );
    expect(counts.passes).toBeGreaterThan(100);
    expect(counts.denies).toBeGreaterThan(counts.passes);
  });

  it("reads the principal's name where a statement asks for it, and once, whatever copies are made of the facts", () => {
    const read = (statements: object[]) => {
      let reads = 0;
      const of = { ...asked(), principal: undefined };
      const counted = Object.defineProperty(of, "principal", {
        enumerable: true,
        get: () => {
          reads++;
          return "CN=ann,O=acme";
        },
      }) as unknown as Asked;
      const facts = factsOf(counted);
      const before = reads;
      const { rules } = parsePolicy(JSON.stringify({ statements }));
      for (const action of ["encrypt", "decrypt"] as const) decide([rules], { ...facts, action });
      return reads - before;
    };
    expect(read([everything])).toBe(0);
    expect(read([{ ...everything, principals: [{ name: { O: "acme" } }] }])).toBe(1);
  });

  it("decides under a key policy as the microservice does", () => {
    const names = ["CN=a", "CN=b"];
    const key = fc.record(
      {
        operations: fc.subarray(["encrypt" as const, "decrypt" as const, "sign" as const]),
        principals: fc.subarray(names),
        denied: fc.subarray(names),
        tier: fc.constantFrom(...TIERS),
        expires: fc.nat(5),
      },
      { requiredKeys: ["operations"], noNullPrototype: true },
    );
    fc.assert(
      fc.property(key, request, fc.constantFrom(...names), (one, asks, principal) => {
        const asksAs = { ...asks, principal };
        expect(decide([parsePolicy(JSON.stringify(one)).rules], factsOf(asksAs))).toEqual(
          evaluate([one], asksAs),
        );
      }),
    );
  });
});
