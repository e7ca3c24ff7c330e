/** Recovery at level `data` as docs/operations.md has it rehearsed: what was lost comes back from backups, and nothing opens without the HSM's. */

import { cpSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { codeOf } from "#protocol/error.ts";
import { bytesOf, connectNode } from "../documents/node-client.ts";
import { useSystem } from "./index.ts";

const system = useSystem();
const backup = mkdtempSync(join(tmpdir(), "coffer-backup-"));
afterAll(() => rmSync(backup, { recursive: true, force: true }));

/** What a new device of Ann's reads of the document. */
async function read(id: string): Promise<string> {
  const ann = await connectNode(system, "Ann");
  try {
    const { stream } = await ann.documents.open(id, { account: ann.account() });
    return new TextDecoder().decode(await bytesOf(stream));
  } finally {
    ann.close();
  }
}

it("Recovery after the loss of the HSM, and of everything, brings documents back from backups of both, and from neither alone", async () => {
  const ann = await connectNode(system, "Ann");
  const words = "sealed before the loss";
  const { id } = await ann.documents.seal(new TextEncoder().encode(words), ann.account(), { name: "a.txt" });
  ann.close();
  const [hsm, edge] = [join(system.dir, "hsm"), system.edgeDir];
  await system.restart(() => {
    cpSync(hsm, join(backup, "hsm"), { recursive: true });
    cpSync(edge, join(backup, "edge"), { recursive: true });
    // The HSM is lost: another one is made in its place.
    renameSync(hsm, join(backup, "lost"));
  });
  // It has signed no key of any document.
  expect(await read(id).catch(codeOf)).toBe("invalid-edk");
  await system.restart(() => {
    rmSync(hsm, { recursive: true });
    cpSync(join(backup, "hsm"), hsm, { recursive: true });
    rmSync(edge, { recursive: true });
    cpSync(join(backup, "edge"), edge, { recursive: true });
  });
  expect(await read(id)).toBe(words);
  // Of the HSM's backup alone there is nothing to open.
  await system.restart(() => rmSync(edge, { recursive: true }));
  expect(await read(id).catch(codeOf)).toBe("not-found");
  await system.restart(() => {
    rmSync(edge, { recursive: true });
    cpSync(join(backup, "edge"), edge, { recursive: true });
  });
  expect(await read(id)).toBe(words);
}, 180_000);
