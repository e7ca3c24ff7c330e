/** What is asked where a lock would lose something, and what keeps a page from locking by itself. */

import type { Question } from "./confirm.ts";
import { t } from "./words.ts";

/** Before a sign-out. What waits is not read while it is locked. */
export const SIGN_OUT_LOCKED = (): Question => ({
  ...{
    title: t("Sign out?"),
    name: t("What waits for the network"),
    yes: t("Sign out"),
    no: t("Stay signed in"),
  },
  text: t("in this browser, if anything does, is lost with it."),
});

/** Before a lock that would cut something off. */
export const LOCK_UNDER_WAY = (): Question => ({
  ...{
    title: t("Lock, and cut off what is under way?"),
    name: t("What is being sealed or saved"),
    yes: t("Lock"),
    no: t("Not now"),
  },
  text: t("ends. A large file that was partly sent can be gone on with."),
});

/** Whether somebody may be looking at it, though nothing is pressed. */
export function isPlaying(): boolean {
  return [...document.querySelectorAll<HTMLMediaElement>("video, audio")].some(({ paused }) => !paused);
}
