/**
 * Operators of units in split operation who change the code that they run: what it asks of its own objects, and of its neighbours by the
 * doors that it has. A test that asks so starts the system `withDoors`.
 */

import { KeyObject, privateDecrypt } from "node:crypto";
import { BY_NAME } from "#cli/development-issuer.ts";
import { signAccessToken } from "#edge/iam/access-token.ts";
import type { Result } from "#edge/result.ts";
import { seconds } from "#protocol/clock.ts";
import { IDENTITY } from "#protocol/hierarchy/index.ts";
import { thumbprint } from "#protocol/keys/index.ts";
import { principalId } from "#protocol/principal.ts";
import { createDpopKey, type DpopKey } from "#web/client/dpop.ts";
import { askFrom, askObject, callDoor, callerOf } from "../support/doors.ts";
import { EdgeClient, newVerifier } from "../support/edge-client.ts";
import { json } from "../support/http.ts";
import { type EnrolmentAnswer, makeKeys, redemption } from "../support/instance.ts";
import type { System } from "../support/start.ts";
import type { Loot } from "./dumps.ts";
import { hsmClient } from "./hsm.ts";
import { asDomain } from "./own-recipients.ts";

const TENANT = "development";

/** The IAM says of its operator that he is this person: a session, by which he signs in at the app as that person would. */
export async function signedInByIam(system: System, name: string): Promise<EdgeClient> {
  const principal = await principalId({ tenant: TENANT, issuer: BY_NAME, subject: name });
  const signedIn = await askObject<{ cookie: string }>(
    system,
    "IAM",
    { namespace: "IAM_PRINCIPAL_OBJECT", name: `${TENANT}/${principal}` },
    "signIn",
    {
      ...{ principal, name, earlier: null, app: "page", claims: { groups: [], admin: null } },
      ...{ transaction: crypto.randomUUID(), cookie: null, requestId: crypto.randomUUID() },
    },
  );
  const client = new EdgeClient(system);
  client.cookie = client.vaultCookie(granted(signedIn).cookie);
  const verifier = newVerifier();
  await client.take(await client.approve(await client.query(verifier)), verifier);
  return client;
}

/** With the IAM's live certificate the HSM signs an access token for this person, and for a key of whoever has the certificate. */
export async function tokenByIam(system: System, name: string, key?: DpopKey): Promise<EdgeClient> {
  const principal = await principalId({ tenant: TENANT, issuer: BY_NAME, subject: name });
  const client = new EdgeClient(system);
  client.key = key ?? (await createDpopKey());
  const iam = await hsmClient(system, IDENTITY.iam);
  try {
    const now = seconds(Date.now());
    const access_token = await signAccessToken(asDomain(iam), {
      ...{ iss: client.vault, sub: principal, aud: client.app, client_id: "page", tenant: TENANT },
      ...{ iat: now, exp: now + 600, jti: crypto.randomUUID() },
      cnf: { jkt: await thumbprint(client.key.jwk) },
      custodian: `CN=${principal},OU=${client.app},O=${TENANT}`,
    });
    client.tokens = { access_token } as EdgeClient["tokens"];
  } finally {
    iam.close();
  }
  return client;
}

/** Puts into the loot all documents of the account, as its member downloads them. */
export async function download(member: EdgeClient, account: string, loot: Loot): Promise<void> {
  const at = `/accounts/${account}/documents`;
  const { documents } = json<{ documents: { id: string }[] }>(await member.rest("GET", at));
  for (const { id } of documents)
    for (const part of ["content", "metadata"])
      loot.file((await member.rest("GET", `${at}/${id}/${part}`)).bytes);
}

/**
 * The app says that this person, who is signed in, asks: it enrols an instance of its own for that person, and has the KMS release the
 * keys of all EDKs in the loot to it. How many it got.
 */
export async function loadByApp(system: System, person: EdgeClient, loot: Loot): Promise<number> {
  const caller = callerOf(person);
  const { tenant, user, requestId } = caller;
  const by = { tenant, user, origin: system.vaultOrigin, requestId };
  const keys = await makeKeys();
  const { grant } = granted(await callDoor<{ grant: string }>(system, "RA.grant", caller));
  const { id, nonce } = granted(
    await callDoor<{ id: string; nonce: string }>(system, "RA.openEnrolment", by),
  );
  const { wrappingCertificate: certificate } = granted(
    await callDoor<EnrolmentAnswer>(
      ...([system, "RA.redeemEnrolment", by, id, await redemption(grant, nonce, keys)] as const),
    ),
  );
  const key = KeyObject.from(keys.wrapping.privateKey);
  let got = 0;
  for (const edk of loot.records) {
    const request = { way: "rewrap", edk, certificate };
    const loaded = await callDoor<{ wrappedKey: string }>(system, "KMS.load", caller, request);
    if (!loaded.ok) continue;
    loot.key(privateDecrypt({ key, oaepHash: "sha256" }, Buffer.from(loaded.value.wrappedKey, "base64url")));
    got++;
  }
  return got;
}

export type Unit = "KMS" | "RA" | "DATASTORE";

/**
 * Puts into the loot what a unit's neighbours answer by the doors that it has of them, about an account while one of its members asks
 * for something. The doors that did not refuse.
 */
export async function askNeighbours(
  system: System,
  unit: Unit,
  member: EdgeClient,
  loot: Loot,
): Promise<string[]> {
  const caller = callerOf(member);
  const { tenant, user, custodian, jkt } = caller;
  const { account } = member;
  const ofAccount = { tenant, account, caller };
  const { instances } = json<{ instances: { id: string }[] }>(await member.rest("GET", "/ra/instances"));
  const instance = instances[0]?.id ?? "";
  const asInstance = { ...caller, instance };
  const ofCustodian = { tenant, user, dn: custodian, jkt };
  const ASKED: Record<Unit, [string, ...unknown[]][]> = {
    KMS: [
      ["IAM_FOR_KMS.accountKey", ofAccount],
      ["IAM_FOR_KMS.encryptedAccountKey", asInstance, account],
      ["IAM_FOR_KMS.receivingKey", ofAccount],
      ["IAM_FOR_KMS.receives", ofAccount],
      ["IAM_FOR_KMS.member", ofAccount],
      ["IAM_FOR_KMS.signedIn", caller],
      ["RA_FOR_KMS.instance", { tenant, user, instance }],
    ],
    RA: [
      ["IAM_FOR_RA.custodian", ofCustodian],
      ["IAM_FOR_RA.signedIn", caller],
      ["KMS_FOR_RA.hasMasterKey", { tenant }],
    ],
    DATASTORE: [
      ["IAM_FOR_DATASTORE.member", ofAccount],
      ["IAM_FOR_DATASTORE.receives", ofAccount],
      ["IAM_FOR_DATASTORE.administratorOf", ofAccount],
    ],
  };
  const answered: string[] = [];
  for (const [door, ...args] of ASKED[unit]) {
    const answer = await askFrom<unknown>(system, unit, door as `${string}.${string}`, ...args);
    if (!answer.ok) continue;
    answered.push(door);
    take(answer.value, loot);
  }
  return answered;
}

/** All bytes and texts of an answer. */
function take(answer: unknown, loot: Loot): void {
  if (typeof answer === "string") loot.text(answer);
  if (typeof answer !== "object" || answer === null) return;
  if ("$bytes" in answer) loot.key(Buffer.from(String(answer.$bytes), "base64"));
  else for (const value of Object.values(answer)) take(value, loot);
}

function granted<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(`refused: ${result.problem.code}`);
  return result.value;
}
