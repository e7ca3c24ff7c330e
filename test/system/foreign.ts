/** The operator of another tenant on the same deployment: an application server, or a person, with live credentials of its own. */

import { KeyObject, privateDecrypt } from "node:crypto";
import { encodeBase64url } from "#protocol/base64url.ts";
import { makeShare } from "#web/microservice/channel.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json } from "../support/http.ts";
import { InstanceClient } from "../support/instance-client.ts";
import type { System } from "../support/start.ts";
import type { Loot } from "./dumps.ts";

export interface Foreign {
  /** What the deployment gives it for what stands in the stores of another tenant, and what its own keys decrypt of that. How many answers it got. */
  ask(loot: Loot, accounts: readonly string[]): Promise<number>;
}

/** `level`: of its tenant, whose name this is. */
export async function foreignOf(system: System, name: string, level: "data" | "master"): Promise<Foreign> {
  return askerFor(await EdgeClient.signedIn(system.tenant(name), "Eve"), level);
}

/** Whoever is signed in as this person, with an instance enrolled for it: what the deployment gives for what stands in stores. */
export async function askerFor(person: EdgeClient, level: "data" | "master"): Promise<Foreign> {
  const instance = await (level === "master" ? InstanceClient.ready(person) : InstanceClient.unnamed(person));
  const key = KeyObject.from(instance.keys.wrapping.privateKey);
  const decrypt = (wrapped: Buffer) => privateDecrypt({ key, oaepHash: "sha256" }, wrapped);
  return {
    async ask(loot, accounts) {
      let answers = 0;
      const certificate = instance.enrolled.wrappingCertificate;
      for (const edk of loot.records) {
        const answer = await person.rest("POST", "/kms/loads", { way: "rewrap", edk, certificate });
        answers++;
        if (answer.status === 200)
          loot.key(decrypt(Buffer.from(json<{ wrappedKey: string }>(answer).wrappedKey, "base64url")));
      }
      if (level === "master") {
        const challenge = encodeBase64url(crypto.getRandomValues(new Uint8Array(32)));
        const { share } = await makeShare(crypto.subtle);
        const own = await instance.rest("POST", "/instances/master-key", { challenge, appKey: { share } });
        loot.text(own.text);
        for (const account of accounts)
          for (const path of ["data-keys", "key"]) {
            loot.text((await instance.rest("GET", `/instances/accounts/${account}/${path}`)).text);
            answers++;
          }
      }
      loot.decryptBy(key);
      return answers;
    },
  };
}
