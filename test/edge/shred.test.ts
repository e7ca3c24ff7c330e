/**
 * A member leaves, and an account is shredded: refused from the decision on, and carried to the end by whoever has to hear of it,
 * though workerd is killed in between.
 */

import { beforeAll, describe, expect, it, vi } from "vitest";
import { answerOf, callDoor, callerOf, hold, withDoors } from "../support/doors.ts";
import { EdgeClient, type Tokens } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { type EnrolmentAnswer, enrol, type Keys, makeKeys } from "../support/instance.ts";
import { addMember } from "../support/members.ts";
import { readRows, useSystem } from "../system/index.ts";

vi.mock("#cli/parts/index.ts", async (original) => withDoors(await original()));

const system = useSystem();
let keys: Keys;
beforeAll(async () => {
  keys = await makeKeys();
});

const leave = (who: EdgeClient, account: string) =>
  answerOf(callDoor(system, "IAM.removeMember", callerOf(who), account, who.tokens.user.id));
const shred = (who: EdgeClient, account: string) =>
  answerOf(callDoor(system, "IAM.scheduleDeletion", callerOf(who), account, { immediately: true }));

type Member = { client: EdgeClient; account: string };

async function startUpload({ client, account }: Member): Promise<string> {
  const { id } = json<{ id: string }>(
    await client.rest("POST", `/accounts/${account}/documents`, { id: crypto.randomUUID() }),
  );
  return id;
}
const putPart = ({ client, account }: Member, id: string) =>
  client.rest("PUT", `/accounts/${account}/documents/${id}/parts/1`, new Uint8Array(1000));

async function store(member: Member): Promise<string> {
  const id = await startUpload(member);
  const { etag } = json<{ etag: string }>(await putPart(member, id));
  const at = `/accounts/${member.account}/documents/${id}`;
  expect((await member.client.rest("PUT", `${at}/metadata`, new Uint8Array(300))).status).toBe(204);
  const completion = { parts: [{ part: 1, etag }], size: 1000 };
  expect((await member.client.rest("POST", `${at}/complete`, completion)).status).toBe(200);
  return id;
}

/** Somebody with an instance, a data key, two documents and an upload under way. */
async function owner(name: string) {
  const client = await EdgeClient.signedIn(system, name);
  const { account } = client;
  const { wrappingCertificate: certificate } = json<EnrolmentAnswer>(await enrol(client, keys));
  const order = { account, count: 1, purpose: "document" };
  const { edks } = json<{ edks: [string] }>(await client.rest("POST", "/kms/data-keys", order));
  const member = { client, account };
  const [id] = await Promise.all([store(member), store(member)]);
  const upload = await startUpload(member);
  expect((await putPart(member, upload)).status).toBe(200);
  const documents = `/accounts/${account}/documents`;
  /** What a member may do, and what each of it is answered now. */
  const answers = (by = client) =>
    Promise.all(
      [
        by.rest("GET", documents),
        by.rest("GET", `${documents}/${id}/content`),
        by.rest("GET", `${documents}/${id}/metadata`),
        by.rest("DELETE", `${documents}/${crypto.randomUUID()}`),
        by.rest("PUT", `${documents}/${upload}/parts/1`, new Uint8Array(1000)),
        by.rest("POST", "/kms/data-keys", order),
        by.rest("POST", "/kms/loads", { way: "rewrap", edk: edks[0], certificate }),
        by.rest("POST", "/kms/exports", { account, documents: [id] }),
      ].map(async (asked) => {
        const answer = await asked;
        return answer.status < 300 ? answer.status : problem(answer);
      }),
    );
  return { ...member, id, upload, answers };
}

const REFUSED = Array.from({ length: 8 }, () => "403 forbidden");
/** Which of them is a part of an upload. */
const PART = 4;
const ALLOWED = [200, 200, 200, "404 not-found", 200, 201, 200, 201];

/** What is left of an account anywhere. */
const leftOf = (account: string) => ({
  objects: readRows(system.edgeDir, "_mf_objects").filter(({ key }) => String(key).includes(account)).length,
  uploads: readRows(system.edgeDir, "_mf_multipart_uploads").filter(
    ({ key, state }) => state === 0 && String(key).includes(account),
  ).length,
  documents: readRows(system.edgeDir, "documents").filter((row) => row.account === account).length,
  dataKeys: readRows(system.edgeDir, "data_keys").filter((row) => row.account === account).length,
  memberships: readRows(system.edgeDir, "memberships").filter((row) => row.account === account).length,
});
const NOTHING = { objects: 0, uploads: 0, documents: 0, dataKeys: 0, memberships: 0 };

