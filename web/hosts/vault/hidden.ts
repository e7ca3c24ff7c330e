/** A page that nobody sees for so long is left, milliseconds. */
export const HIDDEN = 5 * 60_000;

type Page = Pick<Document, "visibilityState" | "addEventListener">;

/**
 * Calls `lock` when the page has been hidden for five minutes in a row: what the microservice has decrypted then goes from
 * memory (W7). `later` runs a task once after some milliseconds; in a hidden page browsers may do so a minute late.
 */
export function lockWhenHidden(
  page: Page,
  lock: () => void,
  later: (task: () => void, milliseconds: number) => unknown = setTimeout,
): void {
  /** Of the time that the page is hidden for now. */
  let hiding: object | undefined;
  page.addEventListener("visibilitychange", () => {
    if (page.visibilityState === "visible") {
      hiding = undefined;
      return;
    }
    const own = {};
    hiding = own;
    later(() => {
      if (hiding === own) lock();
    }, HIDDEN);
  });
}
