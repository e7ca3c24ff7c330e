/**
 * What one object has decided, another still has to hear of: workerd is killed after the decision and before its delivery.
 * Until it is heard the one that decided refuses; after the restart it is heard.
 */

import { expect, it, vi } from "vitest";
import { hold, withDoors } from "../support/doors.ts";
import { EdgeClient, newVerifier, readTicket, type Tokens } from "../support/edge-client.ts";
import { json, problem, send } from "../support/http.ts";
import { type EnrolmentAnswer, enrol, makeKeys } from "../support/instance.ts";
import { readRows, useSystem } from "../system/index.ts";

vi.mock("#cli/parts/index.ts", async (original) => withDoors(await original()));

const system = useSystem();

/** Starts everything again, with a worker that holds these deliveries. */
async function holding(...methods: string[]): Promise<void> {
  hold(...methods);
  await system.restart();
}

/** Asks for what comes to be held, kills workerd when it is, and starts everything again with nothing held. */
async function killed(
  method: string,
  ask: () => Promise<unknown>,
  meanwhile = async () => {},
): Promise<void> {
  let answered = false;
  const asked = ask().then(
    () => {
      answered = true;
    },
    () => {},
  );
  await expect.poll(() => system.log()).toContain(`held ${method}`);
  await meanwhile();
  expect(answered).toBe(false);
  process.kill(system.pid, "SIGKILL");
  await asked;
  await holding();
}

/** Somebody has come back from the provider, and has read the question. */
async function askedAs(name: string, query: string) {
  const browser = new EdgeClient(system);
  const transaction = await browser.identify(name, query);
  browser.cookie = transaction;
  return { transaction, ticket: await readTicket(await browser.authorize(query)) };
}

const session = ({ vault, cookie }: EdgeClient) => send(`${vault}/session`, { headers: { cookie } });

it("W12 a sign-out that the registration authority has not heard of ends keys at once, and instances after the kill", async () => {
  await holding("RaForIam.ended");
  const ada = await EdgeClient.signedIn(system, "Ada");
  const { instance, wrappingCertificate } = json<EnrolmentAnswer>(await enrol(ada, await makeKeys()));
  const order = { account: ada.account, count: 1, purpose: "document" };
  const { edks } = json<{ edks: [string] }>(await ada.rest("POST", "/kms/data-keys", order));
  const load = { way: "rewrap", edk: edks[0], certificate: wrappingCertificate };
  expect((await ada.rest("POST", "/kms/loads", load)).status).toBe(200);
  const status = () => readRows(system.edgeDir, "instances").find(({ id }) => id === instance)?.status;

  const headers = { origin: ada.vault, cookie: ada.cookie };
  await killed(
    "RaForIam.ended",
    () => send(`${ada.vault}/sign-out`, { method: "POST", headers }),
    async () => {
      expect(status()).toBe("active");
      expect(problem(await ada.rest("POST", "/kms/loads", load))).toBe("401 invalid-token");
    },
  );
  expect(problem(await ada.refresh(ada.tokens.refresh_token))).toBe("400 invalid-grant");
  expect(problem(await ada.rest("POST", "/kms/loads", load))).toMatch(/^40[13] /);
  await expect.poll(status).toBe("revoked");
});

it("a sign-in in place of another user's is not answered before that has ended, which it has after the kill", async () => {
  await holding("IamPrincipalObject.replaced");
  const ada = await EdgeClient.signedIn(system, "Ada");
  expect((await session(ada)).status).toBe(200);
  const bob = new EdgeClient(system);
  const query = await bob.query(newVerifier());
  const { transaction, ticket } = await askedAs("Bob", query);
  const headers = { cookie: `${transaction}; ${ada.cookie}` };
  await killed("IamPrincipalObject.replaced", () => ada.enter(query, transaction, { ticket }, headers));
  await expect.poll(async () => problem(await session(ada))).toBe("401 no-session");
  expect(problem(await ada.refresh(ada.tokens.refresh_token))).toBe("400 invalid-grant");
});

it("a sign-in in place of another user's is handed to nobody while that one's object does not answer", async () => {
  await holding("IamPrincipalObject.replaced");
  const ada = await EdgeClient.signedIn(system, "Ada");
  const bob = new EdgeClient(system);
  const query = await bob.query(newVerifier());
  const attempt = async () => {
    const { transaction, ticket } = await askedAs("Bob", query);
    return ada.enter(query, transaction, { ticket }, { cookie: `${transaction}; ${ada.cookie}` });
  };
  const answer = await attempt();
  expect([answer.status, answer.headers["retry-after"]]).toEqual([500, "5"]);
  expect([answer.headers["set-cookie"], answer.headers.location]).toEqual([undefined, undefined]);
  expect((await session(ada)).status).toBe(200);
  await holding();
  await expect.poll(async () => problem(await session(ada))).toBe("401 no-session");
  const again = await attempt();
  expect([again.status, again.headers["set-cookie"] !== undefined]).toEqual([303, true]);
});

it("an account that has not heard of its first member refuses it, and has heard after the kill", async () => {
  await holding("IamAccountObject.found");
  const eve = new EdgeClient(system);
  const verifier = newVerifier();
  const query = await eve.query(verifier);
  await killed("IamAccountObject.found", () => eve.signIn("Eve", query));
  const again = await EdgeClient.signedIn(system, "Eve");
  const order = { account: again.account, count: 1, purpose: "document" };
  await expect.poll(async () => (await again.rest("POST", "/kms/data-keys", order)).status).toBe(201);
  expect(json<Tokens>(await again.refresh(again.tokens.refresh_token)).accounts).toHaveLength(1);
});
