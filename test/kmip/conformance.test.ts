import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { findVectors } from "../support/missing.ts";
import { findCases, runSuite, type SuiteOptions } from "./index.ts";

const vectors = findVectors("kmip/oasis");
const root = vectors ?? "";

type How = Pick<SuiteOptions, "encoding" | "transport">;

async function failures(files: string[], how: How): Promise<string[]> {
  const failed: string[] = [];
  for await (const { file, passed, excluded, reason } of runSuite({ files, root, ...how }))
    if (!passed && !excluded) failed.push(`${file}: ${reason}`);
  return failed;
}

/** The OASIS publications; `ovh` repeats most of them. */
const cases = (version: string) => findCases(join(root, version)).filter((file) => !file.includes("/ovh/"));

describe.skipIf(!vectors)("OASIS test cases", () => {
  it.each(["v1.4", "v2.1"])("%s pass as TTLV over TLS", async (version) => {
    expect(await failures(cases(version), { encoding: "ttlv", transport: "tls" })).toEqual([]);
  });

  it.each<How>([
    { encoding: "ttlv", transport: "https" },
    { encoding: "json", transport: "https" },
    { encoding: "xml", transport: "https" },
    { encoding: "json", transport: "tls" },
    { encoding: "xml", transport: "tls" },
  ])("a sample passes as $encoding over $transport", async (how) => {
    const sample = [...cases("v1.4"), ...cases("v2.1")].filter((_, index) => index % 8 === 0);
    expect(await failures(sample, how)).toEqual([]);
  });
});