const accountsOf = async (client: EdgeClient) => {
  client.tokens = json<Tokens>(await client.refresh(client.tokens.refresh_token));
  return client.tokens.accounts.map(({ id }) => id);
};

describe("a member who leaves", () => {
  it("is refused at once, for parts of an upload too, and told of the account no more; the others stay", async () => {
    const ada = await owner("Ada");
    const bob = await EdgeClient.signedIn(system, "Bob");
    addMember(system, ada.account, bob);
    const own = bob.account;
    expect(await accountsOf(bob)).toEqual([ada.account, own]);
    const upload = await startUpload({ client: bob, account: ada.account });
    expect((await putPart({ client: bob, account: ada.account }, upload)).status).toBe(200);
    expect(await leave(bob, ada.account)).toBe("ok");
    expect(problem(await putPart({ client: bob, account: ada.account }, upload))).toBe("403 forbidden");
    expect(problem(await bob.rest("GET", `/accounts/${ada.account}/documents`))).toBe("403 forbidden");
    const order = { account: ada.account, count: 1, purpose: "document" };
    expect(problem(await bob.rest("POST", "/kms/data-keys", order))).toBe("403 forbidden");
    expect(await accountsOf(bob)).toEqual([own]);
    expect(await ada.answers()).toEqual(ALLOWED);
    expect(await leave(bob, ada.account)).toBe("forbidden");
  });

  it("is a member, signed in, and not the last", async () => {
    const [eve, dan] = [await owner("Eve"), await EdgeClient.signedIn(system, "Dan")];
    expect(await leave(eve.client, eve.account)).toBe("conflict");
    expect(await leave(dan, eve.account)).toBe("forbidden");
    expect(await leave(dan, crypto.randomUUID())).toBe("forbidden");
    addMember(system, eve.account, dan);
    expect((await dan.vaultPost("/sign-out", {})).status).toBe(204);
    expect(await leave(dan, eve.account)).toBe("invalid-token");
    expect(await eve.answers()).toEqual(ALLOWED);
  });
});

describe("an account that is shredded", () => {
  it("is refused to all its members at once, and soon nothing of it is left; others keep what they have", async () => {
    const [fay, guy] = [await owner("Fay"), await owner("Guy")];
    addMember(system, fay.account, guy.client);
    const before = leftOf(guy.account);
    expect(await fay.answers()).toEqual(ALLOWED);
    expect(await shred(fay.client, fay.account)).toBe("ok");
    expect(await fay.answers()).toEqual(REFUSED);
    expect(problem(await guy.client.rest("GET", `/accounts/${fay.account}/documents`))).toBe("403 forbidden");
    await expect.poll(() => leftOf(fay.account)).toEqual(NOTHING);
    expect(await accountsOf(fay.client)).toEqual([]);
    expect(await accountsOf(guy.client)).toEqual([guy.account]);
    expect(leftOf(guy.account)).toEqual(before);
    expect(await guy.answers()).toEqual(ALLOWED);
    // Again, by either, it is the same.
    expect(await shred(fay.client, fay.account)).toBe("ok");
    expect(await shred(guy.client, fay.account)).toBe("ok");
    expect(await fay.answers()).toEqual(REFUSED);
    // Nor does the next sign-in begin it again.
    const again = await EdgeClient.signedIn(system, "Fay");
    expect(again.tokens.accounts).toEqual([]);
    expect(problem(await again.rest("GET", `/accounts/${fay.account}/documents`))).toBe("403 forbidden");
  });

  it("is shredded by a member, signed in", async () => {
    const [hal, ida] = [await owner("Hal"), await EdgeClient.signedIn(system, "Ida")];
    expect(await shred(ida, hal.account)).toBe("forbidden");
    expect(await shred(ida, crypto.randomUUID())).toBe("forbidden");
    addMember(system, hal.account, ida);
    expect((await ida.vaultPost("/sign-out", {})).status).toBe(204);
    expect(await shred(ida, hal.account)).toBe("invalid-token");
    expect(await hal.answers()).toEqual(ALLOWED);
  });
});

/** Kills workerd once `ask` is held at this method, and starts everything again with nothing held. */
async function killed(method: string, ask: () => Promise<unknown>, meanwhile: () => Promise<void>) {
  const asked = ask().catch(() => {});
  await expect.poll(() => system.log()).toContain(`held ${method}`);
  await meanwhile();
  process.kill(system.pid, "SIGKILL");
  await asked;
  hold();
  await system.restart();
}

