/** What was looked at, and what is wrong with it. */

export type Check = "names" | "cookies" | "csp" | "clock" | "mutual-tls" | "hsm-policy";

/** `right`: null where it could not be looked at. `todo`: what mends it, as a sentence. */
export type Finding = { check: Check; right: boolean | null; says: string; todo?: string };

export const right = (check: Check, says: string): Finding => ({ check, right: true, says });
export const wrong = (check: Check, says: string, todo: string): Finding => ({
  check,
  right: false,
  says,
  todo,
});
export const unseen = (check: Check, says: string, todo: string): Finding => ({
  check,
  right: null,
  says,
  todo,
});
