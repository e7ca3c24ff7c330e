/** Short documents that one row stands for: how many there are, what became of each, and what is said of them in the end. */

import { formatNumber } from "./format.ts";
import { t, type Words } from "./words.ts";

/** What became of a document that is sealed: stored, kept here until there is a network, or stored and in no index yet. */
export type Came = "stored" | "waits" | "unfinished";

/** `all`: those that are not cancelled. */
export type Tally = Record<Came | "failed" | "all", number>;

const SENTENCES = {
  stored: { one: "1 document is sealed.", many: "{count} documents are sealed." },
  waits: {
    one: "1 document is sealed, and waits for the network.",
    many: "{count} documents are sealed, and wait for the network.",
  },
  unfinished: {
    one: "1 document is stored, and not in the index of your documents yet: finish it in its row.",
    many: "{count} documents are stored, and not in the index of your documents yet: finish them in their rows.",
  },
  failed: {
    one: "1 document could not be sealed: its row says why.",
    many: "{count} documents could not be sealed: their rows say why.",
  },
} as const satisfies Record<Came | "failed", Record<"one" | "many", Words>>;

export function emptyTally(): Tally {
  return { stored: 0, waits: 0, unfinished: 0, failed: 0, all: 0 };
}

export function sealedOf({ stored, waits, unfinished }: Tally): number {
  return stored + waits + unfinished;
}

/** Empty where none is sealed: each failure is told by its row. */
export function wordsOf(tally: Tally): string {
  if (sealedOf(tally) === 0) return "";
  return (["stored", "waits", "unfinished", "failed"] as const)
    .filter((came) => tally[came] > 0)
    .map((came) => {
      const count = tally[came];
      const { one, many } = SENTENCES[came];
      return count === 1 ? t(one) : t(many, { count: formatNumber(count) });
    })
    .join(" ");
}
