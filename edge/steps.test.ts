import { expect, it } from "vitest";
import { fail, ok } from "./result.ts";
import { Steps, serverTiming, telling } from "./steps.ts";

/** A binding as workerd has it: whatever is asked of it is a method, but what is asked of a method leads elsewhere. */
function binding(methods: Record<string, (...given: never[]) => unknown>) {
  return new Proxy(methods, { get: (target, name) => Reflect.get(target, name) ?? (() => "any method") });
}

it("tells what was asked of whom, in the order in which it began, with what was done within it", async () => {
  const answer = await telling("kms", async (steps) => {
    const iam = steps.watched("iam", binding({ member: async () => ok({ as: "owner" }) }));
    expect(await iam.member?.()).toEqual(ok({ as: "owner" }));
    const end = steps.ofHsm("Import Get");
    end();
    return ok("key");
  });
  const gateway = new Steps("gateway");
  const kms = gateway.watched("kms", binding({ load: async () => answer }));
  const late = gateway.watched("iam", binding({ keys: () => new Promise(() => {}) }));
  void late.keys?.();
  expect(await kms.load?.()).toBe(answer);
  const told = gateway.done.map(({ ms, ...step }) => {
    expect(ms).toBeGreaterThanOrEqual(0);
    return step;
  });
  // What has not come back is no step that was taken.
  expect(told).toEqual([
    { from: "gateway", to: "kms", what: "load" },
    { from: "kms", to: "iam", what: "member" },
    { from: "kms", to: "hsm", what: "Import Get" },
  ]);
});

it("tells nothing of a refusal, and hands on what was thrown", async () => {
  const refused = await telling("kms", async (steps) => {
    steps.ofHsm("Get")();
    return fail("forbidden");
  });
  expect(refused).toEqual(fail("forbidden"));
  const steps = new Steps("gateway");
  const thrown = new Error("away");
  const kms = steps.watched("kms", binding({ load: () => Promise.reject(thrown) }));
  await expect(kms.load?.()).rejects.toBe(thrown);
  expect(steps.done).toMatchObject([{ from: "gateway", to: "kms", what: "load" }]);
});

it("ends: no request has a longer header for having asked for more", async () => {
  const steps = new Steps("kms");
  for (let n = 0; n < 1000; n++) steps.ofHsm("Get")();
  expect(steps.done.length).toBeLessThan(30);
  const many = await telling("kms", async () => ({ ...ok(null), steps: [...steps.done, ...steps.done] }));
  expect(many.ok && many.steps?.length).toBeLessThan(30);
  expect(serverTiming(1, steps.done).length).toBeLessThan(4096);
});

it("writes a header as browsers read it", () => {
  const steps = [{ from: "kms", to: "hsm", what: "Import*2 Get", ms: 12 }];
  expect(serverTiming(30, steps)).toBe('gateway;dur=30, kms-hsm;dur=12;desc="Import*2 Get"');
});
