/** Holds what a vault serves against releases: each file's bytes, the document's headers, and what is there besides. From outside, as a browser gets it. */
import { createHash } from "node:crypto";
import type { Release } from "#protocol/evidence/index.ts";
import { loopbackFetch } from "./loopback-fetch.ts";
import { FORBIDDEN_HEADERS, parsePolicy, VAULT_HEADERS, VAULT_POLICY } from "./vault-rules.ts";

/** What is wrong, by a word that stays, and where. */
export type Finding = {
  kind: "file-changed" | "file-missing" | "file-added" | "older-release" | "header";
  path: string;
  says: string;
};

/** Of one file, bytes. */
const MAX_FILE = 8 * 1024 * 1024;
const TIMEOUT_MS = 30_000;
/** Where a Service Worker, or a script for one, would be looked for; a vault has none. */
const NOT_SERVED = ["/service-worker.js", "/sw.js", "/worker.js", "/loader.js", "/microservice.js"];
/** Of the gateway, which writes these pages. */
const PAGES = ["/account", "/authorize"];
const STYLE = "/page.css";
const TYPES: Readonly<Record<string, string>> = {
  js: "text/javascript",
  html: "text/html",
  svg: "image/svg+xml",
};

/** `older`: releases before this one, by which an old file is known. `apps`: origins that may frame the vault, where they are known. */
export async function checkVault(
  vault: string,
  release: Release,
  { older, apps }: { older: readonly Release[]; apps: readonly string[] },
): Promise<Finding[]> {
  const served = release.files.filter(({ path }) => path.startsWith("vault/"));
  const paths = new Map(served.map((file) => [addressOf(file.path), file]));
  const findings: Finding[] = [];
  for (const [path, file] of paths) {
    const response = await get(vault, path);
    findings.push(...(await fileFindings(path, response, file, older)));
    if (path === "/") findings.push(...documentFindings(response.headers, apps));
  }
  const added = (path: string, says: string) => findings.push({ kind: "file-added", path, says });
  for (const path of ["/", ...PAGES]) {
    const { status, text } = await get(vault, path);
    if (status === 404) continue;
    for (const named of loadedBy(text))
      if (!paths.has(named)) added(named, `${path} loads it, and the release has no such file`);
  }
  for (const path of NOT_SERVED)
    if (!paths.has(path) && (await get(vault, path)).status !== 404)
      added(path, "it is served, and the release has no such file");
  return findings;
}

type Served = { status: number; headers: Headers; bytes: Uint8Array; text: string };

async function get(vault: string, path: string): Promise<Served> {
  const response = await loopbackFetch(vault + path, {
    redirect: "manual",
    headers: { "cache-control": "no-cache" },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (bytes.length > MAX_FILE) throw new Error(`${path} is too long to be a vault's`);
  return { status: response.status, headers: response.headers, bytes, text: new TextDecoder().decode(bytes) };
}

function addressOf(path: string): string {
  return path === "vault/index.html" ? "/" : path.slice("vault".length);
}

async function fileFindings(
  path: string,
  { status, headers, bytes }: Served,
  file: Release["files"][number],
  older: readonly Release[],
): Promise<Finding[]> {
  if (status === 404) return [{ kind: "file-missing", path, says: "it is not served" }];
  const findings: Finding[] = [];
  const extension = /\.(\w+)$/.exec(file.path)?.[1] ?? "";
  const type = headers.get("content-type")?.split(";", 1)[0];
  if (TYPES[extension] !== undefined && type !== TYPES[extension])
    findings.push({ kind: "header", path, says: `its media type is ${type ?? "not said"}` });
  const sha384 = createHash("sha384").update(bytes).digest("hex");
  if (status === 200 && bytes.length === file.bytes && sha384 === file.sha384) return findings;
  const old = older.findLast(({ files }) =>
    files.some((one) => one.path === file.path && one.sha384 === sha384),
  );
  return [
    ...findings,
    old === undefined
      ? { kind: "file-changed", path, says: `its bytes are of no release (SHA-384 ${sha384.slice(0, 16)}…)` }
      : { kind: "older-release", path, says: `its bytes are those of release ${old.release}` },
  ];
}

function documentFindings(headers: Headers, apps: readonly string[]): Finding[] {
  const header = (says: string): Finding => ({ kind: "header", path: "/", says });
  const findings: Finding[] = [];
  const policy = parsePolicy(headers.get("content-security-policy") ?? "");
  if (policy === null) findings.push(header("more than one content security policy"));
  const expected = new Map(Object.entries(VAULT_POLICY));
  if (apps.length > 0) expected.set("frame-ancestors", apps.join(" "));
  for (const name of new Set([...expected.keys(), ...(policy?.keys() ?? [])])) {
    const value = policy?.get(name);
    if (name === "frame-ancestors" && apps.length === 0) {
      if (value === undefined || /\*/.test(value)) findings.push(header("any page may frame it"));
    } else if (value !== expected.get(name))
      findings.push(header(`content-security-policy has ${name} ${value ?? "not at all"}`));
  }
  if (policy?.get("frame-ancestors") === undefined) findings.push(header("any page may frame it"));
  for (const [name, value] of Object.entries(VAULT_HEADERS))
    if (headers.get(name) !== value) findings.push(header(`${name} is ${headers.get(name) ?? "not sent"}`));
  for (const name of FORBIDDEN_HEADERS) if (headers.has(name)) findings.push(header(`${name} is sent`));
  return findings;
}

/** What a document has a browser load or run, as far as it says so: nothing else may, by the policy. Scripts that are in it count as a file of their own. */
function loadedBy(html: string): string[] {
  const named: string[] = [];
  for (const [tag, name = ""] of html.matchAll(/<(script|iframe|frame|object|embed|base|link)\b[^>]*>/gi)) {
    const value = /\b(?:src|href|data)\s*=\s*["']?([^"'\s>]+)/i.exec(tag)?.[1];
    if (name.toLowerCase() === "link" && (value === STYLE || /rel\s*=\s*["']?icon\b/i.test(tag))) continue;
    named.push(value ?? `an inline ${name.toLowerCase()}`);
  }
  return named;
}
