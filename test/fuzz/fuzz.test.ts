import { afterAll, expect, it } from "vitest";
import { type FuzzReport, fuzz } from "./fuzzer.ts";
import { PLANTS, type Plant, plantedDecode, plantedHook } from "./plants.ts";
import { Random } from "./random.ts";
import { seeds } from "./seeds.ts";
import { codecTarget, serverTarget, type Target } from "./targets.ts";

const open: Target[] = [];
afterAll(() => {
  for (const target of open) target.close();
});

async function run(plant: Plant | undefined, maximum: number): Promise<FuzzReport> {
  const targets = [codecTarget(plantedDecode(plant)), await serverTarget(1, plantedHook(plant))];
  open.push(...targets);
  return fuzz({
    targets,
    seeds: seeds(),
    random: new Random(1),
    epoch: 500,
    done: ({ executions, findings }) => executions >= maximum || (plant !== undefined && findings.length > 0),
  });
}

const KIND: Record<Plant, string> = {
  crash: "TypeError: planted",
  lossy: "other bytes",
  hang: "took",
  growth: "MB are alive",
  server: "RangeError: planted",
};

it.each(PLANTS)("finds a planted fault: %s", async (plant) => {
  const { findings } = await run(plant, 30_000);
  expect(findings.map(({ message }) => message).join("\n")).toContain(KIND[plant]);
});

it("finds nothing else in a short run", async () => {
  const { findings, executions } = await run(undefined, 3000);
  expect(findings).toEqual([]);
  expect(executions).toBe(3000);
});
