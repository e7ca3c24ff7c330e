import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { encodeHex } from "#protocol/bytes.ts";
import { named } from "#protocol/hierarchy/index.ts";
import type {
  Attributes,
  KmipClient,
  OperationName,
  RequestHeader,
  RequestItem,
  RequestPayload,
  ResponseItem,
} from "#protocol/kmip/index.ts";
import { OPERATIONS } from "../operations/index.ts";
import { answerLength } from "../server/answer-length.ts";
import { type TestHsm, testHsm } from "../testing/deployment.ts";
import { AES, type Bytes, keyBytes, PAST } from "../testing/hierarchy.ts";
import { reason, refused } from "../testing/refusal.ts";
import { type Reached, reaching } from "../testing/rights.ts";
import { issueClient } from "./pki.ts";

/** A ticket for one object reaches nothing else, whatever operation and way is tried. */

let test: TestHsm;
let owner: KmipClient;
let bearer: KmipClient;
let reached: Reached;
let secret: string;
let rights: Partial<RequestHeader>;

const USES = ["Encrypt", "Decrypt", "WrapKey", "UnwrapKey", "DeriveKey", "MACGenerate", "MACVerify"] as const;

beforeAll(async () => {
  test = await testHsm();
  [owner, bearer] = (await Promise.all(
    ["owner", "bearer"].map(async (name) => test.as(await issueClient(test.pki.dir, name))),
  )) as [KmipClient, KmipClient];
  await owner.request("SetDefaults", {
    defaultsInformation: {
      objectDefaults: [{ objectType: "SymmetricKey", attributes: { comment: "default" } }],
    },
  });
}, 30_000);
afterAll(() => test.close());

const create = async (attributes: Attributes = {}) => {
  const made = await owner.request("Create", {
    objectType: "SymmetricKey",
    attributes: { ...AES, cryptographicUsageMask: [...USES], activationDate: PAST, ...attributes },
  });
  return made.uniqueIdentifier;
};
type Rights = NonNullable<Parameters<KmipClient["request"]>[1]> & object;
const ticketFor = async (right: object): Promise<{ header: Partial<RequestHeader>; value: Bytes }> => {
  const { ticket } = await owner.request("DelegatedLogin", { rights: { right: [right] } } as Rights as never);
  const credential = [{ credentialType: "Ticket" as const, credentialValue: { ticket } }];
  return { header: { authentication: { credential } }, value: new Uint8Array(ticket.ticketValue) };
};
const pending = async (client: KmipClient, operation: OperationName, payload: object, header = {}) => {
  const [answer] = await client.batch([{ operation, payload } as unknown as RequestItem], {
    header: { asynchronousIndicator: "Mandatory", ...header },
  });
  return answer!.asynchronousCorrelationValue!;
};
const poll = (client: KmipClient, value: Uint8Array, header: Partial<RequestHeader> = {}) =>
  client.request("Poll", { asynchronousCorrelationValue: new Uint8Array(value) }, { header });

/** All that the owner can see of an object, and how many there are. */
async function picture(uniqueIdentifier: string) {
  const exported = await owner.request("Export", { uniqueIdentifier });
  const all = await owner.request("Locate", { attributes: {} });
  const constraints = await owner.request("GetConstraints", {});
  const defaults = await owner.request("Query", { queryFunction: ["QueryDefaultsInformation"] });
  return { exported, all, constraints, defaults };
}

beforeEach(async () => {
  const [own, other] = [await create(), await create({ name: named("taken"), description: "a note" })];
  const opened = await owner.request("Encrypt", {
    uniqueIdentifier: other,
    initIndicator: true,
    data: new Uint8Array(16),
    cryptographicParameters: { blockCipherMode: "ECB" },
  });
  secret = encodeHex(keyBytes(await owner.request("Get", { uniqueIdentifier: other })));
  const { ticket } = await owner.request("Login", {});
  const { header } = await ticketFor({ objects: { uniqueIdentifier: [own] } });
  rights = header;
  reached = {
    own,
    other,
    answer: new Uint8Array(await pending(owner, "Get", { uniqueIdentifier: other })),
    stream: new Uint8Array(opened.correlationValue!),
    ticket: new Uint8Array(ticket.ticketValue),
  };
  return async () => {
    await owner.request("Destroy", { uniqueIdentifier: own }).catch(() => {});
    await owner.request("ModifyAttribute", { uniqueIdentifier: other, newAttribute: { name: named(other) } });
  };
});

/** Told to everybody, or about what the ticket is for. */
const ANSWERED = ["Locate", "DiscoverVersions", "Ping", "Query", "QueryAsynchronousRequests", "Cancel"];

