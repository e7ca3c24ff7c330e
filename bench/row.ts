/** One figure, beside what was measured in the same run. */
export interface Row {
  /** What was measured: `kmip/create-get/1-connection`. */
  id: string;
  value: number;
  unit: string;
  /** What it is compared with, measured in the same run; null where there is nothing like it. */
  versus: string | null;
  /** `value` by the other's value: above 1 is more than the other. Null with `versus`. */
  ratio: number | null;
}

/** Takes a figure as soon as there is one. */
export type Report = (row: Row) => void;

/** Says on standard error what is going on: standard output is for figures. */
export function progress(text: string): void {
  process.stderr.write(`${text}\n`);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
