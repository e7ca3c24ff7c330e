import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { readCase } from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "coffer-case-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function read(text: string) {
  const file = join(folder, "case.xml");
  writeFileSync(file, text);
  return readCase(file);
}

const version = (minor: number) =>
  `<ProtocolVersion><ProtocolVersionMajor type="Integer" value="2"/><ProtocolVersionMinor type="Integer" value="${minor}"/></ProtocolVersion>`;
const request = (minor = 0) =>
  `<RequestMessage><RequestHeader>${version(minor)}</RequestHeader></RequestMessage>`;
const response = "<ResponseMessage/>";

it("takes no message from remarks", () => {
  const { steps, version } = read(`<KMIP>
<!--
# [[A title]] -->
# R & D: a < b, <tag>, <!-- of XML
  #${request(1)}
#${response}
${request(0)}
${response}
# [REPEAT]
${request(0)}
</KMIP>`);
  expect(version).toEqual({ major: 2, minor: 0 });
  expect(steps.map((step) => step.response?.name)).toEqual(["ResponseMessage", undefined]);
  expect(steps.at(-1)?.repeated).toBe(true);
});
