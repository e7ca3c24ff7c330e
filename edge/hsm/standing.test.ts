/** What is found out of a server of KMIP, with one that answers as the test says. */

import { expect, it } from "vitest";
import { ASSURANCES } from "#protocol/hierarchy/index.ts";
import {
  decodeRequest,
  encodeResponse,
  type RequestItem,
  type ResponseItem,
  type ResultReason,
} from "#protocol/kmip/index.ts";
import { openHsm } from "./client.ts";

type Said = Pick<ResponseItem, "payload"> | ResultReason | undefined;
let servers = 0;

/** At an address of its own: what an isolate knows of one server says nothing of another. */
function serverSaying(say: (item: RequestItem) => Said) {
  const asked: string[] = [];
  const fetch = async (_url: string, { body }: RequestInit) => {
    const { header, items } = decodeRequest(body as Uint8Array<ArrayBuffer>);
    const { protocolVersion } = header;
    const answers = items.map((item): ResponseItem => {
      const { operation, uniqueBatchItemId } = item;
      asked.push(String(operation));
      const said = say(item);
      const of = { operation, ...(uniqueBatchItemId && { uniqueBatchItemId }) };
      return (
        typeof said === "string"
          ? { ...of, resultStatus: "OperationFailed", resultReason: said }
          : { ...of, resultStatus: "Success", ...said }
      ) as ResponseItem;
    });
    const message = { header: { protocolVersion, timeStamp: new Date(0) }, items: answers };
    return new Response(encodeResponse(message as never));
  };
  return { fetcher: { fetch }, asked, url: `https://hsm-${servers++}/kmip` };
}

const VERSIONS = { payload: { protocolVersion: [{ major: 2, minor: 1 }] } };
const count = (asked: string[], operation: string) => asked.filter((one) => one === operation).length;

it("M19 one failure of the HSM to say its versions is over with the next request", async () => {
  const first = { failed: false };
  const { fetcher, asked, url } = serverSaying(({ operation }) => {
    if (operation !== "DiscoverVersions") return { payload: { data: new Uint8Array(8) } };
    if (first.failed) return VERSIONS;
    first.failed = true;
    return "GeneralFailure";
  });
  const hsm = openHsm(fetcher, url);
  const random = () => hsm.request("RNGRetrieve", { dataLength: 8 });
  await expect(random()).rejects.toMatchObject({ code: "GeneralFailure", operation: "DiscoverVersions" });
  expect(await random()).toEqual({ data: new Uint8Array(8) });
  expect(await random()).toEqual({ data: new Uint8Array(8) });
  expect(count(asked, "DiscoverVersions")).toBe(2);
});

it("M19 that a server is as old as KMIP 1.0 is assumed for one request alone", async () => {
  let lacks = true;
  const { fetcher, asked, url } = serverSaying(({ operation }) => {
    if (operation === "DiscoverVersions") return lacks ? "OperationNotSupported" : VERSIONS;
    return operation === "Locate"
      ? { payload: { uniqueIdentifier: ["id"] } }
      : { payload: { data: new Uint8Array(8) } };
  });
  const hsm = openHsm(fetcher, url);
  // KMIP 1.0 has no RNG Retrieve.
  const random = () => hsm.request("RNGRetrieve", { dataLength: 8 });
  await expect(random()).rejects.toMatchObject({ name: "BackEndRefused" });
  lacks = false;
  await expect(random()).resolves.toEqual({ data: new Uint8Array(8) });
  expect(count(asked, "DiscoverVersions")).toBe(2);
});

type Kind = { marked: boolean; lets: boolean };

/** A server that is not known. `marked`: whether it minds the attribute; `lets`: whether a client may change it; `failing`: what it answers otherwise. */
function other({
  marked,
  lets,
  failing,
}: Kind & { failing?: { at: string | undefined; reason: ResultReason } }) {
  const names: string[] = [];
  let sensitive = false;
  const server = serverSaying(({ operation, payload }) => {
    const uniqueIdentifier = "1";
    if (operation === failing?.at) return failing?.reason;
    if (operation === "DiscoverVersions") return VERSIONS;
    if (operation === "Query") return { payload: { operation: ["Sign"], vendorIdentification: "Another" } };
    if (operation === "Create") {
      const { attributes = {} } = payload as { attributes?: { name?: { nameValue: string }[] } };
      names.push(...(attributes.name ?? []).map(({ nameValue }) => nameValue));
      sensitive = marked;
      return { payload: { objectType: "SymmetricKey", uniqueIdentifier } };
    }
    if (operation === "ModifyAttribute") {
      if (!lets) return "PermissionDenied";
      sensitive = false;
      return { payload: { uniqueIdentifier } };
    }
    if (operation === "Get") {
      if (sensitive) return "Sensitive";
      const keyValue = { keyMaterial: new Uint8Array(32) };
      const of = { cryptographicAlgorithm: "AES" as const, cryptographicLength: 256 };
      const keyBlock = { keyFormatType: "Raw" as const, keyValue, ...of };
      return {
        payload: { objectType: "SymmetricKey", uniqueIdentifier, object: { symmetricKey: { keyBlock } } },
      };
    }
    return operation === "Revoke" ? "WrongKeyLifecycleState" : { payload: { uniqueIdentifier } };
  });
  const hsm = openHsm(server.fetcher, server.url, { kind: "kmip", without: ASSURANCES });
  return { ...server, hsm, names };
}

it.each(["Create", "Get", "ModifyAttribute", "Destroy"] as const)(
  "M19 a server that fails once in the midst of the trial, at %s, keeps nothing in that request and is tried again with the next",
  async (at) => {
    for (const [reason, tried] of [
      ["GeneralFailure", 2],
      ["ServerLimitExceeded", 2],
      ["InvalidField", 1],
    ] as const) {
      const failing = { at: at as string | undefined, reason: reason as ResultReason };
      const { hsm, asked } = other({ marked: true, lets: false, failing });
      const first = (await hsm.standing()).keeps;
      failing.at = undefined;
      await hsm.standing();
      // A refusal by a rule is an answer, for a minute; what it says depends on what was refused.
      expect(count(asked, "Create"), `${at} ${reason}`).toBe(tried);
      if (tried === 2) expect(first, `${at} ${reason}`).toEqual([]);
      if (tried === 2) expect((await hsm.standing()).keeps, `${at} ${reason}`).toEqual(["sensitive"]);
    }
  },
);

it.each([
  ["minds it, and lets nobody change it", { marked: true, lets: false }, ["sensitive"]],
  ["lets a client take it off again", { marked: true, lets: true }, []],
  ["takes it and does nothing", { marked: false, lets: false }, []],
] as const)("M19 sensitive is tried of a server that %s", async (_, kind, keeps) => {
  const { hsm, asked, names } = other(kind);
  expect((await hsm.standing()).keeps).toEqual(keeps);
  // What the trial made has a name, and is gone.
  expect(names).toEqual([expect.stringMatching(/^trial\/[\w-]{36}\/0$/)]);
  expect(asked.slice(-2)).toEqual(["Revoke", "Destroy"]);
});
