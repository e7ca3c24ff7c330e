/**
 * Split operation (W13): what the code of one unit may ask of another, were it changed: from within each unit's own process, by the
 * bindings that it has, with the caller of a live request.
 */

import { beforeAll, describe, expect, it, vi } from "vitest";
import { answerOf, askFrom, callerOf, withDoors } from "../support/doors.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json } from "../support/http.ts";
import { type EnrolmentAnswer, enrol, makeKeys } from "../support/instance.ts";
import { useSystem } from "./index.ts";

vi.mock("#cli/parts/index.ts", async (original) => withDoors(await original()));

const system = useSystem({ split: true });
/** What workerd says of a method that is not there. */
const NO_METHOD = /does not implement the method/;

let ada: EdgeClient;
let instance: string;
let thumbprint: string;
beforeAll(async () => {
  ada = await EdgeClient.signedIn(system, "Ada");
  const enrolled = json<EnrolmentAnswer>(await enrol(ada, await makeKeys()));
  instance = enrolled.instance;
  const certificate = Buffer.from(enrolled.wrappingCertificate, "base64url");
  thumbprint = Buffer.from(await crypto.subtle.digest("SHA-256", certificate)).toString("base64url");
});

const caller = () => callerOf(ada);
const ofAccount = () => ({ tenant: "development", account: ada.account, caller: caller() });
const ofUser = () => ({ tenant: "development", user: caller().user });

describe("W13 the door that each unit has of another one", () => {
  it("W13 answers what it is there for", async () => {
    expect(await answerOf(askFrom(system, "KMS", "IAM_FOR_KMS.accountKey", ofAccount()))).toBe("ok");
    expect(await answerOf(askFrom(system, "KMS", "RA_FOR_KMS.recipient", { ...ofUser(), thumbprint }))).toBe(
      "ok",
    );
    expect(await answerOf(askFrom(system, "IAM", "RA_FOR_IAM.instance", { ...ofUser(), instance }))).toBe(
      "ok",
    );
    expect(await answerOf(askFrom(system, "IAM", "KMS_FOR_IAM.currentMasterKey", ofUser()))).toBe("ok");
    expect(await answerOf(askFrom(system, "RA", "IAM_FOR_RA.signedIn", caller()))).toBe("ok");
    expect(await answerOf(askFrom(system, "RA", "KMS_FOR_RA.hasMasterKey", ofUser()))).toBe("ok");
    expect(await answerOf(askFrom(system, "DATASTORE", "IAM_FOR_DATASTORE.member", ofAccount()))).toBe("ok");
  });

  const ENROLMENT = ["grant", "openEnrolment", "redeemEnrolment", "instances", "revoke"];
  it.each([
    ["KMS", [...ENROLMENT, "ended"]],
    ["IAM", [...ENROLMENT, "recipient"]],
  ] as const)(
    "W13 has the registration authority enrol nobody, and end nothing, for the %s",
    async (domain, methods) => {
      const { tenant, user } = caller();
      const by = { tenant, user, origin: system.vaultOrigin, requestId: crypto.randomUUID() };
      for (const method of methods) {
        const given = method.includes("Enrolment") ? by : caller();
        const asked = askFrom(system, domain, `RA_FOR_${domain}.${method}`, given, instance, {});
        expect(await answerOf(asked), method).toMatch(NO_METHOD);
      }
    },
  );

  it.each(["scheduleDeletion", "removeMember", "token", "signIn", "instanceToken", "endUser", "denyApp"])(
    "W13 has the IAM take no %s from KMS, registration authority and datastore",
    async (method) => {
      for (const domain of ["KMS", "RA", "DATASTORE"] as const)
        expect(
          await answerOf(askFrom(system, domain, `IAM_FOR_${domain}.${method}`, caller(), ada.account)),
          domain,
        ).toMatch(NO_METHOD);
      expect(await answerOf(askFrom(system, "KMS", "IAM_FOR_KMS.member", ofAccount()))).toBe("ok");
    },
  );

  it("W13 gives Enc(account) to the KMS alone", async () => {
    for (const domain of ["RA", "DATASTORE"] as const)
      for (const method of ["accountKey", "encryptedAccountKey"])
        expect(
          await answerOf(askFrom(system, domain, `IAM_FOR_${domain}.${method}`, ofAccount())),
          `${domain} ${method}`,
        ).toMatch(NO_METHOD);
  });

  it.each(["load", "dataKeys", "masterKey", "releaseAccountKey", "readDataKey"])(
    "W13 has the KMS release nothing to IAM and registration authority: no %s",
    async (method) => {
      for (const domain of ["IAM", "RA"] as const)
        expect(
          await answerOf(askFrom(system, domain, `KMS_FOR_${domain}.${method}`, caller(), {})),
          domain,
        ).toMatch(NO_METHOD);
    },
  );

  it.each(["content", "list", "delete"])("W13 has the datastore take no %s from the IAM", async (method) => {
    const asked = askFrom(system, "IAM", `DATASTORE_FOR_IAM.${method}`, caller(), ada.account, "id");
    expect(await answerOf(asked)).toMatch(NO_METHOD);
  });

  it.each(["IAM", "RA", "KMS", "DATASTORE"] as const)(
    "W13 lets %s append to the audit and read nothing",
    async (domain) => {
      for (const method of ["export", "lastSignedRoot"])
        expect(await answerOf(askFrom(system, domain, `AUDIT_${domain}.${method}`, "development"))).toMatch(
          NO_METHOD,
        );
      const batch = (source: string) => ({
        tenant: "development",
        source,
        epoch: crypto.randomUUID(),
        rows: [],
      });
      const own = domain.toLowerCase();
      const append = (source: string) =>
        answerOf(askFrom(system, domain, `AUDIT_${domain}.append`, batch(source)));
      expect(await append(`${own}/x`)).toBe("ok");
      expect(await append("gateway/x")).toBe("forbidden");
    },
  );

  it.each([
    ["KMS", "RA"],
    ["KMS", "IAM"],
    ["KMS", "DATASTORE_FOR_IAM"],
    ["DATASTORE", "KMS_FOR_IAM"],
    ["RA", "KMS_FOR_IAM"],
    ["IAM", "RA_FOR_KMS"],
  ] as const)("W13 has no other door: %s has no %s", async (domain, binding) => {
    expect(await answerOf(askFrom(system, domain, `${binding}.grant`))).toMatch(/undefined/);
  });
});
