import { type Import, importsOf } from "./support/imports.ts";
import { filesOfTree } from "./support/tree.ts";

const NOTHING = "nothing";

/**
 * Which room may import what, one row a room; what a row has no word for is forbidden. A room is a folder with all below it
 * that has no row of its own, the files of a folder alone (`edge/*.ts`), or one file. A word is a folder with all below it, a
 * room or a file, a package, or `node:`; of a room that says `types of`, nothing may be left when types are stripped.
 * A room's `index.ts` says its row in its comment: "May import: …". Tests, fixtures and bench/ may import all.
 */
export const ROOMS: Readonly<Record<string, string>> = {
  "protocol/*.ts": "types of protocol/contract",
  "protocol/audit": "protocol/*.ts, protocol/hierarchy, protocol/keys, protocol/log",
  "protocol/contract":
    "protocol/*.ts, protocol/keys/algorithm.ts, protocol/keys/length.ts, protocol/keys/loading, protocol/operations, protocol/policy, protocol/port/instance.ts",
  "protocol/envelope": "protocol/*.ts",
  "protocol/evidence": "protocol/*.ts, protocol/keys, protocol/pki, protocol/policy, types of protocol/kmip",
  "protocol/hierarchy": "protocol/*.ts, types of protocol/kmip",
  "protocol/keys": "protocol/*.ts, protocol/hierarchy, protocol/policy, protocol/keys/loading",
  "protocol/keys/loading": "protocol/*.ts, protocol/keys",
  "protocol/kmip": "protocol/*.ts",
  "protocol/kmip/tables/generate.ts": "protocol/kmip, node:",
  "protocol/log": "protocol/*.ts",
  "protocol/pki": "protocol/*.ts, protocol/policy",
  "protocol/policy": "protocol/*.ts",
  "protocol/policy/statements": "protocol/*.ts, protocol/pki/distinguished-name.ts, protocol/policy",
  "protocol/operations": "protocol/*.ts, protocol/keys/algorithm.ts, protocol/keys/length.ts",
  "protocol/port": "protocol/*.ts, protocol/keys/length.ts, protocol/keys/loading, protocol/operations",

  files: "protocol/*.ts, node:",
  "kmip-node": "protocol/*.ts, protocol/kmip, node:",

  "edge/index.ts":
    "edge/audit, edge/caas, edge/datastore, edge/gateway, edge/iam, edge/kms, edge/ra, edge/verifier",
  "edge/*.ts":
    "protocol/*.ts, protocol/contract, protocol/hierarchy, types of protocol/policy, types of edge/audit",
  "edge/audit": "protocol, edge/*.ts, edge/hsm, cloudflare:workers",
  "edge/caas":
    "protocol/*.ts, protocol/envelope, protocol/keys, types of protocol/operations, edge/*.ts, cloudflare:workers, @noble/post-quantum",
  "edge/datastore": "protocol/*.ts, protocol/contract, edge/*.ts, cloudflare:workers",
  "edge/gateway":
    "protocol/*.ts, protocol/contract, protocol/hierarchy, protocol/keys, edge/*.ts, types of edge/datastore, types of edge/iam, types of edge/ra, cloudflare:workers, hono, jose",
  "edge/hsm":
    "protocol/*.ts, protocol/hierarchy, protocol/keys, protocol/kmip, protocol/pki, types of protocol/contract, edge/*.ts",
  "edge/hsm/keys": "protocol/*.ts, protocol/hierarchy, protocol/kmip, edge/*.ts, edge/hsm",
  "edge/iam":
    "protocol, edge/*.ts, edge/hsm, edge/iam/oidc, cloudflare:workers, @peculiar/x509, reflect-metadata",
  "edge/iam/oidc": "protocol/*.ts, edge/*.ts, jose",
  "edge/kms":
    "protocol, edge/*.ts, edge/hsm, edge/kms/cache, edge/kms/loading, edge/kms/rotation, types of edge/iam, types of edge/ra, cloudflare:workers",
  "edge/kms/cache": NOTHING,
  "edge/kms/loading": "protocol, edge/*.ts, edge/hsm, edge/kms, types of edge/iam, types of edge/ra",
  "edge/kms/rotation": "protocol/*.ts, edge/*.ts, cloudflare:workers",
  "edge/ra":
    "protocol, edge/*.ts, edge/hsm, edge/ra/methods, types of edge/iam, cloudflare:workers, @peculiar/x509, reflect-metadata",
  "edge/ra/methods": "protocol/*.ts, types of protocol/policy, edge/*.ts, types of edge/ra",
  "edge/verifier":
    "protocol/*.ts, protocol/evidence, types of protocol/policy, edge/*.ts, cloudflare:workers, @peculiar/x509, @simplewebauthn/server, reflect-metadata",
  "edge/bundle.ts": "edge/*.ts, types of edge/local.ts, node:, esbuild, wrangler",
  "edge/local.ts": "types of protocol/hierarchy, edge/*.ts, edge/loopback.ts, node:, miniflare",
  "edge/loopback.ts": "node:",

  "web/microservice":
    "protocol/*.ts, protocol/contract, protocol/envelope, protocol/keys, protocol/operations, protocol/pki, protocol/policy, protocol/port, idb",
  "web/embed": "web/browser/index.ts, web/browser/discovery.ts",
  "web/hosts/client":
    "protocol/*.ts, protocol/contract, types of protocol/operations, types of protocol/port",
  "web/hosts/node":
    "protocol/*.ts, protocol/keys, protocol/pki, protocol/port, types of protocol/policy, files, web/hosts/service, web/microservice, node:",
  "web/hosts/pages": "protocol/*.ts, web/microservice",
  "web/hosts/service":
    "protocol/*.ts, protocol/contract, types of protocol/operations, types of protocol/port",
  "web/hosts/service-worker": "protocol/*.ts, web/hosts/service",
  "web/hosts/sidecar":
    "protocol/*.ts, protocol/contract, protocol/policy, protocol/policy/statements, web/hosts/node, web/hosts/service, node:",
  "web/hosts/vault": "protocol/*.ts, types of protocol/contract",
  "web/hosts/worker": "protocol/*.ts, protocol/pki, protocol/port, web/microservice",
  "web/client":
    "protocol/*.ts, protocol/contract, protocol/envelope, types of protocol/keys/algorithm.ts, protocol/keys/loading, protocol/operations, protocol/pki, protocol/port",
  "web/browser": "protocol/*.ts, protocol/contract, web/client, idb",
  "web/msw": "protocol/*.ts, protocol/contract, msw",
  "web/page":
    "web/browser/index.ts, web/browser/discovery.ts, web/browser/registration.ts, web/browser/service-worker.ts, client-zip",
  "web/page/pdf": "types of web/page, pdfjs-dist",
  "web/*.ts": "protocol/*.ts, node:, esbuild",

  "emulator/aws-kms": "protocol/*.ts, protocol/evidence, protocol/pki, node:",
  "emulator/pages": "types of node:",
  "emulator/identity-provider": "protocol/*.ts, emulator/pages, node:",
  "emulator/enclave":
    "protocol/*.ts, protocol/evidence, protocol/pki, emulator/pages, node:, @peculiar/x509, reflect-metadata",
  "emulator/hsm/log.ts": "node:",
  "emulator/hsm/crypto": "protocol/*.ts, protocol/kmip, protocol/pki, node:",
  "emulator/hsm/store": "protocol/*.ts, protocol/hierarchy, protocol/kmip, files, emulator/hsm/crypto, node:",
  "emulator/hsm/policy":
    "protocol/*.ts, protocol/hierarchy, protocol/keys, protocol/kmip, protocol/pki, emulator/hsm/store, node:, @peculiar/x509, reflect-metadata",
  "emulator/hsm/identity":
    "protocol/*.ts, protocol/evidence, protocol/hierarchy, protocol/kmip, files, kmip-node, emulator/hsm/policy, types of emulator/hsm/log.ts, node:, @peculiar/x509, reflect-metadata",
  "emulator/hsm/operations":
    "protocol/*.ts, protocol/hierarchy, protocol/kmip, protocol/pki, types of protocol/evidence, emulator/hsm/crypto, emulator/hsm/store, emulator/hsm/policy, emulator/hsm/identity, node:, @peculiar/x509, reflect-metadata",
  "emulator/hsm/server":
    "protocol/*.ts, protocol/evidence, protocol/kmip, files, kmip-node, emulator/hsm/crypto, emulator/hsm/store, emulator/hsm/policy, emulator/hsm/identity, emulator/hsm/operations, emulator/hsm/log.ts, node:",
  "emulator/hsm/*.ts":
    "protocol/evidence, emulator/hsm/store, emulator/hsm/identity, emulator/hsm/server, types of emulator/hsm/policy, types of emulator/hsm/log.ts",
  "emulator/hsm/testing":
    "types of protocol/*.ts, protocol/hierarchy, protocol/kmip, kmip-node, emulator/hsm/identity, emulator/hsm/server, node:, @peculiar/x509, reflect-metadata, vitest",

  "docs/examples": "@coffer/kit, node:, hono",
  // Its tag is in a .jsx, which is not read here.
  "docs/examples/next": "node:, next",
  "docs/examples/playwright": "@coffer/kit, @playwright/test",

  cli: "protocol, files, kmip-node, edge/*.ts, edge/hsm, edge/local.ts, edge/loopback.ts, edge/verifier/policy.ts, web/*.ts, web/client, web/hosts/node, web/hosts/sidecar, emulator/enclave, emulator/hsm/*.ts, emulator/identity-provider, cli/parts, node:, @peculiar/x509, playwright, reflect-metadata, wrangler",
  "cli/package": "edge/bundle.ts, web/*.ts, cli, node:, esbuild",
  "cli/playwright": "protocol/*.ts, emulator/enclave, cli, node:, types of playwright",
  "cli/parts": "edge/bundle.ts, types of edge/local.ts, web/*.ts, node:",
};