describe("a ticket for one object", () => {
  it("is tried with every operation of the server", () => {
    expect(Object.keys(reaching(reached)).sort()).toEqual(Object.keys(OPERATIONS).sort());
  });

  it.each(Object.keys(OPERATIONS) as OperationName[])(
    "reads, uses and changes no other by %s",
    async (operation) => {
      const before = await picture(reached.other);
      for (const payload of reaching(reached)[operation]) {
        const [answer] = (await bearer.batch([{ operation, payload } as unknown as RequestItem], {
          header: rights,
        })) as ResponseItem[];
        expect([answer!.resultStatus, payload]).toEqual([
          ANSWERED.includes(operation) ? "Success" : "OperationFailed",
          payload,
        ]);
        const told = JSON.stringify(answer, (_key, value) =>
          value instanceof Uint8Array ? encodeHex(value) : typeof value === "bigint" ? String(value) : value,
        );
        expect(told).not.toContain(secret);
        expect(told).not.toContain("a note");
        expect(told).not.toContain("default");
        if (operation === "Locate") expect(told).not.toContain(reached.other);
        if (operation === "QueryAsynchronousRequests") expect(answerLength(answer)).toBeLessThan(200);
        // As it would be for an object that is not there.
        if (answer!.resultStatus !== "Success")
          expect([
            "NotAuthorised",
            "PermissionDenied",
            "InvalidCorrelationValue",
            "InvalidAsynchronousCorrelationValue",
          ]).toContain(answer!.resultReason);
      }
      expect(await picture(reached.other)).toEqual(before);
      expect(await poll(owner, reached.answer)).toMatchObject({ uniqueIdentifier: reached.other });
      // The open operation goes on, and the ticket that is none of the bearer's is good.
      const next = {
        uniqueIdentifier: reached.other,
        correlationValue: reached.stream,
        finalIndicator: true,
      };
      expect((await owner.request("Encrypt", { ...next, data: new Uint8Array(16) })).data?.length).toBe(16);
      const credential = [
        {
          credentialType: "Ticket" as const,
          credentialValue: { ticket: { ticketType: "Login" as const, ticketValue: reached.ticket } },
        },
      ];
      await owner.request("Ping", {}, { header: { authentication: { credential } } });
    },
  );

  it("is told the same of an object that is not there", async () => {
    for (const uniqueIdentifier of [reached.other, "no such object"])
      await refused(bearer.request("Get", { uniqueIdentifier }, { header: rights })).toBe("NotAuthorised");
  });

  it("does what it is for, later too", async () => {
    const { own } = reached;
    expect(await reason(bearer.request("Get", { uniqueIdentifier: own }, { header: rights }))).toBe(
      "Success",
    );
    const value = await pending(bearer, "Get", { uniqueIdentifier: own }, rights);
    expect(await poll(bearer, value, rights)).toMatchObject({ uniqueIdentifier: own });
  });

  it("ends itself, and then nothing that waits is begun", async () => {
    const { header, value } = await ticketFor({ objects: { uniqueIdentifier: [reached.own] } });
    await pending(bearer, "Destroy", { uniqueIdentifier: reached.own }, header);
    await bearer.request("Logout", { ticket: { ticketType: "Login", ticketValue: value } }, { header });
    await refused(bearer.request("Ping", {}, { header })).toBe("InvalidTicket");
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(await reason(owner.request("Get", { uniqueIdentifier: reached.own }))).toBe("Success");
  });
});

describe("answers that wait", () => {
  it("belong to the session and the rights that asked", async () => {
    const { own, other } = reached;
    const [one, another] = [
      await ticketFor({ objects: { uniqueIdentifier: [other] } }),
      await ticketFor({
        operations: { operation: ["Poll", "Process", "Cancel", "QueryAsynchronousRequests"] },
      }),
    ];
    const value = new Uint8Array(await pending(bearer, "Get", { uniqueIdentifier: other }, one.header));
    const asked = { asynchronousCorrelationValue: value };
    for (const header of [rights, another.header, {}]) {
      const client = header.authentication ? bearer : owner;
      await refused(poll(client, value, header)).toBe("InvalidAsynchronousCorrelationValue");
      await refused(client.request("Process", asked, { header })).toBe("InvalidAsynchronousCorrelationValue");
      expect(await client.request("Cancel", asked, { header })).toMatchObject({
        cancellationResult: "Unavailable",
      });
      const { asynchronousRequest = [] } = await client.request("QueryAsynchronousRequests", {}, { header });
      expect(asynchronousRequest.map((item) => encodeHex(item.asynchronousCorrelationValue))).not.toContain(
        encodeHex(value),
      );
    }
    expect(await poll(bearer, value, one.header)).toMatchObject({ uniqueIdentifier: other });
    expect(own).not.toBe(other);
  });
});

describe("rights", () => {
  it("that list nothing allow nothing", async () => {
    await refused(owner.request("DelegatedLogin", { rights: { right: [] } } as never)).toBe("InvalidField");
    for (const right of [{ operations: { operation: [] } }, { objects: { uniqueIdentifier: [] } }]) {
      const { header } = await ticketFor(right);
      const get = bearer.request("Get", { uniqueIdentifier: reached.own }, { header });
      await refused(get).toBe("NotAuthorised");
    }
  });

  it("for certain operations make nobody an owner", async () => {
    const operation = ["ModifyAttribute", "AddAttribute", "ReKey", "Import"] as OperationName[];
    const { header } = await ticketFor({ operations: { operation } });
    const uniqueIdentifier = reached.own;
    const add = (newAttribute: Attributes) =>
      bearer.request("AddAttribute", { uniqueIdentifier, newAttribute }, { header });
    await refused(
      add({ vendorAttributes: [{ vendorIdentification: "x", attributeName: "y", attributeValue: "z" }] }),
    ).toBe("PermissionDenied");
    const attributes = { extractable: true };
    await refused(bearer.request("ReKey", { uniqueIdentifier, attributes }, { header })).toBe(
      "PermissionDenied",
    );
    const { Import } = reaching(reached);
    for (const payload of Import.filter((one) => "replaceExisting" in one))
      await refused(bearer.request("Import", payload as RequestPayload<"Import">, { header })).toBe(
        "ObjectAlreadyExists",
      );
    expect(await reason(add({ comment: "bearer" }))).toBe("Success");
  });
});
