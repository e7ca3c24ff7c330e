/** Sets the object's one alarm to `at` (milliseconds since 1970) unless it rings earlier anyway. Alarms are shared: the
 * handler does all that is due and asks again for what is not. */
export async function wakeBy(storage: DurableObjectStorage, at: number): Promise<void> {
  const current = await storage.getAlarm();
  if (current === null || current > at) await storage.setAlarm(at);
}
