/** The page's own ways in and out, for documents that take their time: by scripts, with nobody attached who listens in. */

import { setTimeout as delay } from "node:timers/promises";
import type { System } from "../support/start.ts";
import { signIn } from "../system/index.ts";
import type { Chromium, PageSession } from "./chromium.ts";

/** Signs in as a person does, and attaches to the page when its vault is ready. */
export async function openPage(
  chromium: Chromium,
  system: Pick<System, "appOrigin" | "vaultOrigin">,
): Promise<PageSession> {
  await chromium.drive(async (page) => {
    await signIn(page, system, "Ada");
    await page.getByText("The vault is ready.").waitFor({ state: "attached" });
  });
  return chromium.attach();
}

/** Chooses a file of the disk; resolves when it stands in the list as sealed. */
export async function sealPath(page: PageSession, path: string): Promise<void> {
  const name = JSON.stringify(path.split("/").at(-1));
  await page.choose("[data-files]", [path]);
  await until(
    page,
    `!!document.querySelector('[data-save][aria-label=' + CSS.escape('Save ' + ${name}) + ']')`,
  );
}

/** Presses Save; resolves with where the download went, when it is complete. Without the File System Access API. */
export async function savePath(page: PageSession, name: string): Promise<string> {
  const download = await page.download();
  await page.evaluate(`delete globalThis.showSaveFilePicker;
    document.querySelector('[data-save][aria-label=' + CSS.escape('Save ' + ${JSON.stringify(name)}) + ']').click()`);
  const failed = new AbortController();
  const said = until(page, "false", failed.signal);
  try {
    return await Promise.race([download.path, said.then(() => "")]);
  } finally {
    failed.abort();
    await said.catch(() => {});
  }
}

/** Waits for a condition; rejects with what the page says instead. */
async function until(page: PageSession, condition: string, signal?: AbortSignal): Promise<void> {
  while (!(await page.evaluate<boolean>(condition))) {
    const said = await page.evaluate<string[]>(
      "[...document.querySelectorAll('[role=alert]')].map((alert) => alert.textContent)",
    );
    if (said.length > 0) throw new Error(`the page says: ${said.join("; ")}`);
    await delay(200, undefined, { signal });
  }
}
