import { expect, it } from "vitest";
import { codeOf } from "#protocol/error.ts";
import { type PortHandler, servePort } from "#protocol/port/index.ts";
import { Microservice } from "./microservice.ts";
import type { RestClient } from "./rest.ts";

const DN = "CN=ada,OU=coffer-page,O=t";
const NOW = Date.parse("2030-01-01T00:00:00Z");

function setup({
  stored,
  grants = true,
  mute = [],
  ladder = false,
  named = true,
  mutual = false,
  releases,
}: {
  stored?: { custodian: string; notAfter: string };
  grants?: boolean;
  /** Which vaults, counted from one, do not answer. */
  mute?: number[];
  /** At level `master`, and whether the IAM takes the custodian's word. */
  ladder?: boolean;
  named?: boolean;
  /** The vault is one that has to prove itself. */
  mutual?: boolean;
  /** How often it looks for another release. */
  releases?: number;
} = {}) {
  const events: string[] = [];
  const clock = { now: NOW };
  const enrolling = { gate: Promise.resolve() };
  const open = async () => {
    events.push("open");
    const { port1, port2 } = new MessageChannel();
    if (mute.includes(events.filter((event) => event === "open").length))
      return { port: port1, remove: () => events.push("remove") };
    servePort(port2, handlerOf(vault.measurement));
    return { port: port1, mutual, remove: () => events.push("remove") };
  };
  const vault = { measurement: "sha384-x", open };
  const replaced: string[] = [];
  let enrolments = 0;
  const describe = (custodian: string, notAfter: string) => ({
    id: `i${enrolments}`,
    custodian,
    wrappingCertificate: "AA",
    notAfter,
    method: "grant",
    ...(ladder && { level: "master" as const, identityCertificate: "BBBB" }),
  });
  const handlerOf = (measurement: string) =>
    ({
      hello: async () => {
        if (ladder) events.push("hello");
        return {
          version: 1,
          measurement,
          instance: stored ? describe(stored.custodian, stored.notAfter) : null,
        };
      },
      enrol: async ({ grant }: { grant: string }) => {
        events.push(`enrol ${grant}`);
        await enrolling.gate;
        enrolments++;
        return describe(DN, new Date(clock.now + 86_400_000).toISOString());
      },
      forget: async () => {
        events.push("forget");
        return {};
      },
      certificate: () => enrolling.gate.then(() => ({ certificate: "AA" })),
    }) as unknown as PortHandler;
  const microservice = new Microservice({
    open,
    rest: {
      json: async (_method: string, path: string) => {
        events.push(path);
        if (!grants) throw new Error("refused");
        return { grant: "g" };
      },
      send: async (method: string, path: string, { json }: { json: unknown }) => {
        events.push(`${method} ${path} ${JSON.stringify(json)}`);
        if (!named) throw new Error("refused");
      },
    } as unknown as RestClient,
    custodian: () => DN,
    app: "https://app.example",
    certifiedKey: () => Promise.reject(new Error("nobody asks")),
    now: () => clock.now,
    patience: 50,
    releases,
    quiet: 200,
    replaced: async (id) => void replaced.push(id),
    onState: ({ phase }) => events.push(`is ${phase}`),
  });
  return { microservice, events, clock, enrolling, vault, replaced };
}

it("enrols with a grant, once for all who ask", async () => {
  const { microservice, events } = setup();
  const [one, two] = await Promise.all([microservice.use(), microservice.use()]);
  expect(one).toBe(two);
  expect(events).toEqual(["is starting", "open", "is enrolling", "/ra/grants", "enrol g", "is ready"]);
  microservice.stop();
});

it("goes on with an instance that is still valid for this custodian, and with no other", async () => {
  const later = new Date(NOW + 3_600_000).toISOString();
  const kept = setup({ stored: { custodian: DN, notAfter: later } });
  await kept.microservice.use();
  expect(kept.events).toEqual(["is starting", "open", "is ready"]);
  kept.microservice.stop();
  for (const stored of [
    { custodian: "CN=eve", notAfter: later },
    { custodian: DN, notAfter: new Date(NOW + 60_000).toISOString() },
  ]) {
    const { microservice, events } = setup({ stored });
    await microservice.use();
    expect(events).toContain("enrol g");
    microservice.stop();
  }
});

