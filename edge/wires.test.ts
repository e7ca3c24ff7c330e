import { expect, it } from "vitest";
import { UNITS, type Unit } from "./units.ts";
import { bindingsOver, type Service, type Services, servers, wiresOf, workerName } from "./wires.ts";

const kms: Service = { name: workerName("kms"), entrypoint: "Kms" };
const audit = (domain: string): Service => ({
  name: workerName("audit"),
  entrypoint: "AuditForDomains",
  props: { domain },
});
const bound: Partial<Record<Unit, Services>> = {
  app: { KMS: kms, AUDIT_GATEWAY: audit("gateway") },
  iam: { KMS: kms, AUDIT_IAM: audit("iam") },
};
const units = Object.fromEntries(UNITS.map((unit) => [unit, bound[unit] ?? {}])) as Record<Unit, Services>;
let next = 9000;
const wires = wiresOf(Object.values(units), () => next++);

it("W13 has one address for each entrypoint that others are bound to", () => {
  expect(wires).toHaveLength(3);
  const address = (unit: Unit) => bindingsOver(wires, units[unit]).KMS?.external.address;
  expect(address("app")).toBe("127.0.0.1:9000");
  expect(address("iam")).toBe(address("app"));
  expect(servers(wires, workerName("kms"))).toEqual({
    sockets: [{ host: "127.0.0.1", port: 9000, entrypoint: "Kms" }],
    doors: [],
  });
});

it("W13 has a door for each caller whom a binding names: nobody speaks in another's name", () => {
  const { sockets, doors } = servers(wires, workerName("audit"));
  expect(sockets).toEqual([]);
  expect(
    doors.map(({ serviceBindings, unsafeDirectSockets }) => [
      serviceBindings.TO.props,
      unsafeDirectSockets[0]?.port,
    ]),
  ).toEqual([
    [{ domain: "gateway" }, 9001],
    [{ domain: "iam" }, 9002],
  ]);
  expect(bindingsOver(wires, units.iam).AUDIT_IAM?.external.address).toBe("127.0.0.1:9002");
});

it("W13 leads no binding to where nobody serves it", () => {
  expect(() => bindingsOver(wires, { RA: { name: workerName("ra"), entrypoint: "Ra" } })).toThrow(
    "Nobody serves RA",
  );
});
