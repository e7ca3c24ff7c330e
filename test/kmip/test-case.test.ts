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
const response = "<ResponseMessage><ResponseHeader/></ResponseMessage>";

it("takes no message that is a remark, line by line", () => {
  const remarked = `${request(1)}\n${response}`.replaceAll("><", ">\n  <").replaceAll(/^/gm, "#");
  const { steps, version } = read(`<KMIP>
<!--
# [[A title]]
-->
${remarked}
# and a remark, [REPEAT]
  # TIME 1 ${request(0).replace("><", ">\n<")}
${response}
# TIME 2
${request(0)}
</KMIP>`);
  expect(version).toEqual({ major: 2, minor: 0 });
  expect(steps.map((step) => step.response?.name)).toEqual(["ResponseMessage", undefined]);
  expect(steps.map((step) => step.repeated)).toEqual([true, true]);
});