it("W9 names an instance at level master to the IAM by what it has shown, and greets it again, before anybody uses it", async () => {
  const { microservice, events } = setup({ ladder: true });
  await microservice.use();
  expect(events).toEqual([
    ...["is starting", "open", "hello", "is enrolling", "/ra/grants", "enrol g"],
    ...['PUT /iam/instances/i1 {"certificate":"BBBB"}', "hello", "is ready"],
  ]);
  microservice.stop();
  const refused = setup({ ladder: true, named: false });
  await expect(refused.microservice.use()).rejects.toMatchObject({ name: "CofferError" });
  expect(refused.events.at(-1)).toBe("is failed");
});

it("M18 goes on with a stored instance at level master that nobody can be told of now", async () => {
  const stored = { custodian: DN, notAfter: new Date(NOW + 3_600_000).toISOString() };
  const { microservice, events } = setup({ ladder: true, named: false, stored });
  await microservice.use();
  expect(events.slice(2)).toEqual(["hello", 'PUT /iam/instances/i0 {"certificate":"BBBB"}', "is ready"]);
  microservice.stop();
});

it("renews the instance before its certificate ends, and once only", async () => {
  const { microservice, events, clock } = setup();
  const first = await microservice.use();
  clock.now += 86_000_000;
  const [one, two] = await Promise.all([microservice.use(), microservice.use()]);
  expect(one).toBe(two);
  expect(one.instance.id).not.toBe(first.instance.id);
  expect(events.filter((event) => event === "enrol g")).toHaveLength(2);
  microservice.stop();
});

it("takes the frame away after a failure, reports it, and starts again when asked to", async () => {
  const { microservice, events } = setup({ grants: false });
  await expect(microservice.use()).rejects.toMatchObject({ name: "CofferError" });
  expect(events.slice(-3)).toEqual(["remove", "is idle", "is failed"]);
  await expect(microservice.use()).rejects.toMatchObject({ name: "CofferError" });
  expect(events.filter((event) => event === "open")).toHaveLength(2);
});

it("forgets by the vault that runs", async () => {
  const { microservice, events } = setup();
  await microservice.use();
  await microservice.forget();
  expect(events.slice(-3)).toEqual(["forget", "remove", "is idle"]);
  expect(events.filter((event) => event === "open")).toHaveLength(1);
});

it("opens a vault to forget where none was started, asks it for nothing else, and takes it away", async () => {
  const { microservice, events } = setup();
  await microservice.forget();
  expect(events.filter((event) => !event.startsWith("is"))).toEqual(["open", "forget", "remove"]);
  expect(microservice.state).toEqual({ phase: "idle" });
});

it("ends a sign-out in time when the vault does not answer", async () => {
  const silent = setup({ mute: [1] });
  await silent.microservice.forget();
  expect(silent.events).toContain("remove");
  expect(silent.events).not.toContain("forget");
});

it("gives up an enrolment under way to forget", async () => {
  const { microservice, events, enrolling } = setup();
  let open = () => {};
  enrolling.gate = new Promise((resolve) => {
    open = resolve;
  });
  const using = microservice.use();
  using.catch(() => {});
  await expect.poll(() => events).toContain("enrol g");
  await microservice.forget();
  open();
  await expect(using).rejects.toMatchObject({ code: "port-closed" });
  expect(events).toContain("forget");
  expect(events).not.toContain("is ready");
  expect(microservice.state).toEqual({ phase: "idle" });
});

it("takes away a vault that opens after the stop, and does not enrol in it", async () => {
  const { microservice, events } = setup();
  const using = microservice.use();
  microservice.stop();
  await expect(using).rejects.toMatchObject({ code: "port-closed" });
  expect(events.filter((event) => !event.startsWith("is"))).toEqual(["open", "remove"]);
});

it("M14 takes no microservice from another origin that asks for no proof, and so gives none", async () => {
  const { microservice, events } = setup({ mutual: true });
  expect(await microservice.use().then(() => null, codeOf)).toBe("microservice-unproven");
  expect(events.at(-1)).toBe("is failed");
});

