import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { parsePolicy } from "#protocol/policy/statements/index.ts";
import { root } from "../support/tree.ts";

const text = (name: string) => readFileSync(`${root}docs/deploy/${name}`, "utf8");
const microservice = JSON.parse(text("microservice.json")) as {
  place: { socket: string };
  custodian: string;
};
const sidecar = JSON.parse(text("sidecar.json")) as {
  microservice: { socket: string };
  custodians: string[];
};

it("the recipes of docs/deploy name the same socket, names and settings as each other", () => {
  expect(sidecar.microservice.socket).toBe(microservice.place.socket);
  expect(sidecar.custodians).toEqual([microservice.custodian]);
  expect(() => parsePolicy(text("policy.json"))).not.toThrow();
  for (const unit of ["microservice", "sidecar"]) {
    const lines = text(`systemd/coffer-${unit}.service`);
    expect(lines).toContain(`User=coffer-${unit}\n`);
    expect(lines).toContain(`ExecStart=/usr/bin/coffer ${unit} /etc/coffer/${unit}/settings.json\n`);
    expect(text("compose.yaml")).toContain(`command: ["${unit}", "/etc/coffer/settings.json"]`);
  }
});
