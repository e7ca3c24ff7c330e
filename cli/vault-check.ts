/** Holds what a vault serves against releases: each file's bytes, the headers of all, and what there is besides. From outside, as a browser gets it. */
import type { Release } from "#protocol/evidence/index.ts";
import { askAsBrowser, randomValue, type Served, signInPath } from "./browser-request.ts";
import { addressOf, type Finding, fileFindings, purposeOf } from "./vault-file.ts";
import { loadedBy } from "./vault-page.ts";
import {
  FORBIDDEN_HEADERS,
  framersOf,
  isOriginFor,
  NOTHING_POLICY,
  pagePolicy,
  policyDifferences,
  VAULT_CACHING,
  VAULT_HEADERS,
  VAULT_POLICY,
} from "./vault-rules.ts";

/** Where a Service Worker, or a script for one, would be looked for; a vault has none. */
const NOT_SERVED = ["/service-worker.js", "/sw.js", "/worker.js", "/loader.js", "/microservice.js"];

/** `older`: releases before this one, by which an old file is known. `apps`: origins that may frame the vault, where they are known. Answers which may. */
export async function checkVault(
  vault: string,
  release: Release,
  { older, apps }: { older: readonly Release[]; apps: readonly string[] },
): Promise<{ found: Finding[]; framedBy: string[] }> {
  const served = release.files.filter(({ path }) => path.startsWith("vault/"));
  const paths = new Map(served.map((file) => [addressOf(file.path), file]));
  const found: Finding[] = [];
  const plain = await askAsBrowser(`${vault}/`, "frame");
  // As a page does, which makes an address of its own each time (web/browser/vault-address.ts).
  const made = await askAsBrowser(`${vault}/?${crypto.randomUUID()}`, "frame");
  const framedBy = framersOf(plain.headers);
  const expected = apps.length > 0 ? apps : framedBy;
  found.push(...framing(vault, framedBy));
  const policy = { ...VAULT_POLICY, "frame-ancestors": expected.join(" ") };
  const { plain: unkept, made: kept } = VAULT_CACHING;
  for (const [shown, answer, caching] of [
    ["/", plain, unkept],
    ["/?…", made, kept],
  ] as const) {
    const headers = { ...VAULT_HEADERS, "cache-control": caching };
    found.push(...headerFindings(shown, answer.headers, policy, headers));
    const file = paths.get("/");
    if (file) found.push(...fileFindings(shown, answer, file, older));
    found.push(...pageFindings(shown, answer, paths));
  }
  for (const [path, file] of paths) {
    if (path === "/") continue;
    const answer = await askAsBrowser(vault + path, purposeOf(path));
    found.push(...fileFindings(path, answer, file, older));
    found.push(...headerFindings(path, answer.headers, NOTHING_POLICY));
  }
  for (const [path, forms] of pagesOf(expected)) {
    const answer = await askAsBrowser(vault + path, "document");
    const shown = path.split("?", 1)[0] ?? path;
    found.push(...pageFindings(shown, answer, paths));
    // What refuses or leads on is no document: nothing runs in it.
    const nothing = headerFindings(shown, answer.headers, NOTHING_POLICY);
    if (nothing.length > 0)
      found.push(
        ...(forms === null ? nothing : headerFindings(shown, answer.headers, pagePolicy(vault, forms))),
      );
  }
  for (const path of NOT_SERVED) {
    if (paths.has(path)) continue;
    const { status, headers } = await askAsBrowser(vault + path, "service-worker");
    if (status !== 404)
      found.push({ kind: "file-added", path, says: "it is served, and the release has no such file" });
    found.push(...headerFindings(path, headers, NOTHING_POLICY));
  }
  return { found: unique(found), framedBy };
}

/** Of the gateway, which writes them: each with the apps that its forms lead to. At the last address is nothing. */
function pagesOf(apps: readonly string[]): [path: string, forms: readonly string[] | null][] {
  const [app = "https://app.invalid"] = apps;
  const back = new URLSearchParams({ code: randomValue(), state: randomValue() });
  return [
    ["/account", []],
    ["/authorize", apps],
    [signInPath(app), apps],
    [`/sign-in/callback?${back}`, apps],
    [`/${randomValue()}`, null],
  ];
}

/** What a page has that the release has not, whatever its status is: a browser shows and runs a 404 too. */
function pageFindings(
  path: string,
  { headers, bytes }: Served,
  known: ReadonlyMap<string, unknown>,
): Finding[] {
  const type = headers.get("content-type");
  const read = type === null || /^(text\/html; ?charset=utf-8|application\/problem\+json)$/i.test(type);
  const wrong: Finding[] = read ? [] : [{ kind: "header", path, says: `its media type is ${type}` }];
  const text = new TextDecoder().decode(bytes);
  const says = `${path} loads or runs it, and the release has no such file`;
  return [
    ...wrong,
    ...loadedBy(text, known).map((one): Finding => ({ kind: "file-added", path: one, says })),
  ];
}

/** Each must be one origin: what stands for several lets whoever has another of them frame the vault. */
function framing(vault: string, framers: readonly string[]): Finding[] {
  const says = (text: string): Finding => ({ kind: "header", path: "/", says: text });
  if (framers.length === 0) return [says("any page may frame it")];
  return framers
    .filter((one) => !isOriginFor(vault, one))
    .map((one) => says(`frame-ancestors has ${one}, which is no origin`));
}

function headerFindings(
  path: string,
  headers: Headers,
  policy: Readonly<Record<string, string>>,
  others: Readonly<Record<string, string>> = { "x-content-type-options": "nosniff" },
): Finding[] {
  return [
    ...policyDifferences(headers.get("content-security-policy"), policy),
    ...Object.entries(others)
      .filter(([name, value]) => headers.get(name) !== value)
      .map(([name]) => `${name} is ${headers.get(name) ?? "not sent"}`),
    ...FORBIDDEN_HEADERS.filter((name) => headers.has(name)).map((name) => `${name} is sent`),
  ].map((says) => ({ kind: "header", path, says }));
}

function unique(findings: readonly Finding[]): Finding[] {
  return [...new Map(findings.map((one) => [JSON.stringify(one), one])).values()];
}
