import { expect, it } from "vitest";
import { isLocalhost, isOrigin, readApps } from "./apps.ts";

it("takes an app's origin for its id unless it is named", () => {
  expect(readApps(["https://app.example", "page=http://localhost:8787"])).toEqual([
    { id: "https://app.example", origin: "https://app.example" },
    { id: "page", origin: "http://localhost:8787" },
  ]);
});

it("lets an app that moves keep the origin that it had as its id", () => {
  expect(readApps(["https://old.example=https://new.example"])).toEqual([
    { id: "https://old.example", origin: "https://new.example" },
  ]);
});

it("refuses a configuration in which one app could be taken for another", () => {
  for (const wrong of [
    ["https://a.example", "https://a.example"],
    ["page=https://a.example", "page=https://b.example"],
    ["page=https://a.example", "other=https://a.example"],
    ["https://b.example=https://a.example", "https://b.example"],
    ["https://b.example", "https://b.example=https://a.example"],
  ]) {
    expect(() => readApps(wrong), String(wrong)).toThrow("twice");
  }
});

it("refuses what is no name and no origin", () => {
  for (const wrong of ["", "=https://a.example", "Page=https://a.example", "a b=https://a.example", "page="])
    expect(() => readApps([wrong]), wrong).toThrow();
  for (const wrong of ["https://a.example/x=https://b.example", "CN=x=https://b.example"])
    expect(() => readApps([wrong]), wrong).toThrow();
});

it("takes an origin in one spelling alone", () => {
  for (const one of ["https://a.example", "http://localhost:8787", "https://xn--bcher-kva.example"])
    expect(isOrigin(one), one).toBe(true);
  for (const other of [
    ...["https://a.example/", "https://a.example/x", "https://A.example", "https://a.example."],
    ...["https://a.example:443", "https://bücher.example", "https://u@a.example", " https://a.example"],
    ...["https://a.example?", "https://a.example#", "ftp://a.example", "data:x", "null", "a.example"],
  ])
    expect(isOrigin(other), other).toBe(false);
});

it("knows the names of this machine", () => {
  for (const name of [
    "http://localhost",
    "http://localhost:1",
    "https://a.localhost:1",
    "http://127.0.0.1:1",
  ])
    expect(isLocalhost(name), name).toBe(true);
  for (const name of [
    "http://notlocalhost:1",
    "http://localhost.example",
    "http://127.0.0.1.example",
    "http://127.0.0.2",
  ])
    expect(isLocalhost(name), name).toBe(false);
});
