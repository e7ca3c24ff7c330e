/** Holds one file that a vault serves against the release that it should be of. */
import { createHash } from "node:crypto";
import type { Release } from "#protocol/evidence/index.ts";
import type { Purpose, Served } from "./browser-request.ts";

/** What is wrong, by a word that stays, and where. */
export type Finding = {
  kind: "file-changed" | "file-missing" | "file-added" | "older-release" | "header";
  path: string;
  says: string;
};

const TYPES: Readonly<Record<string, string>> = {
  js: "text/javascript",
  html: "text/html",
  svg: "image/svg+xml",
};

/** Where a file of a release is served. */
export function addressOf(path: string): string {
  return path === "vault/index.html" ? "/" : path.slice("vault".length);
}

/** What a browser asks for it as. */
export function purposeOf(path: string): Purpose {
  if (path.endsWith(".svg")) return "image";
  if (path === "/page.js") return "page-script";
  return path.startsWith("/microservice.") ? "fetch" : "script";
}

/** Whether the answer is this file, byte for byte. */
export function fileFindings(
  path: string,
  { status, headers, bytes }: Served,
  file: Release["files"][number],
  older: readonly Release[],
): Finding[] {
  if (status === 404) return [{ kind: "file-missing", path, says: "it is not served" }];
  const findings: Finding[] = [];
  const extension = /\.(\w+)$/.exec(file.path)?.[1] ?? "";
  const type = headers.get("content-type");
  // In another encoding the same bytes are another script.
  const [essence, ...parameters] = (type ?? "").toLowerCase().split(/\s*;\s*/);
  const read = parameters.every((one) => one === "charset=utf-8");
  if (TYPES[extension] !== undefined && (essence !== TYPES[extension] || !read))
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
