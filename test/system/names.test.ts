/** What a document is called is nobody's business but its owner's: names appear in no store and in no log. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { scanBytes, scanDirectory, textNeedle } from "../memory/index.ts";
import { sealFile, showFile, signIn, useSystemAndBrowser, watchTraffic } from "./index.ts";

const NAME = "Kündigung an Ferdinand №4711.txt";
const PLAIN_NAME = "severance-ferdinand-4711.txt";
const CONTENT = "Dear Ferdinand, this is to tell you that nothing of this is readable.";
const USER = "Ada Visible-Control-Name";

const { system, browsing } = useSystemAndBrowser();
const traffic = watchTraffic();

afterAll(async () => {
  traffic.stop();
});

it("file names, types and contents appear nowhere in R2, Durable Objects, audit, logs or KMIP traffic", async () => {
  const { page } = await browsing.open();
  await signIn(page, system, USER);
  await sealFile(page, NAME, CONTENT);
  await sealFile(page, PLAIN_NAME, CONTENT);
  expect(await showFile(page, PLAIN_NAME)).toBe(CONTENT);
  await page.reload();
  expect(await showFile(page, NAME)).toBe(CONTENT);

  const needles = [
    textNeedle("name", NAME),
    textNeedle("plain name", PLAIN_NAME),
    textNeedle("content", CONTENT.slice(0, 40)),
  ];
  const everything = () => {
    const { findings, files } = scanDirectory(system.dir, needles);
    const flows = [
      scanBytes(Buffer.from(system.log()), needles, "log"),
      scanBytes(traffic.bytes(), needles, "KMIP"),
    ];
    return { findings: [...findings, ...flows.flat()], files };
  };
  const running = everything();
  expect(running.findings).toEqual([]);
  expect(
    running.files.some((file) => file.includes("r2")),
    "R2 was among what was searched",
  ).toBe(true);
  // And once more when all is flushed to the disk.
  await system.restart();
  expect(everything().findings).toEqual([]);
  await page.close();
});

it("the same scan finds what the stores do hold, and a name that is planted (positive control)", () => {
  const user = scanDirectory(system.edgeDir, [textNeedle("user", USER)]);
  expect(user.findings.length, "the user's own name stands in the IAM").toBeGreaterThan(0);
  writeFileSync(join(system.edgeDir, "planted.log"), `{"message":"sealed ${PLAIN_NAME}"}`);
  const { findings } = scanDirectory(system.dir, [textNeedle("plain name", PLAIN_NAME)]);
  expect(findings).toHaveLength(1);
});
