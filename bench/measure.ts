import { quantile } from "./load/drive.ts";

/** Of so many calls under way at a time: how many were made, calls a second, and times of one in milliseconds. */
export type Figures = { calls: number; rate: number; p50: number; p99: number };

export async function measure(
  once: () => Promise<unknown>,
  load: number,
  milliseconds: number,
): Promise<Figures> {
  const times: number[] = [];
  const start = performance.now();
  const lane = async () => {
    while (performance.now() - start < milliseconds) {
      const before = performance.now();
      await once();
      times.push(performance.now() - before);
    }
  };
  await Promise.all(Array.from({ length: load }, lane));
  const took = performance.now() - start;
  times.sort((a, b) => a - b);
  const { length: calls } = times;
  return { calls, rate: (calls / took) * 1000, p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
}