/** Imports that no row can speak of. */
export const EXCEPTIONS: Readonly<Record<string, string>> = {
  "cli/coffer.js":
    "a computed import: the command's sources in a clone, what is built of them in the package",
};

/** Product code: what the rows are for. */
export function productFiles(): string[] {
  return filesOfTree("*.ts", "*.js").filter(
    (file) => file.includes("/") && !/^(test|bench)\/|\.d\.ts$/.test(file) && !isTest(file),
  );
}

const isTest = (file: string) => /\.(test|fixture)\.ts$/.test(file);

/** The room of a file: of all that hold it, the one with the longest name. */
export function roomOf(file: string): string | undefined {
  const found = Object.keys(ROOMS).filter((room) => holds(room, file));
  return found.sort((a, b) => b.length - a.length)[0];
}

function holds(room: string, file: string): boolean {
  if (!room.endsWith("/*.ts")) return file === room || file.startsWith(`${room}/`);
  return file.slice(0, file.lastIndexOf("/")) === room.slice(0, -"/*.ts".length);
}

/** The words of a room's row, and whether each lets in types alone. */
export function wordsOf(room: string): { name: string; types: boolean }[] {
  const row = ROOMS[room] ?? NOTHING;
  if (row === NOTHING) return [];
  return row.split(", ").map((word) => {
    const name = word.replace(/^types of /, "");
    return { name, types: name !== word };
  });
}

/** Whether a word names what is imported: a path from the root or a specifier. A room with a row is named by its own. */
export function names(word: string, from: string): boolean {
  if (word === "node:") return from.startsWith("node:");
  return word.endsWith("/*.ts") ? roomOf(from) === word : from === word || from.startsWith(`${word}/`);
}

/** What a file imports against its room's row, each as a sentence. */
export function breaches(file: string, imports: readonly Import[] = importsOf(file)): string[] {
  const room = roomOf(file);
  if (room === undefined) return [`${file} is in no room of test/rooms.ts`];
  return imports
    .filter(({ from, types }) => {
      if (from === null) return !(file in EXCEPTIONS);
      if (isTest(from)) return true;
      if (roomOf(from) === room) return false;
      return !wordsOf(room).some((word) => names(word.name, from) && (types || !word.types));
    })
    .map(({ from, types }) => {
      const what = from === null ? "a computed name" : `${types ? "types of " : ""}${from}`;
      return `${file} imports ${what}: ${room} may import ${ROOMS[room]}`;
    });
}

if (import.meta.main) {
  const found = productFiles().flatMap((file) => breaches(file));
  for (const breach of found) console.error(breach);
  process.exitCode = found.length > 0 ? 1 : 0;
}
