/** Split operation (W13): each unit in a process of its own, joined by service bindings; nothing else is different. */

import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright";
import { beforeAll, describe, expect, it } from "vitest";
import { UNITS, type Unit } from "#edge/units.ts";
import { needle, scanDirectory } from "../memory/index.ts";
import { auditThat } from "../support/audit.ts";
import {
  needlesOf,
  readRows,
  sealFile,
  showFile,
  signIn,
  untilEnrolled,
  useSystemAndBrowser,
  watchKeys,
} from "./index.ts";

const { system, browsing } = useSystemAndBrowser({ split: true, vars: { COFFER_AUDIT_SECONDS: "1" } });
const watched = watchKeys();
let page: Page;
let complaints: string[];

beforeAll(async () => {
  ({ page, complaints } = await browsing.open());
  await signIn(page, system, "Ada");
  await untilEnrolled(page);
  await sealFile(page, "note.txt", "sealed by eight processes");
});

const folder = (unit: Unit) => join(system.edgeDir, unit);
/** Classes of Durable Objects and buckets that have anything on the disk of a unit. */
const kept = (unit: Unit) =>
  ["do", "r2"].flatMap((kind) => {
    const path = join(folder(unit), kind);
    const there = readdirSync(folder(unit)).includes(kind) ? readdirSync(path) : [];
    return there.filter((name) => !name.startsWith("miniflare-")).map((name) => name.split("-").at(-1));
  });

/** Verifier and CaaS keep nothing. */
const KEEPING = UNITS.filter((unit) => unit !== "verifier" && unit !== "caas");

describe("W13 split operation", () => {
  it("W13 the main job works over units that are processes of their own", async () => {
    expect(await showFile(page, "note.txt")).toBe("sealed by eight processes");
    await page.reload();
    expect(await showFile(page, "note.txt")).toBe("sealed by eight processes");
    expect(complaints).toEqual([]);
    const pids = Object.values(system.running.edge.pids);
    expect(pids.length).toBe(UNITS.length);
    if (process.platform === "linux") expect(new Set(pids).size).toBe(UNITS.length);
  });

  it("W13 each store is in the folder of its own unit and in no other", () => {
    const owner = { Gateway: "app", Documents: "datastore", Segments: "audit" } as Record<string, string>;
    for (const unit of UNITS)
      for (const name of kept(unit)) {
        const [first = ""] = /^[A-Z]?[a-z]+/.exec(name ?? "") ?? [];
        const expected = owner[first[0]?.toUpperCase() + first.slice(1)] ?? first.toLowerCase();
        expect(`${name} of ${expected}`).toBe(`${name} of ${unit}`);
      }
    const keeping = UNITS.filter((unit) => kept(unit).length > 0);
    expect(keeping).toEqual(KEEPING);
  });

  it("W13 a dump of one unit's store has nothing of what another keeps, and no key", () => {
    const [wrapped] = readRows(folder("iam"), "account_keys").map(({ wrapped }) => wrapped as Uint8Array);
    expect(wrapped?.length).toBe(40);
    const keys = needlesOf(watched.keys);
    expect(keys.length).toBeGreaterThan(1);
    for (const unit of KEEPING) {
      const { findings, scanned } = scanDirectory(folder(unit), [
        needle("Enc(account key)", wrapped!),
        ...keys,
      ]);
      expect(scanned, unit).toBeGreaterThan(1000);
      expect([...new Set(findings.map(({ name }) => name))], unit).toEqual(
        unit === "iam" ? ["Enc(account key)"] : [],
      );
    }
  });

  it("W13 the audit log has the decisions of every unit, each under its own name", async () => {
    const sources = (entries: { source: string }[]) =>
      new Set(entries.map(({ source }) => source.split("/")[0]));
    const { entries } = await auditThat(
      system,
      "development",
      (entries) => sources(entries).size >= 4 && entries.some(({ source }) => source.startsWith("datastore")),
    );
    expect(sources(entries)).toEqual(new Set(["datastore", "iam", "kms", "ra"]));
  });

  it("W13 units that were stopped go on where they were", async () => {
    await system.restart();
    await page.reload();
    expect(await showFile(page, "note.txt")).toBe("sealed by eight processes");
  });
});
