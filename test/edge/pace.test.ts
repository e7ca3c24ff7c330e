/** What is allowed with the session cookie leaves rows too: each way in has a pace of its user's, and says when to come again. */

import { expect, it } from "vitest";
import { EdgeClient, newVerifier, readTicket } from "../support/edge-client.ts";
import { type Answer, json, problem, send } from "../support/http.ts";
import { askGrant, makeKeys, openSession, redemption } from "../support/instance.ts";
import { RegisteredClient } from "../support/registered-client.ts";
import { readRows, useSystem } from "../system/index.ts";

const PER_MINUTE = 12;
const perMinute = String(PER_MINUTE);
const system = useSystem({
  admins: ["Root"],
  vars: { COFFER_SIGN_INS_PER_MINUTE: perMinute, COFFER_ENROLMENTS_PER_MINUTE: perMinute },
});

/** Rows of the audit log, in the chain and on their way there, of one action that was allowed. */
const allowed = (action: string) =>
  [...readRows(system.edgeDir, "links").map(({ entry }) => entry), ...outbox()]
    .map((entry) => JSON.parse(String(entry)) as { action: string; outcome: string })
    .filter((entry) => entry.action === action && entry.outcome === "allow").length;
const outbox = () => readRows(system.edgeDir, "audit_outbox").map(({ row }) => row);
/** So many that the pace lets a few more through while they run, and most not. */
const MANY = PER_MINUTE * 4;
const FEW = PER_MINUTE * 2.5;

it("W9 POST /clients/token: each application server has a pace of its own, and what comes too soon uses nothing up", async () => {
  const root = await EdgeClient.signedIn(system, "Root");
  const [one, other] = [
    await RegisteredClient.registeredBy(root, "hurried"),
    await RegisteredClient.registeredBy(root, "patient"),
  ];
  const answers = [];
  for (let i = 0; i < MANY; i++) answers.push(await one.askToken(await one.assertion()));
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused.length).toBeGreaterThan(0);
  expect(answers.length - refused.length).toBeLessThan(FEW);
  expect(problem(refused[0]!)).toBe("429 too-many-requests");
  expect(Number(refused.at(-1)!.headers["retry-after"])).toBeGreaterThan(0);
  expect((await other.askToken(await other.assertion())).status).toBe(200);
  // Who has not its key takes none of its turns.
  const stranger = { key: one.registered };
  for (let i = 0; i < MANY; i++) await other.askToken(await other.assertion({}, stranger));
  expect((await other.askToken(await other.assertion())).status).toBe(200);
}, 120_000);

it("POST /ra/enrolments: a script is asked to come later, each user by itself, and goes on then", async () => {
  const [ada, bob] = [await EdgeClient.signedIn(system, "Ada"), await EdgeClient.signedIn(system, "Bob")];
  const answers = [];
  for (let i = 0; i < MANY; i++) answers.push(await ada.vaultPost("/ra/enrolments", {}));
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused.length).toBeGreaterThan(0);
  expect(answers.length - refused.length).toBeGreaterThanOrEqual(PER_MINUTE);
  expect(answers.length - refused.length).toBeLessThan(FEW);
  expect(problem(refused[0]!)).toBe("429 too-many-requests");
  expect((await bob.vaultPost("/ra/enrolments", {})).status).toBe(201);
  const wait = Number(refused.at(-1)!.headers["retry-after"]);
  expect(wait).toBeGreaterThan(0);
  expect(wait).toBeLessThanOrEqual(60 / PER_MINUTE);
  await new Promise((resolve) => setTimeout(resolve, wait * 1000));
  expect((await ada.vaultPost("/ra/enrolments", {})).status).toBe(201);
  await expect.poll(() => allowed("ra:enrolment")).toBeGreaterThan(PER_MINUTE);
  expect(allowed("ra:enrolment")).toBeLessThan(FEW + 2);
}, 120_000);

it("POST /ra/enrolments/{id}: made-up grants leave no row with those whom they name, and have a pace", async () => {
  const [ada, bob] = [await EdgeClient.signedIn(system, "Grace"), await EdgeClient.signedIn(system, "Heidi")];
  const [first, second] = [await askGrant(ada), await askGrant(ada)];
  const keys = await makeKeys();
  const { id, nonce } = await openSession(ada);
  const body = await redemption(second, nonce, keys);
  const present = (credential: string) =>
    bob.vaultPost(`/ra/enrolments/${newVerifier()}`, { ...body, credential });
  expect(problem(await present(first))).toBe("400 invalid-grant");
  const answers = [];
  for (let i = 0; i < MANY; i++)
    answers.push(problem(await present(i % 2 ? first : `${ada.tokens.user.id}.${newVerifier()}`)));
  expect(new Set(answers)).toEqual(new Set(["400 invalid-grant", "429 too-many-requests"]));
  expect(answers.filter((answer) => answer.startsWith("400")).length).toBeLessThan(FEW);
  // What is presented when it is not one's turn is not looked at, and stays what it was.
  await untilRefused(() => present(`${ada.tokens.user.id}.${newVerifier()}`));
  expect(problem(await present(second))).toBe("429 too-many-requests");
  expect((await ada.vaultPost(`/ra/enrolments/${id}`, body)).status).toBe(200);
  // One grant was used up, however often it was presented.
  await expect.poll(() => allowed("ra:certify")).toBe(1);
  await expect.poll(outbox).toEqual([]);
  expect(allowed("ra:exposed")).toBe(1);
}, 120_000);

