/** What is being asked for of each object, one after the other: two that looked at the same time would not see each other's alarm. */
const asking = new WeakMap<DurableObjectStorage, Promise<void>>();

/** Sets the object's one alarm to `at` (milliseconds since 1970) unless it rings earlier anyway. Alarms are shared: the
 * handler does all that is due and asks again for what is not. */
export function wakeBy(storage: DurableObjectStorage, at: number): Promise<void> {
  const before = asking.get(storage) ?? Promise.resolve();
  const asked = before.then(async () => {
    const current = await storage.getAlarm();
    if (current === null || current > at) await storage.setAlarm(at);
  });
  asking.set(
    storage,
    asked.catch(() => {}),
  );
  return asked;
}