async function holding(method: string): Promise<void> {
  hold(method);
  await system.restart();
}

describe("when workerd is killed", () => {
  it.each(["KmsForIam.shredded", "DatastoreForIam.shredded", "IamPrincipalObject.left"])(
    "before %s has heard of a shred, the account is refused, and gone after the kill",
    async (method) => {
      await holding(method);
      const jo = await owner(`Jo of ${method}`);
      await killed(
        method,
        () => shred(jo.client, jo.account),
        async () => {
          const answers = await jo.answers();
          expect(answers.toSpliced(PART, 1)).toEqual(REFUSED.toSpliced(PART, 1));
          // The IAM's last word may be good for a part of an upload, for some seconds.
          await expect.poll(async () => (await jo.answers())[PART]).toBe(REFUSED[PART]);
          expect(leftOf(jo.account)).not.toEqual(NOTHING);
        },
      );
      expect(await jo.answers()).toEqual(REFUSED);
      await expect.poll(() => leftOf(jo.account), { timeout: 60_000 }).toEqual(NOTHING);
      expect(readRows(system.edgeDir, "outbox")).toEqual([]);
    },
  );

  it.each(["DatastoreForIam.left", "IamPrincipalObject.left"])(
    "before %s has heard that a member leaves, that one is refused, and has left after the kill",
    async (method) => {
      await holding(method);
      const [kim, leo] = [
        await owner(`Kim of ${method}`),
        await EdgeClient.signedIn(system, `Leo of ${method}`),
      ];
      addMember(system, kim.account, leo);
      await killed(
        method,
        () => leave(leo, kim.account),
        async () => {
          expect(problem(await leo.rest("GET", `/accounts/${kim.account}/documents`))).toBe("403 forbidden");
          expect(leftOf(kim.account).memberships).toBe(2);
        },
      );
      expect(problem(await leo.rest("GET", `/accounts/${kim.account}/documents`))).toBe("403 forbidden");
      await expect.poll(() => leftOf(kim.account).memberships, { timeout: 60_000 }).toBe(1);
      expect(readRows(system.edgeDir, "outbox")).toEqual([]);
      expect(await kim.answers()).toEqual(ALLOWED);
    },
  );

  it.each([
    "KmsForIam.shredded",
    "DatastoreForIam.shredded",
    "IamPrincipalObject.left",
    "IamObject.shredded",
  ])(
    "after %s has acted on a shred and before that was heard, it hears it again, which changes nothing",
    async (method) => {
      await holding(`after ${method}`);
      const ned = await owner(`Ned of ${method}`);
      await killed(
        `after ${method}`,
        () => shred(ned.client, ned.account),
        async () => expect((await ned.answers()).toSpliced(PART, 1)).toEqual(REFUSED.toSpliced(PART, 1)),
      );
      expect(await ned.answers()).toEqual(REFUSED);
      await expect.poll(() => leftOf(ned.account), { timeout: 60_000 }).toEqual(NOTHING);
      await expect.poll(() => readRows(system.edgeDir, "outbox"), { timeout: 60_000 }).toEqual([]);
    },
  );

  it.each(["DatastoreForIam.left", "IamPrincipalObject.left"])(
    "after %s has acted on a leaving and before that was heard, it hears it again, which changes nothing",
    async (method) => {
      await holding(`after ${method}`);
      const [ola, pia] = [
        await owner(`Ola of ${method}`),
        await EdgeClient.signedIn(system, `Pia of ${method}`),
      ];
      addMember(system, ola.account, pia);
      const documents = `/accounts/${ola.account}/documents`;
      await killed(
        `after ${method}`,
        () => leave(pia, ola.account),
        async () => expect(problem(await pia.rest("GET", documents))).toBe("403 forbidden"),
      );
      expect(problem(await pia.rest("GET", documents))).toBe("403 forbidden");
      await expect.poll(() => leftOf(ola.account).memberships, { timeout: 60_000 }).toBe(1);
      await expect.poll(() => readRows(system.edgeDir, "outbox"), { timeout: 60_000 }).toEqual([]);
      expect(await ola.answers()).toEqual(ALLOWED);
    },
  );

  it("while documents are erased, what is left of them is erased afterwards", async () => {
    const may = await owner("May");
    expect(await shred(may.client, may.account)).toBe("ok");
    process.kill(system.pid, "SIGKILL");
    await system.restart();
    expect(await may.answers()).toEqual(REFUSED);
    await expect.poll(() => leftOf(may.account), { timeout: 60_000 }).toEqual(NOTHING);
  });
});
