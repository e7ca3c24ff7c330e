import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { findVectors } from "../support/missing.ts";
import type { Endpoint } from "./connection.ts";
import { findCases, type Result, runSuite, type SuiteOptions } from "./index.ts";
import { OwnServers } from "./own-server.ts";

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

describe("a case about what a server does not have", () => {
  const dir = mkdtempSync(join(tmpdir(), "coffer-conformance-"));
  const own = new OwnServers();
  afterAll(() => {
    own.close();
    rmSync(dir, { recursive: true, force: true });
  });

  /** Our server has no Re-provision; the case wants it to succeed, or to name another operation. */
  const file = (operation: string) => {
    const header = (time = "") =>
      `<ProtocolVersion><ProtocolVersionMajor type="Integer" value="2"/><ProtocolVersionMinor type="Integer" value="1"/></ProtocolVersion>${time}<BatchCount type="Integer" value="1"/>`;
    const path = join(dir, `${operation}.xml`);
    writeFileSync(
      path,
      `<KMIP><RequestMessage><RequestHeader>${header()}</RequestHeader><BatchItem>
        <Operation type="Enumeration" value="${operation}"/><RequestPayload/>
      </BatchItem></RequestMessage>
      <ResponseMessage><ResponseHeader>${header('<TimeStamp type="DateTime" value="$NOW"/>')}</ResponseHeader><BatchItem>
        <Operation type="Enumeration" value="${operation}"/><ResultStatus type="Enumeration" value="Success"/><ResponsePayload/>
      </BatchItem></ResponseMessage></KMIP>`,
    );
    return path;
  };
  const play = async (operation: string, endpoint?: Endpoint) => {
    const how = { root: dir, encoding: "ttlv", transport: "tls", endpoint } as const;
    const results: Result[] = [];
    for await (const result of runSuite({ files: [file(operation)], ...how })) results.push(result);
    return results[0]!;
  };

  it("is not supported by another server, with its words, and fails of our own", async () => {
    const server = await own.start("tls");
    try {
      const foreign = await play("ReProvision", server.endpoint);
      expect(foreign).toMatchObject({ passed: false, notSupported: true });
      expect(foreign.reason).toMatch(/step 1 \(ReProvision\): .*ResultStatus/);
      // A refusal for another reason is a failure of any server.
      expect(await play("Get", server.endpoint)).toMatchObject({ passed: false, notSupported: false });
    } finally {
      await server.close();
    }
    expect(await play("ReProvision")).toMatchObject({ passed: false, notSupported: false });
  });
});

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
