/** Documents that wait for the network on the page, as a test meets them. */

import type { Page } from "playwright";
import { expect } from "vitest";
import { openEnrolled, type useSystemAndBrowser } from "../system/index.ts";

export const waiting = (page: Page) => page.getByRole("list", { name: "Waiting for the network" });
export const waits = (page: Page, name: string) =>
  waiting(page).getByRole("listitem").filter({ hasText: name });
export const listed = (page: Page, name: string) =>
  page.getByRole("list", { name: "Documents" }).getByRole("button", { name: `Open ${name}` });

/** How many of each the page's origin keeps. */
export const kept = (page: Page) =>
  page.evaluate(async () => {
    const settled = <T>(request: IDBRequest<T>) =>
      new Promise<T>((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    const database = await settled(indexedDB.open("coffer-uploads"));
    const names = [...database.objectStoreNames];
    const counts = names.map(async (name) => [
      name,
      await settled(database.transaction(name).objectStore(name).count()),
    ]);
    const found = Object.fromEntries(await Promise.all(counts)) as Record<string, number>;
    database.close();
    return found;
  });

/** Signed in, with keys at hand for a time without the network. */
export async function ready(running: ReturnType<typeof useSystemAndBrowser>, name: string): Promise<Page> {
  const page = await openEnrolled(running, name);
  await untilKeys(page);
  return page;
}

export const untilKeys = (page: Page) =>
  expect.poll(async () => (await kept(page)).keys ?? 0, { timeout: 20_000 }).toBeGreaterThanOrEqual(8);

/** Lets files go over the page, as a person does. */
export async function drop(
  page: Page,
  ...files: { name: string; text?: string; bytes?: number; type?: string }[]
) {
  const data = await page.evaluateHandle((files) => {
    const transfer = new DataTransfer();
    for (const { name, text, bytes = 0, type = "text/plain" } of files)
      transfer.items.add(new File([text ?? new Uint8Array(bytes)], name, { type }));
    return transfer;
  }, files);
  await page.dispatchEvent("main", "drop", { dataTransfer: data });
}
