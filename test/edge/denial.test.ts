/** What an operator denies for a tenant: it holds everywhere within ten seconds, and costs the tenant's object no request. */

import { setTimeout as pause } from "node:timers/promises";
import { expect, it, vi } from "vitest";
import { answerOf, callDoor, callerOf, hold, watch, withDoors } from "../support/doors.ts";
import { EdgeClient, newVerifier } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { type EnrolmentAnswer, enrol, makeKeys } from "../support/instance.ts";
import { readRows, useSystem } from "../system/index.ts";

vi.mock("#cli/parts/index.ts", async (original) => {
  watch("IamObject.settings");
  return withDoors(await original());
});

const system = useSystem({ otherApps: ["board"] });
const TENANT = "development";
const WITHIN_MS = 10_000;

const administer = (method: string, what: object) =>
  answerOf(
    callDoor(system, `IAM_ADMINISTRATION.${method}`, {
      tenant: TENANT,
      requestId: crypto.randomUUID(),
      ...what,
    }),
  );
const onBoard = () => ({ appOrigin: system.origin("board"), vaultOrigin: system.vaultOrigin });
const reads = () => system.log().split("called IamObject.settings").length - 1;

it("a denied app gets no code, no token, no membership and no custodian, the others all of it; until it is allowed again", async () => {
  const [page, board] = [
    await EdgeClient.signedIn(system, "Ann"),
    await EdgeClient.signedIn(onBoard(), "Ann"),
  ];
  const { client: app } = callerOf(board);
  const order = { account: board.account, count: 1, purpose: "document" };
  const { edks } = json<{ edks: [string] }>(await board.rest("POST", "/kms/data-keys", order));
  const { wrappingCertificate: certificate } = json<EnrolmentAnswer>(await enrol(board, await makeKeys()));
  const load = () => board.rest("POST", "/kms/loads", { way: "rewrap", edk: edks[0], certificate });
  expect((await load()).status).toBe(200);
  expect(await administer("denyApp", { app: "no app" })).toBe("invalid-client");

  expect(await administer("denyApp", { app })).toBe("ok");
  await pause(WITHIN_MS);
  expect(problem(await board.rest("GET", board.documents))).toBe("403 forbidden");
  expect(problem(await board.rest("POST", "/kms/data-keys", order))).toBe("403 forbidden");
  expect(problem(await load())).toBe("403 forbidden");
  expect(problem(await board.rest("POST", "/ra/grants", {}))).toBe("403 forbidden");
  const { refresh_token: token } = board.tokens;
  expect(problem(await board.refresh(token))).toBe("400 invalid-client");
  const asked = await board.authorize(await board.query(newVerifier()));
  expect(new URL(asked.headers.location!).searchParams.get("error")).toBe("unauthorized_client");
  // Only that app.
  expect((await page.rest("GET", page.documents)).status).toBe(200);
  expect((await page.refresh(page.tokens.refresh_token)).status).toBe(200);
  expect(await administer("allowApp", { app })).toBe("ok");
  await pause(WITHIN_MS);
  expect((await board.rest("GET", board.documents)).status).toBe(200);
  expect((await load()).status).toBe(200);
  expect((await board.refresh(token)).status).toBe(200);
});

it("requests do not ask the tenant's object each", async () => {
  const ann = await EdgeClient.signedIn(system, "Ann");
  const before = reads();
  const began = Date.now();
  for (let i = 0; i < 20; i++) expect((await ann.rest("GET", ann.documents)).status).toBe(200);
  const due = Math.ceil((Date.now() - began) / 9000);
  expect(reads() - before).toBeLessThanOrEqual(due);
});

it("a user whose sessions are ended is out at once, in every app, and nobody else is", async () => {
  const [eve, elsewhere, dan] = [
    await EdgeClient.signedIn(system, "Eve"),
    await EdgeClient.signedIn(onBoard(), "Eve"),
    await EdgeClient.signedIn(system, "Dan"),
  ];
  expect(await administer("endUser", { user: eve.tokens.user.id })).toBe("ok");
  for (const client of [eve, elsewhere]) {
    expect(problem(await client.rest("GET", client.documents))).toBe("401 invalid-token");
    expect(problem(await client.refresh(client.tokens.refresh_token))).toBe("400 invalid-grant");
  }
  expect((await dan.rest("GET", dan.documents)).status).toBe(200);
  expect(await administer("endUser", { user: "nobody" })).toBe("ok");
});

it.each(["RaForIam.ended", "after RaForIam.ended"])(
  "a user who is ended has no keys from then on, and no instances after a kill at %s",
  async (method) => {
    hold(method);
    await system.restart();
    const flo = await EdgeClient.signedIn(system, `Flo at ${method}`);
    const { instance, wrappingCertificate } = json<EnrolmentAnswer>(await enrol(flo, await makeKeys()));
    const order = { account: flo.account, count: 1, purpose: "document" };
    const { edks } = json<{ edks: [string] }>(await flo.rest("POST", "/kms/data-keys", order));
    const load = { way: "rewrap", edk: edks[0], certificate: wrappingCertificate };
    expect((await flo.rest("POST", "/kms/loads", load)).status).toBe(200);
    const asked = administer("endUser", { user: flo.tokens.user.id }).catch(() => {});
    await expect.poll(() => system.log()).toContain(`held ${method}`);
    expect(problem(await flo.rest("POST", "/kms/loads", load))).toBe("401 invalid-token");
    process.kill(system.pid, "SIGKILL");
    await asked;
    hold();
    await system.restart();
    expect(problem(await flo.rest("POST", "/kms/loads", load))).toMatch(/^40[13] /);
    const status = () => readRows(system.edgeDir, "instances").find(({ id }) => id === instance)?.status;
    await expect.poll(status, { timeout: 60_000 }).toBe("revoked");
    await expect.poll(() => readRows(system.edgeDir, "outbox"), { timeout: 60_000 }).toEqual([]);
  },
);