it("M21 changes over to another release: it enrols beside the one that runs, what is under way ends there, and then that one ends", async () => {
  const { microservice, events, enrolling, vault, replaced } = setup();
  const before = await microservice.use();
  expect(await microservice.update(), "the same release").toBe(false);
  expect(events.at(-1)).toBe("remove");
  vault.measurement = "sha384-y";
  let release = () => {};
  const under = before.port.certificate();
  expect(before.port.underWay).toBe(1);
  const [one, two] = await Promise.all([microservice.update(), microservice.update()]);
  expect([one, two], "once for all who ask").toEqual([true, true]);
  const after = await microservice.use();
  expect(after.measurement).toBe("sha384-y");
  expect(after.instance.id).not.toBe(before.instance.id);
  expect(await under).toBe("AA");
  enrolling.gate = new Promise((resolve) => {
    release = resolve;
  });
  const long = before.port.certificate();
  await new Promise((resolve) => setTimeout(resolve, 600));
  expect(replaced, "something is under way").toEqual([]);
  release();
  expect(await long).toBe("AA");
  await expect.poll(() => replaced, { timeout: 5000 }).toEqual([before.instance.id]);
  await expect(before.port.certificate()).rejects.toMatchObject({ code: "port-closed" });
  expect(await after.port.certificate()).toBe("AA");
  microservice.stop();
});

it("M21 M20 ends the instance of the release before when the page goes first", async () => {
  const { microservice, vault, replaced } = setup();
  const before = await microservice.use();
  vault.measurement = "sha384-y";
  expect(await microservice.update()).toBe(true);
  expect(replaced).toEqual([]);
  microservice.stop();
  expect(replaced).toEqual([before.instance.id]);
});

it("M21 goes on with the release that runs where another one cannot enrol, does not answer, or comes after the end", async () => {
  const refused = setup();
  const before = await refused.microservice.use();
  refused.vault.measurement = "sha384-y";
  refused.enrolling.gate = Promise.reject(new Error("no"));
  refused.enrolling.gate.catch(() => {});
  await expect(refused.microservice.update()).rejects.toThrow();
  expect(await refused.microservice.use()).toBe(before);
  expect(await refused.microservice.update().catch(() => "again")).toBe("again");
  refused.enrolling.gate = Promise.resolve();
  let go = () => {};
  refused.enrolling.gate = new Promise((resolve) => {
    go = resolve;
  });
  const late = refused.microservice.update();
  await expect.poll(() => refused.events.filter((event) => event.startsWith("enrol")).length).toBe(4);
  refused.microservice.stop();
  go();
  expect(await late, "it was stopped meanwhile").toBe(false);
  expect(refused.events.filter((event) => event === "open")).toHaveLength(4);
  expect(refused.events.filter((event) => event === "remove")).toHaveLength(4);
});

it("M21 looks for another release by itself while it is used, and no more often than it is told", async () => {
  const { microservice, events, clock, vault } = setup({ releases: 60_000 });
  await microservice.use();
  clock.now += 30_000;
  await microservice.use();
  expect(events.filter((event) => event === "open")).toHaveLength(1);
  vault.measurement = "sha384-y";
  clock.now += 40_000;
  await microservice.use();
  await expect.poll(async () => (await microservice.use()).measurement).toBe("sha384-y");
  expect(events.filter((event) => event === "open")).toHaveLength(2);
  microservice.stop();
});

it("W12 changes over to an instance with other keys once they have been accepted, and then ends the one before", async () => {
  const { microservice, events, vault, replaced } = setup();
  const before = await microservice.use();
  const opened: string[] = [];
  const keys = (accept: () => Promise<void>) => ({
    open: () => {
      opened.push("with the next key");
      return vault.open();
    },
    accept: async () => {
      expect(await microservice.use(), "not before").toBe(before);
      await accept();
    },
  });
  await microservice.replaceKeys(keys(async () => void events.push("accepted")));
  const after = await microservice.use();
  expect(after.instance.id).not.toBe(before.instance.id);
  expect(after.measurement).toBe(before.measurement);
  expect(opened).toHaveLength(1);
  await expect.poll(() => replaced, { timeout: 5000 }).toEqual([before.instance.id]);
  microservice.stop();
});

it("W12 goes on with the instance that runs where other keys are not accepted, and revokes the one that has them", async () => {
  const { microservice, vault, replaced } = setup();
  const before = await microservice.use();
  const refused = microservice.replaceKeys({
    open: () => vault.open(),
    accept: () => Promise.reject(new Error("no")),
  });
  await expect(refused).rejects.toThrow("no");
  expect(await microservice.use()).toBe(before);
  expect(replaced).toEqual(["i2"]);
  // Ended while it was about to: nothing begins again.
  const late = microservice.replaceKeys({
    open: () => vault.open(),
    accept: async () => microservice.stop(),
  });
  await expect(late).rejects.toMatchObject({ code: "conflict" });
  expect(replaced).toEqual(["i2", "i3"]);
  expect(microservice.state.phase).toBe("idle");
});
