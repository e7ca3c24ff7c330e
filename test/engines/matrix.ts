/** What Coffer uses of a browser where it is there, asked of each engine in a page of the app: the table of docs/browsers.md. */

import { readFileSync, writeFileSync } from "node:fs";
import type { Driver, Engine } from "./driver.ts";

export const MATRIX = new URL("../../docs/browsers.md", import.meta.url);

type Probe = {
  /** A row of the table. */
  row: string;
  /** What is done where it is not there. */
  without: string;
  /** Body of an async function in the page: whether it is there. What throws is not. */
  asks: string;
};

const GENERATES = (algorithm: string, usages: string) =>
  `await crypto.subtle.generateKey(${algorithm}, false, ${usages}); return true`;

export const PROBES: readonly Probe[] = [
  {
    row: "Saves while it decrypts, to a file that the person names (`showSaveFilePicker`)",
    without: "the document is gathered first, and saved as a download",
    asks: `return typeof showSaveFilePicker === "function"`,
  },
  {
    row: "Uploads of dropped files go on after a reload by one press (`getAsFileSystemHandle`)",
    without: "the file is chosen again",
    asks: `return typeof DataTransferItem.prototype.getAsFileSystemHandle === "function"`,
  },
  {
    row: "Private file system, where what is gathered lies (OPFS)",
    without: "it is gathered in memory",
    asks: `const root = await navigator.storage.getDirectory();
      const file = await root.getFileHandle("probe", { create: true });
      const written = typeof file.createWritable === "function";
      await root.removeEntry("probe");
      return written`,
  },
  {
    row: "Keys that are kept, and cannot be exported (`CryptoKey` in IndexedDB)",
    without: "nothing works",
    asks: `const { privateKey } = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
      const name = "probe-" + crypto.randomUUID();
      const done = (request) => new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
      const opening = indexedDB.open(name);
      opening.onupgradeneeded = () => opening.result.createObjectStore("keys");
      const db = await done(opening);
      await done(db.transaction("keys", "readwrite").objectStore("keys").put(privateKey, 1));
      const kept = await done(db.transaction("keys").objectStore("keys").get(1));
      db.close();
      indexedDB.deleteDatabase(name);
      return kept.extractable === false`,
  },
  {
    row: "Storage that is not cleared when room is short can be asked for (`navigator.storage.persist`)",
    without: "keys and what opens offline may go; they are got again online",
    asks: `return typeof navigator.storage.persist === "function"`,
  },
  {
    row: "One tab at a time does what all share (Web Locks)",
    without: "nothing works",
    asks: `return await navigator.locks.request("probe-" + crypto.randomUUID(), () => true)`,
  },
  {
    row: "Tabs hear of each other (`BroadcastChannel`)",
    without: "what another tab did is seen after a reload",
    asks: `const name = "probe-" + crypto.randomUUID();
      const [one, other] = [new BroadcastChannel(name), new BroadcastChannel(name)];
      const heard = new Promise((resolve) => (other.onmessage = () => resolve(true)));
      one.postMessage(1);
      const answer = await heard;
      one.close();
      other.close();
      return answer`,
  },
  {
    row: "The page's own files, kept for when there is no network (Service Worker)",
    without: "the page is not there without a network",
    asks: `await navigator.serviceWorker.ready;
      const document = async () => (await (await caches.open("coffer-page")).keys()).length > 0;
      for (let looks = 0; looks < 100 && !(await document()); looks++) await new Promise((resolve) => setTimeout(resolve, 100));
      return document()`,
  },
  {
    row: "What a script has fetched, kept for when there is no network (HTTP cache; WebKitGTK under test is a private window)",
    without: "the page is there without a network, and its vault is not",
    // Each answer of the edge has an id of its own.
    asks: `const answerOf = async (cache) => (await fetch("/favicon.svg", { cache })).headers.get("request-id");
      return (await answerOf("reload")) === (await answerOf("force-cache"))`,
  },
  {
    row: "Videos that seek (Service Worker)",
    without: "nothing is played",
    asks: `return "serviceWorker" in navigator`,
  },
  {
    row: "Curve25519 (`X25519`, `Ed25519`)",
    without: "RSA-OAEP-3072 and ECDSA alone",
    asks: `await crypto.subtle.generateKey("X25519", false, ["deriveBits"]); ${GENERATES(`"Ed25519"`, `["sign", "verify"]`)}`,
  },
  {
    row: "Hybrid keys against quantum computers (`ML-KEM-768` beside `X25519`)",
    without: "RSA-OAEP-3072; a key whose policy asks for hybrid wrapping is refused",
    asks: GENERATES(`"ML-KEM-768"`, `["encapsulateKey", "decapsulateKey"]`),
  },
  {
    row: "Signatures against quantum computers (`ML-DSA-65`)",
    without: "ECDSA, Ed25519 and RSA-PSS",
    asks: GENERATES(`"ML-DSA-65"`, `["sign", "verify"]`),
  },
  {
    row: "Passkeys (`PublicKeyCredential`)",
    without: "vaults are renewed without one",
    asks: `return typeof PublicKeyCredential === "function"`,
  },
  {
    row: "Passkeys that derive secrets (`prf`)",
    without: "a vault's keys lie in the profile as handles, and not under the passkey",
    asks: `return (await PublicKeyCredential.getClientCapabilities())["extension:prf"] === true`,
  },
  {
    row: "Scripts cannot make markup of text (`require-trusted-types-for`)",
    without: "the rest of the policy holds",
    asks: `try { document.createElement("p").innerHTML = "<b></b>"; return false; } catch { return true; }`,
  },
];

