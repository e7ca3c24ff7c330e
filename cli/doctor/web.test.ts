import { expect, it } from "vitest";
import { appPolicyFindings, clockFinding, cookiesOf, sessionFindings } from "./web.ts";

const VAULT = "https://vault.example";
const served = (headers: Record<string, string>) => ({ headers: new Headers(headers) });
const says = (found: { right: boolean | null; says: string }[]) =>
  found.filter(({ right }) => right === false).map((one) => one.says);

it.each([
  ["__Host-coffer=x; Path=/; Secure; HttpOnly; SameSite=Strict", []],
  ["coffer=x; Path=/; Secure; HttpOnly; SameSite=Strict", ["coffer lacks the prefix __Host-"]],
  ["__Host-coffer=x; Path=/; HttpOnly; SameSite=Lax", ["__Host-coffer is not Secure"]],
  ["__Host-coffer=x; Path=/; Secure; SameSite=Lax", ["__Host-coffer is not HttpOnly"]],
  ["__Host-coffer=x; Path=/; Secure; HttpOnly; SameSite=None", ["__Host-coffer has no SameSite"]],
  [
    "__Host-coffer=x; Path=/; Secure; HttpOnly; SameSite=Lax; Domain=example",
    ["__Host-coffer is for a whole domain"],
  ],
  ["__Host-coffer=x; Path=/a; Secure; HttpOnly; SameSite=Lax", ["__Host-coffer is not for the path /"]],
])("of the cookie %s it says %j", (line, wrongs) => {
  expect(says(cookiesOf([line], true))).toEqual(wrongs);
});

it("a sign-in without a cookie is wrong, and what a plain localhost has is not", () => {
  expect(says(cookiesOf([], true))).toHaveLength(1);
  expect(says(cookiesOf(["coffer-8788=x; Path=/; HttpOnly; SameSite=Lax"], false))).toEqual([]);
});

const SESSION = "__Host-coffer=x; Max-Age=86400; Path=/; HttpOnly; Secure; SameSite=Strict";
const BEGUN = "__Host-coffer-sign-in=y; Max-Age=600; Path=/; HttpOnly; Secure; SameSite=Lax";
const CLEARED = "__Host-coffer-sign-in=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax";
it.each([
  [[BEGUN, SESSION, CLEARED], []],
  [[BEGUN, CLEARED, SESSION.replace("Strict", "Lax")], ["The session's cookie is not SameSite=Strict"]],
  [[SESSION.replace("HttpOnly; ", "")], ["__Host-coffer is not HttpOnly"]],
  [
    [SESSION.replace("; SameSite=Strict", "")],
    ["__Host-coffer has no SameSite", "The session's cookie is not SameSite=Strict"],
  ],
  [[SESSION, BEGUN], []],
  [[BEGUN], ["A sign-in at the vault sets no cookie"]],
  [[CLEARED], ["A sign-in at the vault sets no cookie"]],
])("of what a sign-in has set, %j, it says %j of the session's cookie", (lines, wrongs) => {
  expect(says(sessionFindings(lines, { app: "https://app.example", vault: VAULT }))).toEqual(wrongs);
});

const GOOD = `default-src 'none'; script-src 'self'; frame-src ${VAULT}; connect-src 'self' ${VAULT}/sign-out`;
it.each([
  [GOOD, []],
  [
    GOOD.replace("script-src 'self'", "script-src 'self' 'unsafe-inline'"),
    ["script-src has 'unsafe-inline'"],
  ],
  [GOOD.replace("script-src 'self';", "script-src *;"), ["script-src has *"]],
  [GOOD.replace(`frame-src ${VAULT}`, "frame-src 'self'"), [`frame-src lacks ${VAULT}`]],
  [GOOD.replace(`${VAULT}/sign-out`, ""), [`connect-src lacks ${VAULT}/sign-out`]],
])("of the app's policy %s it says %j", (policy, wrongs) => {
  const found = says(appPolicyFindings(served({ "content-security-policy": policy }), VAULT));
  expect(found.map((one) => one.replace(/^.*page: /, ""))).toEqual(wrongs);
});

it("an app without a policy is wrong", () => {
  expect(says(appPolicyFindings(served({}), VAULT)).length).toBeGreaterThan(0);
});

it("a clock is wrong long before proofs are refused for it", () => {
  const at = Date.parse("Mon, 30 Nov 2026 12:00:00 GMT");
  const answer = served({ date: "Mon, 30 Nov 2026 12:00:00 GMT" });
  expect(clockFinding(answer, at + 50_000).right).toBe(true);
  expect(clockFinding(answer, at + 90_000)).toMatchObject({
    right: false,
    says: "This clock is 90 s ahead of that of the edge",
  });
  expect(clockFinding(answer, at - 90_000).says).toContain("behind");
  expect(clockFinding(served({}), at).right).toBe(false);
});
