/** A custodian that has its microservice beside it: it asks the KMS for keys, and hands over what it cannot read. */

import { loopbackFetch } from "#cli/loopback-fetch.ts";
import { decodeBase64url } from "#protocol/base64url.ts";
import type { KeyAlgorithm, Load } from "#protocol/keys/index.ts";
import { createPortClient, type PortClient } from "#protocol/port/index.ts";
import { type NodeMicroserviceOptions, startMicroservice } from "#web/hosts/node/index.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json } from "../support/http.ts";
import { askGrant } from "../support/instance.ts";
import type { System } from "../support/start.ts";
import { kindOf } from "./kind.ts";
import { callService, type ServiceClient } from "./service-client.ts";

export type NodeCustodian = {
  client: EdgeClient;
  dn: string;
  account: string;
  /** What a microservice of this custodian is started with. */
  options: NodeMicroserviceOptions;
  /** One in this process. */
  microservice(): { port: PortClient; close(): void };
};

export async function custodianOf(system: System, user: string): Promise<NodeCustodian> {
  const client = await EdgeClient.signedIn(system, user);
  const withCookie: typeof fetch = (input, init) =>
    loopbackFetch(input, {
      ...init,
      headers: { ...(init?.headers as Record<string, string>), origin: client.vault, cookie: client.cookie },
    });
  const options = {
    ...{ vault: client.vault, origin: client.app, fetch: withCookie },
    rootKey: system.running.rootKey,
  };
  return {
    ...{ client, options },
    dn: client.tokens.custodian.dn,
    account: client.account,
    microservice() {
      const { port, close } = startMicroservice(options);
      return { port: createPortClient(port), close };
    },
  };
}

/** Of the custodian's account, for data in one piece. */
export function contextOf({ client }: NodeCustodian): Record<string, string> {
  return { tenant: client.tokens.tenant, account: client.account, purpose: "data" };
}

/** A new data key from the KMS: its EDK, all that the custodian keeps. */
export async function orderKey({ client, account }: NodeCustodian, algorithm: KeyAlgorithm): Promise<string> {
  const order = { account, count: 1, ...kindOf(algorithm) };
  const { edks } = json<{ edks: string[] }>(await client.rest("POST", "/kms/data-keys", order));
  return edks[0] ?? "";
}

/**
 * The messages of loading by rewrap (M8): the wrapping certificate from the microservice, and the wrapped key from the KMS to it.
 * A microservice that is not enrolled is enrolled first.
 */
export async function handOver(
  { client }: NodeCustodian,
  service: ServiceClient,
  edk: string,
): Promise<void> {
  const { instance } = await callService<{ instance: { wrappingCertificate: string } | null }>(
    service,
    "describe",
  );
  const certificate = instance?.wrappingCertificate ?? (await enrolOver(client, service));
  const load = json<Load>(await client.rest("POST", "/kms/loads", { way: "rewrap", edk, certificate }));
  await callService(service, "load", { body: load });
}

/** Both: the EDK of a key that works there. */
export async function newKeyAt(
  custodian: NodeCustodian,
  service: ServiceClient,
  algorithm: KeyAlgorithm,
): Promise<string> {
  const edk = await orderKey(custodian, algorithm);
  await handOver(custodian, service, edk);
  return edk;
}

async function enrolOver(client: EdgeClient, service: ServiceClient): Promise<string> {
  const handed = { method: "grant", grant: await askGrant(client) };
  const { wrappingCertificate } = await callService<{ wrappingCertificate: string }>(service, "enrol", {
    body: handed,
  });
  decodeBase64url(wrappingCertificate);
  return wrappingCertificate;
}