it("M2 M20 POST /ra/enrolments/{id}: who has no session uses up no turn of a deployment that has one", async () => {
  const ivy = await EdgeClient.signedIn(system, "Ivy");
  const { dn: custodian } = ivy.tokens.custodian;
  const order = await ivy.rest("POST", "/ra/secret-zeros", { custodian });
  const { secretZero } = json<{ secretZero: string }>(order);
  const bare = (path: string, body: object) =>
    send(ivy.vault + path, {
      method: "POST",
      headers: { "content-type": "application/json", origin: ivy.vault },
      body: JSON.stringify(body),
    });
  const principal = ivy.tokens.user.id;
  const { id, nonce } = json<{ id: string; nonce: string }>(await bare("/ra/enrolments", { principal }));
  const body = await redemption(secretZero, nonce, await makeKeys(), "secret-zero");
  const madeUp = { ...body, credential: secretZero.slice(0, -2) };
  for (let i = 0; i < MANY; i++) {
    const answer = await bare(`/ra/enrolments/${principal}.${newVerifier()}`, madeUp);
    expect(problem(answer)).toBe("400 invalid-grant");
  }
  expect((await bare(`/ra/enrolments/${id}`, body)).status).toBe(200);
}, 120_000);

it("POST /authorize: one ticket that is sent again and again gives no more codes, and the page says to wait", async () => {
  const browser = new EdgeClient(system);
  await browser.signIn("Carol");
  const query = await browser.query(newVerifier());
  const ticket = await readTicket(await browser.authorize(query));
  const own = { origin: browser.vault, cookie: browser.cookie };
  const answers = [];
  for (let i = 0; i < MANY; i++)
    answers.push(await browser.form(`${browser.vault}/authorize`, { continue: query, ticket }, own));
  const refused = answers.filter(({ status }) => status === 429);
  expect(answers.filter(({ status }) => status === 303).length).toBe(answers.length - refused.length);
  expect(answers.length - refused.length).toBeLessThan(FEW);
  const { headers, text } = refused.at(-1)!;
  expect(Number(headers["retry-after"])).toBeGreaterThan(0);
  expect(headers["content-type"]).toContain("text/html");
  expect(text).toMatch(/Wait (a second|\d seconds), then press the button\./);
  expect(text).toContain("Continue as <bdi>Carol</bdi>");
}, 120_000);

it("POST /sign-in: a name, and new names together, have a pace", async () => {
  const browser = new EdgeClient(system);
  const sign = async (name: string) => {
    const query = await browser.query(newVerifier());
    return browser.enter(query, await browser.identify(name, query));
  };
  const dora = [];
  for (let i = 0; i < MANY; i++) dora.push(await sign("Dora"));
  const refused = dora.filter(({ status }) => status === 429);
  expect(dora.length - refused.length).toBeLessThan(FEW);
  expect(json(refused[0]!)).toMatchObject({ code: "too-many-requests" });
  const made = [];
  for (let i = 0; i < MANY; i++) made.push((await sign(`new ${i}`)).status);
  expect(made.filter((status) => status === 303).length).toBeLessThan(FEW);
  expect(made).toContain(429);
}, 120_000);

it("POST /sign-out is never refused, and writes nothing where nothing is left to end", async () => {
  const before = allowed("iam:sign-out");
  const { app, cookie, vault } = await EdgeClient.signedIn(system, "Dora").catch(() => waitAndSignIn("Dora"));
  const out = () => send(`${vault}/sign-out`, { method: "POST", headers: { origin: app, cookie } });
  for (let i = 0; i < MANY; i++) expect((await out()).status).toBe(204);
  const other = await EdgeClient.signedIn(system, "Finn").catch(() => waitAndSignIn("Finn"));
  const whole = { method: "POST", headers: { origin: vault, cookie: other.cookie } };
  for (let i = 0; i < MANY; i++) expect((await send(`${vault}/sign-out`, whole)).status).toBe(204);
  await expect.poll(() => allowed("iam:sign-out") - before).toBe(2);
  expect(readRows(system.edgeDir, "sessions").length).toBeGreaterThan(0);
}, 120_000);

/** With more than a second to wait, so that the next request is refused as well. */
async function untilRefused(ask: () => Promise<Answer>): Promise<void> {
  for (;;) {
    const { status, headers } = await ask();
    if (status === 429 && Number(headers["retry-after"]) > 1) return;
  }
}

/** Two turns at least: one for the name or the code, and one for the token. */
async function waitAndSignIn(name: string): Promise<EdgeClient> {
  await new Promise((resolve) => setTimeout(resolve, 10_500));
  return EdgeClient.signedIn(system, name);
}