/** A column of the table: what this engine has, in the order of the rows. The page has to be one of the app's. */
export async function columnOf(driver: Driver): Promise<string[]> {
  const column: string[] = [];
  for (const { asks } of PROBES)
    column.push((await driver.run<boolean>(asks).catch(() => false)) === true ? "yes" : "no");
  return column;
}

const HEAD = "| What | Chromium | Firefox | WebKit | Without it |";

/** Rows of the table in a document, each with what stands in its columns. */
export function rowsIn(text: string): Map<string, string[]> {
  const [, table = ""] = text.split(`${HEAD}\n| --- | --- | --- | --- | --- |\n`);
  const lines = table.split("\n\n", 1)[0]?.trimEnd().split("\n") ?? [];
  return new Map(
    lines.map((line) => {
      const [row = "", ...columns] = line.slice(2, -2).split(" | ");
      return [row, columns];
    }),
  );
}

const ENGINES: readonly Engine["name"][] = ["Chromium", "Firefox", "WebKit"];

/** The table with these columns; of an engine that was not asked what stands there stays. */
export function tableWith(found: ReadonlyMap<Engine["name"], readonly string[]>, before: string): string {
  const old = rowsIn(before);
  const lines = PROBES.map(({ row, without }, at) => {
    const cells = ENGINES.map((name, column) => found.get(name)?.[at] ?? old.get(row)?.[column] ?? "–");
    return `| ${[row, ...cells, without].join(" | ")} |`;
  });
  return [HEAD, "| --- | --- | --- | --- | --- |", ...lines, ""].join("\n");
}

/** The document with this table in the place of the one that it has. */
export function documentWith(table: string, before: string): string {
  const start = before.indexOf(HEAD);
  const end = before.indexOf("\n\n", start);
  return `${before.slice(0, start)}${table.trimEnd()}${end < 0 ? "\n" : before.slice(end)}`;
}

/** Writes the columns of the engines that were asked into the document. */
export function writeMatrix(found: ReadonlyMap<Engine["name"], readonly string[]>): void {
  const before = readFileSync(MATRIX, "utf8");
  writeFileSync(MATRIX, documentWith(tableWith(found, before), before));
}
