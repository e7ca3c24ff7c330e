import { expect, it } from "vitest";
import { configuredApps, isLocalhost } from "./apps.ts";

const read = (COFFER_APP_ORIGINS: string) => configuredApps({ COFFER_APP_ORIGINS });

it("takes an app's origin for its id unless it is named", () => {
  expect(read("https://app.example, page=http://localhost:8787/")).toEqual([
    { id: "https://app.example", origin: "https://app.example" },
    { id: "page", origin: "http://localhost:8787" },
  ]);
});

it("lets an app that moves keep the origin that it had as its id", () => {
  expect(read("https://old.example=https://new.example")).toEqual([
    { id: "https://old.example", origin: "https://new.example" },
  ]);
});

it("refuses a configuration in which one app could be taken for another", () => {
  for (const wrong of [
    "https://a.example,https://a.example",
    "page=https://a.example,page=https://b.example",
    "page=https://a.example,other=https://a.example",
    "https://b.example=https://a.example,https://b.example",
    "https://b.example,https://b.example=https://a.example",
  ]) {
    expect(() => read(wrong), wrong).toThrow("twice");
  }
});

it("refuses what is no name and no origin", () => {
  for (const wrong of ["", "=https://a.example", "Page=https://a.example", "a b=https://a.example", "page="])
    expect(() => read(wrong), wrong).toThrow();
  for (const wrong of ["https://a.example/x=https://b.example", "CN=x=https://b.example"])
    expect(() => read(wrong), wrong).toThrow();
});

it("knows the names of this machine", () => {
  for (const name of ["http://localhost", "http://localhost:1", "https://a.localhost:1"])
    expect(isLocalhost(name), name).toBe(true);
  for (const name of ["http://notlocalhost:1", "http://localhost.example", "http://127.0.0.1:1"])
    expect(isLocalhost(name), name).toBe(false);
});
