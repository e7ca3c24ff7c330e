/** What people do all day, in the proportion in which they do it, as far as the edge sees it. */
import type { Browser } from "./browser.ts";

export type Kind = {
  name: string;
  /** Of a hundred. */
  share: number;
  /** HTTP requests of one. */
  requests: number;
  work: (browser: Browser) => Promise<void>;
};

export const KINDS: readonly Kind[] = [
  { name: "sign-in", share: 2, requests: 4, work: (browser) => browser.signIn() },
  { name: "refresh", share: 4, requests: 1, work: (browser) => browser.refresh() },
  { name: "enrol", share: 1, requests: 3, work: (browser) => browser.enrol() },
  { name: "data-keys", share: 5, requests: 1, work: async (browser) => void (await browser.dataKeys()) },
  { name: "rewrap", share: 25, requests: 1, work: (browser) => browser.rewrap() },
  { name: "seal", share: 11, requests: 4, work: (browser) => browser.seal() },
  { name: "list", share: 12, requests: 1, work: (browser) => browser.list() },
  { name: "read", share: 40, requests: 2, work: (browser) => browser.read() },
];

/** A hundred of them, well mixed and always in the same order. */
export const HUNDRED: readonly Kind[] = KINDS.flatMap((kind) =>
  Array.from({ length: kind.share }, (_, i) => ({ kind, at: (i + 0.5) / kind.share })),
)
  .sort((a, b) => a.at - b.at)
  .map(({ kind }) => kind);
