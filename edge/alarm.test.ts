import { expect, it } from "vitest";
import { wakeBy } from "./alarm.ts";

/** The alarm of an object whose storage takes its time. */
function storage() {
  let alarm: number | null = null;
  const later = () => new Promise((resolve) => setTimeout(resolve, 1));
  return {
    getAlarm: async () => {
      await later();
      return alarm;
    },
    setAlarm: async (at: number) => {
      await later();
      alarm = at;
    },
  } as Pick<DurableObjectStorage, "getAlarm" | "setAlarm"> as DurableObjectStorage;
}

it("rings for the earliest of several who ask at the same time", async () => {
  for (const asked of [
    [500, 86_400_000],
    [86_400_000, 500],
    [2000, 500, 1000],
  ]) {
    const object = storage();
    await Promise.all(asked.map((at) => wakeBy(object, at)));
    expect(await object.getAlarm()).toBe(500);
  }
});

it("is asked again after a failure", async () => {
  const object = storage();
  const { setAlarm } = object;
  object.setAlarm = async () => {
    throw new Error("away");
  };
  await expect(wakeBy(object, 500)).rejects.toThrow("away");
  object.setAlarm = setAlarm;
  await wakeBy(object, 1000);
  expect(await object.getAlarm()).toBe(1000);
});
